/* SPDX-License-Identifier: GPL-2.0 */
/* The callbacks that hooks.c attaches, and which of them it could. Within hot.c. */
#ifndef _TCPTRAIL_HOOKS_H
#define _TCPTRAIL_HOOKS_H

#include <linux/types.h>
#include "compat.h"
#include "tcptrail.h"

struct inet_timewait_sock;
struct request_sock;
struct sk_buff;
struct sock;
struct tcphdr;

/* Hooks that are attached, one bit per TCPTRAIL_H_*; does not change. */
extern u64 hooks_attached;

static __always_inline bool hooks_active(unsigned int bit)
{
	return hooks_attached & BIT_ULL(bit);
}

/* Without one of these, part of some history may be missing unnoticed. */
#define HOOKS_FOR_COMPLETE \
	(BIT_ULL(TCPTRAIL_H_REQ_NEW) | BIT_ULL(TCPTRAIL_H_CHILD) | \
	 BIT_ULL(TCPTRAIL_H_ACCEPT) | BIT_ULL(TCPTRAIL_H_TW_NEW) | \
	 BIT_ULL(TCPTRAIL_H_TW_RESCHED))

/* TCPTRAIL_F_UNSEEN if no connection can be called complete, else 0. */
static __always_inline u16 hooks_unseen(void)
{
	return (hooks_attached & HOOKS_FOR_COMPLETE) == HOOKS_FOR_COMPLETE ?
		       0 : TCPTRAIL_F_UNSEEN;
}

/* sock.c: full sockets */
static void sock_on_set_state(void *data, const struct sock *sk,
			      const int old, const int new);
static COMPAT_SEND_RESET(sock_on_send_reset);
static void sock_on_child(struct sock *sk, const struct sock *osk);
static void sock_on_connect(struct sock *sk);
static void sock_on_graft(struct sock *sk);
static void sock_on_time_wait(struct sock *sk);
static void sock_on_reset(struct sock *sk, bool by_rst);
static void sock_on_abort(struct sock *sk);

/* minisock.c: requests */
static void request_on_new(const struct sock *listener,
			   struct request_sock *req);
static void request_on_cookie(const struct sock *listener,
			      struct request_sock *req);
static void request_on_drop(const struct sock *listener,
			    struct request_sock *req, bool from_timer);
static void request_on_free(struct request_sock *req);
static void request_on_icmp(struct sock *sk, u32 seq, bool abort);
static void request_on_rtx(void *data, const struct sock *sk,
			   const struct request_sock *req);

/* minisock.c: TIME_WAIT and closed FIN_WAIT2 */
static void timewait_on_new(struct inet_timewait_sock *tw, const struct sock *sk);
static void timewait_on_schedule(struct inet_timewait_sock *tw, bool rearm);
static void timewait_on_segment(struct inet_timewait_sock *tw,
				const struct tcphdr *th);
static void timewait_on_reuse(struct inet_timewait_sock *tw);
static void timewait_on_abort(struct inet_timewait_sock *tw);
static void timewait_on_expire(struct inet_timewait_sock *tw);
static void timewait_on_kill(struct inet_timewait_sock *tw);

#endif /* _TCPTRAIL_HOOKS_H */
