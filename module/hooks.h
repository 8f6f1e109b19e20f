/* SPDX-License-Identifier: GPL-2.0 */
/* The callbacks that hooks.c attaches. */
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

/* sock.c: full sockets */
void sock_on_set_state(void *data, const struct sock *sk, const int old,
		       const int new);
COMPAT_SEND_RESET(sock_on_send_reset);
void sock_on_child(struct sock *sk, const struct sock *osk);
void sock_on_connect(struct sock *sk);
void sock_on_graft(struct sock *sk);
void sock_on_time_wait(struct sock *sk);
void sock_on_reset(struct sock *sk, bool by_rst);
void sock_on_abort(struct sock *sk);

/* minisock.c: requests */
void request_on_new(const struct sock *listener, struct request_sock *req);
void request_on_cookie(const struct sock *listener, struct request_sock *req);
void request_on_drop(const struct sock *listener, struct request_sock *req,
		     bool from_timer);
void request_on_free(struct request_sock *req);
void request_on_icmp(struct sock *sk, u32 seq, bool abort);
void request_on_rtx(void *data, const struct sock *sk,
		    const struct request_sock *req);

/* minisock.c: TIME_WAIT and closed FIN_WAIT2 */
void timewait_on_new(struct inet_timewait_sock *tw, const struct sock *sk);
void timewait_on_schedule(struct inet_timewait_sock *tw, bool rearm);
void timewait_on_segment(struct inet_timewait_sock *tw,
			 const struct tcphdr *th);
void timewait_on_reuse(struct inet_timewait_sock *tw);
void timewait_on_abort(struct inet_timewait_sock *tw);
void timewait_on_expire(struct inet_timewait_sock *tw);
void timewait_on_kill(struct inet_timewait_sock *tw);

#endif /* _TCPTRAIL_HOOKS_H */
