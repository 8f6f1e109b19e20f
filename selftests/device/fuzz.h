/* SPDX-License-Identifier: GPL-2.0 */
/* The random calls of fuzz.c, and who makes them. */
#ifndef _FUZZ_H
#define _FUZZ_H

#include <pthread.h>
#include <stdint.h>

#define FUZZ_ROOM	(256 * 1024)
#define FUZZ_OPS_MAX	32

/**
 * struct file - one slot of the table
 * @fd: -1: none. Closed only under @lock held for writing
 * @records, @lost: what was delivered, and what LOST records told
 * @faults: calls after which some of it may have gone to a bad address
 */
struct file {
	pthread_rwlock_t lock;
	int fd;
	uint64_t records, lost, faults;
};

struct thread {
	pthread_t id;
	uint64_t state;
	unsigned int calls;
	unsigned int count[FUZZ_OPS_MAX];
	char *room;		/* FUZZ_ROOM bytes, then a page that is not there */
};

/* A kind of call; how often it is chosen, beside the others. */
struct op {
	const char *name;
	void (*call)(struct thread *t, struct file *f);
	unsigned int weight;
};

extern const struct op ops[];
extern const unsigned int nops;
/* So many things have been wrong; all of them are printed, up to a limit. */
extern unsigned int failures;
/* A byte that no field may hold, -1: any may. */
extern int poison;
/* A page that may only be read. */
extern char *read_only_page;

__attribute__((format(printf, 1, 2)))
void wrong(const char *format, ...);
/* The next random number below @n; 0: any 64 bits. */
uint64_t draw(struct thread *t, uint64_t n);
/* Nobody uses it any more: is what it was told what the module told it? */
void settle(struct file *f);

#endif /* _FUZZ_H */
