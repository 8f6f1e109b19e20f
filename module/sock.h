/* SPDX-License-Identifier: GPL-2.0 */
/* What can be told of a full socket whose lock is held. */
#ifndef _TCPTRAIL_SOCK_H
#define _TCPTRAIL_SOCK_H

#include "trail.h"

/* numbers.c */
u32 sock_unread(const struct sock *sk);
void sock_fill_numbers(struct tcptrail_step *rec, const struct sock *sk,
		       const struct trail *t, int new);

/* cause.c */
bool sock_in_syscall(const struct sock *sk);
void task_fill(struct tcptrail_task *task);
u8 cause_of(const struct sock *sk, const struct trail *t, int old, int new,
	    bool *by_task);

#endif /* _TCPTRAIL_SOCK_H */
