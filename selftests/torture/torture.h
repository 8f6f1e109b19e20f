/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the torture tests share: a seed, how much to do, connections that storm
 * until they are told to stop, readers that check every record, and what must
 * hold when it is quiet again.
 *
 *	SEED=N			the same choices as in a run that printed N
 *	TORTURE_PERCENT=N	N percent of the full counts, at least one of each
 *
 * Functions that check return NULL, or what is wrong.
 */
#ifndef _TORTURE_H
#define _TORTURE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "../device/tt.h"

#define TORTURE_CPUS 8
/* Seconds: as long as it takes. vm.sh watches the clock. */
#define TORTURE_TIMEOUT 100000

/* ---- choices ---- */

/* Choices of this process follow from the seed and @who. */
void torture_seed(unsigned int who);
/* 0 to @below - 1 */
unsigned int torture_random(unsigned int below);
/* How many of a full count. */
unsigned int torture_count(unsigned int full);
/* CPUs that are online, at most TORTURE_CPUS. */
unsigned int torture_cpus(void);

/* ---- others at work, each in a process and a namespace of its own ---- */

/* In shared memory. */
struct torture {
	int stop;
	int pause;
	struct storm {
		pid_t pid;
		int paused;
		unsigned int made, failed;
	} storm[TORTURE_CPUS];
	struct watcher {
		pid_t pid;
		unsigned int opened;
		uint64_t records, lost;
		char wrong[200];
	} watcher[TORTURE_CPUS];
};

enum {
	WATCH_FAST,		/* reads all the time */
	WATCH_SLOW,		/* small reads, pauses between */
	WATCH_ASLEEP,		/* in a blocking read() */
	WATCH_AGAIN,		/* opens, reads a bit, closes; the module may go */
};

struct torture *torture_new(void);
/* Connections of all kinds, with all ends; on CPU @cpu, or -1: on any. */
void storm_start(struct torture *t, unsigned int nth, int cpu);
void watcher_start(struct torture *t, unsigned int nth, int kind, int cpu);
/* All storms stand still, with what is open. */
bool storm_pause(struct torture *t);
void storm_resume(struct torture *t);
/* Stop the storms; if they failed, why. */
const char *storm_stop(struct torture *t);
/* Stop the watchers: each has read on to the last record. */
const char *watcher_stop(struct torture *t);
unsigned int storm_made(const struct torture *t);
/* Connections that one process makes and ends, all kinds, window open at once. */
unsigned int storm_some(unsigned int n, unsigned int window);

/* ---- what must hold ---- */

/* The sums of a new reader that has read all there is, and those of info. */
const char *torture_sums(void);
/* Every trail has a socket and every socket a trail, in all namespaces. */
const char *torture_compare(void);
/* No trail is left, a while after the last socket went. */
const char *torture_quiet(void);
/* Unload, although somebody may have it open for a moment. */
int torture_unload(void);
/* Nothing of it is left in the kernel. */
const char *torture_gone(void);
/* Is this file there, and does it take this text? */
bool torture_write(const char *path, const char *text);

#endif /* _TORTURE_H */
