/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of /dev/tcptrail share: loading the module, connections on
 * loopback, and a reader that holds every record against the contract in
 * linux/tcptrail.h.
 *
 * Nothing in here decides about a test: functions return what happened, and a
 * reader keeps the first thing that was wrong, for the test to look at.
 */
#ifndef _TT_H
#define _TT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <linux/tcptrail.h>

/* More CPUs than any machine that runs these tests. */
#define TT_CPUS 16

/* ---- the module ---- */

/* Load the one that TCPTRAIL_KO or MODULE names, with @params, "" for none. 0 or a negative errno. */
int tt_load(const char *params);
/* 0 or a negative errno; does not wait for anybody who has it open. */
int tt_unload(void);
/* How many have it open; -1: it is not loaded. */
int tt_refcount(void);

/* ---- connections ---- */

/* A new network namespace with nothing but loopback. 0 or a negative errno. */
int tt_new_net(void);
/* A socket that listens on any port of loopback; -1: errno. */
int tt_listen(int family, int backlog);
/* Connect to it; @client and @server are the two ends. 0 or -1. */
int tt_connect(int listener, int *client, int *server);
/* close() with a RST instead of a FIN. */
void tt_reset(int fd);
uint64_t tt_cookie(int fd);
unsigned int tt_port(int fd);
/* @n connections, one after the other, ended by RST. How many worked. */
int tt_storm(int family, int n);

/*
 * What a process that makes connections knows about them, for others to see:
 * the cookies of both ends of each, in the order in which they were made.
 */
struct tt_truth {
	unsigned int made;
	uint64_t cookie[][2];
};

/* Shared memory for @max connections; NULL: errno. */
struct tt_truth *tt_truth(unsigned int max);
unsigned int tt_made(const struct tt_truth *truth);
/* As tt_storm(), but the last @window connections stay open meanwhile. */
int tt_churn(int family, int n, int window, struct tt_truth *truth);
/* The same in a process of its own on one CPU, which exits with 0 if all went
 * well. It ends with its parent.
 */
pid_t tt_churn_on(int cpu, int family, int n, int window,
		  struct tt_truth *truth);
/* Wait for a process: its exit status, 128 + signal, or -1. */
int tt_exit_of(pid_t pid);
/* Run on this CPU from now on. 0 or -1. */
int tt_pin(int cpu);
/*
 * QEMU before 8.1 may go on with the old code of a function after another of
 * its CPUs has changed it, for ever if that was the breakpoint by which the
 * kernel changes code. So there, what runs hooked functions, timers among them,
 * and what loads and unloads the module have to be kept on one CPU.
 */
bool tt_is_emulated(void);

/* ---- time ---- */

uint64_t tt_now_ns(void);
/*
 * How much longer than usual a test may wait: TT_PATIENCE, for kernels that
 * check themselves. 1: not longer.
 */
unsigned int tt_patience(void);
/* Wait until @done(@arg), at most @ms of patience. What @done() said last. */
bool tt_wait_for(bool (*done)(void *arg), void *arg, int ms);
/* Wait until a process sleeps in the kernel. False: it did not, or is gone. */
bool tt_wait_asleep(pid_t pid);

/* ---- memory of the kernel ---- */

struct tt_memory {
	long free_kb;		/* MemAvailable */
	long slab_kb;		/* SUnreclaim */
	long percpu_kb;
	long vmalloc_kb;	/* but for stacks and the like */
	long areas;		/* the same, counted */
	long objects;		/* in kmalloc caches */
};

/* Measured when caches are dropped and what RCU frees is freed. */
void tt_measure(struct tt_memory *m);
/* Does any line of this file hold this text? */
bool tt_exists_in(const char *path, const char *text);

/* main() of a test with kselftest_harness.h: TEST_HARNESS_MAIN with patience. */
#define TT_HARNESS_MAIN							\
int main(int argc, char **argv)						\
{									\
	struct __fixture_metadata *f;					\
	struct __test_metadata *t;					\
									\
	for (f = __fixture_list; f; f = f->next)			\
		for (t = f->tests; t; t = t->next)			\
			t->timeout *= tt_patience();			\
	return test_harness_run(argc, argv);				\
}

/* ---- reading ---- */

union tt_record {
	struct tcptrail_hdr hdr;
	struct tcptrail_step step;
	struct tcptrail_trail trail;
	struct tcptrail_lost lost;
	uint64_t word[TCPTRAIL_RECORD_MAX / 8];
};

enum tt_phase {
	TT_HISTORY,
	TT_TRAILS,
	TT_CATCH_UP,
	TT_LIVE,
};

/* What a reader knows of one ring. */
struct tt_ring {
	uint64_t first;		/* seq it began with, 0: nothing yet */
	uint64_t next;		/* seq that must come next */
	uint64_t delivered;
	uint64_t lost;
};

struct tt_reader {
	int fd;
	enum tt_phase phase;
	struct tt_ring ring[TT_CPUS];
	unsigned int syncs, trails, reads;
	size_t chunk;		/* bytes to ask for at once */
	size_t have, at;
	char buf[65536];
	char wrong[200];	/* the first breach of the contract, or "" */
};

/* Is this record well formed? NULL, or what is wrong. */
const char *tt_check(const union tt_record *rec);
/*
 * Does a field of it hold nothing but this byte, from a module that was built
 * with TCPTRAIL_POISON=byte and so fills memory before it is used? NULL: no.
 */
const char *tt_poisoned(const union tt_record *rec, unsigned int byte);
/* Open the device, @flags beside O_RDONLY. NULL: errno. */
struct tt_reader *tt_open(int flags);
/* Wrap a file that is open already. */
struct tt_reader *tt_reader(int fd);
void tt_close(struct tt_reader *rd);
/* The stream starts anew, for instance after a RESYNC. */
void tt_restart(struct tt_reader *rd, enum tt_phase phase);
/* The next record, checked. 1; 0: none now (EAGAIN); or a negative errno. */
int tt_next(struct tt_reader *rd, union tt_record *rec);
/* Read on to the SYNC or to the end of what is there. 0 or negative. */
int tt_skip_to_sync(struct tt_reader *rd);
int tt_drain(struct tt_reader *rd);
/* 0 or a negative errno. */
int tt_info(int fd, struct tcptrail_info *info);

uint64_t tt_delivered(const struct tt_reader *rd);
uint64_t tt_lost(const struct tt_reader *rd);
/* Sum over all rings of the last seq, and of last - first + 1. */
uint64_t tt_last(const struct tt_reader *rd);
uint64_t tt_span(const struct tt_reader *rd);

/* ---- records that are kept ---- */

struct tt_log {
	union tt_record *rec;
	size_t n, room;
};

/* Make room in advance, so that adding takes no time. */
void tt_log_reserve(struct tt_log *log, size_t room);
void tt_log_add(struct tt_log *log, const union tt_record *rec);
void tt_log_free(struct tt_log *log);
/* Read on to the end of what is there, and keep it. 0 or negative. */
int tt_log_drain(struct tt_log *log, struct tt_reader *rd);
/* The @nth record (from 0) of this type and cookie; 0 is any. NULL: none. */
const union tt_record *tt_find(const struct tt_log *log, unsigned int type,
			       uint64_t cookie, unsigned int nth);
/*
 * The first STEP of @cookie to @state. Steps of several CPUs may be in another
 * order than they happened. NULL: none.
 */
const union tt_record *tt_find_step(const struct tt_log *log, uint64_t cookie,
				    unsigned int state);
/*
 * Does @log hold each STEP of this connection, once, and do they tell what
 * @trail tells? "": yes. Else what is wrong.
 */
const char *tt_trail_differs(const struct tt_log *log,
			     const struct tcptrail_trail *trail);
/* A text that stands until the next call. */
const char *tt_why(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

#endif /* _TT_H */
