/* SPDX-License-Identifier: GPL-2.0 */
#ifndef ACTOR_H
#define ACTOR_H

#include <errno.h>

#define CONTROL		3
#define SLOTS		128

extern int slots[SLOTS];

/* CLOCK_BOOTTIME around the last system call. */
extern unsigned long long before, after;

unsigned long long now(void);
int *slot(const char *arg);

/* Takes both times around a system call and keeps its errno. */
#define TIMED(call) ({				\
	before = now();				\
	errno = 0;				\
	long timed_result = (call);		\
	int timed_errno = errno;		\
	after = now();				\
	errno = timed_errno;			\
	timed_result;				\
})

long cmd_mail(char **arg);
long cmd_take(char **arg);
long cmd_give(char **arg);
long cmd_fork(char **arg);
long cmd_exec(char **arg);
long cmd_slowsend(char **arg);

#endif
