// SPDX-License-Identifier: GPL-2.0
/* What a full socket's counters say at a step. */
#include <linux/cgroup.h>
#include <linux/tcp.h>
#include <net/inet_connection_sock.h>
#include <net/tcp.h>
#include <net/tcp_states.h>

#include "compat.h"
#include "sock.h"

/**
 * sock_unread - bytes received in order that the program has not read
 * @sk: the socket, locked
 *
 * A FIN takes a sequence number, but is no byte.
 */
static __always_inline u32 sock_unread(const struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	u32 unread = tp->rcv_nxt - READ_ONCE(tp->copied_seq);

	if (unread && sock_flag(sk, SOCK_DONE))
		unread--;
	return unread;
}

/* Has our FIN been acknowledged? tcp_send_fin() comes after the step. */
static bool sock_fin_acked(const struct sock *sk)
{
	return (1 << sk->sk_state) & (TCPF_FIN_WAIT1 | TCPF_FIN_WAIT2 |
				      TCPF_CLOSING | TCPF_LAST_ACK) &&
	       tcp_sk(sk)->snd_una == tcp_sk(sk)->write_seq;
}

/*
 * The kernel's counters go by sequence numbers; a SYN and a FIN take one, too.
 * The SYN+ACK of a child is acknowledged before it begins to count.
 */
static __always_inline void sock_fill_bytes(struct tcptrail_step *rec,
					    const struct sock *sk,
					    const struct trail *t)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	u64 acked = tp->bytes_acked;

	if (acked && t &&
	    !(t->conn.flags & (TCPTRAIL_F_PASSIVE | TCPTRAIL_F_LATE)))
		acked--;
	if (acked && sock_fin_acked(sk))
		acked--;
	rec->bytes_out = acked;
	rec->bytes_in = tp->bytes_received;
	if (rec->bytes_in && sock_flag(sk, SOCK_DONE))
		rec->bytes_in--;
}

static __always_inline void sock_fill_sequence(struct tcptrail_step *rec,
					       const struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);

	rec->snd_una = tp->snd_una;
	rec->snd_nxt = tp->snd_nxt;
	rec->rcv_nxt = tp->rcv_nxt;
	rec->snd_wnd = tp->snd_wnd;
	rec->rcv_wnd = tp->rcv_wnd;
	rec->unread = sock_unread(sk);
	rec->unsent = READ_ONCE(tp->write_seq) - tp->snd_nxt;
}

/* No segment has been sent yet; what stands there is of an earlier time. */
static void sock_zero_sequence(struct tcptrail_step *rec)
{
	rec->snd_una = 0;
	rec->snd_nxt = 0;
	rec->rcv_nxt = 0;
	rec->snd_wnd = 0;
	rec->rcv_wnd = 0;
	rec->unread = 0;
	rec->unsent = 0;
}

/* The id of its cgroup v2; 0 in a kernel where sockets have none. */
static u64 sock_cgroup(const struct sock *sk)
{
#ifdef CONFIG_SOCK_CGROUP_DATA
	/* Only reads, although it does not say so. */
	return cgroup_id(sock_cgroup_ptr((struct sock_cgroup_data *)
					 &sk->sk_cgrp_data));
#else
	return 0;
#endif
}

/**
 * sock_fill_numbers - the numbers of a full socket
 * @rec: the record
 * @sk: locked; in the state before the step
 * @t: its trail, or NULL
 * @new: the state after
 */
static __always_inline void sock_fill_numbers(struct tcptrail_step *rec,
					      const struct sock *sk,
					      const struct trail *t, int new)
{
	const struct tcp_sock *tp = tcp_sk(sk);

	rec->inode = compat_sock_inode(sk);
	rec->cgroup = sock_cgroup(sk);
	rec->uid = __kuid_val(READ_ONCE(sk->sk_uid));
	rec->mark = READ_ONCE(sk->sk_mark);
	if (new == TCP_SYN_SENT || new == TCP_LISTEN ||
	    sk->sk_state == TCP_LISTEN)
		sock_zero_sequence(rec);
	else
		sock_fill_sequence(rec, sk);
	if (new == TCP_LISTEN || sk->sk_state == TCP_LISTEN) {
		rec->unread = READ_ONCE(sk->sk_ack_backlog);
		rec->unsent = READ_ONCE(sk->sk_max_ack_backlog);
	}
	rec->srtt_us = tp->srtt_us >> 3;
	rec->retrans = inet_csk(sk)->icsk_retransmits;
	rec->total_retrans = tp->total_retrans;
	sock_fill_bytes(rec, sk, t);
}
