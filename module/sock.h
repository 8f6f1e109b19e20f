/* SPDX-License-Identifier: GPL-2.0 */
/* What can be told of a full socket whose lock is held. Within hot.c. */
#ifndef _TCPTRAIL_SOCK_H
#define _TCPTRAIL_SOCK_H

#include "step.h"

/**
 * struct cause - why a step happened
 * @why: TCPTRAIL_C_*
 * @by_task: by a system call of the current task
 */
struct cause {
	u8 why;
	bool by_task;
};

/* cause.c */
static struct cause cause_of(const struct sock *sk, const struct trail *t,
			     int old, int new, u8 word);

#endif /* _TCPTRAIL_SOCK_H */
