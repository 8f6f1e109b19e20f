// SPDX-License-Identifier: GPL-2.0
/* Full sockets: their transitions, who caused them, and why. */
#include <linux/cgroup.h>
#include <linux/file.h>
#include <linux/sched.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <net/inet_connection_sock.h>
#include <net/net_namespace.h>
#include <net/tcp.h>
#include <net/tcp_states.h>

#include "compat.h"
#include "hooks.h"
#include "trail.h"

static_assert(TCPTRAIL_ESTABLISHED == TCP_ESTABLISHED);
static_assert(TCPTRAIL_LISTEN == TCP_LISTEN);
static_assert(TCPTRAIL_NEW_SYN_RECV == TCP_NEW_SYN_RECV);

/* ---- facts ---- */

static bool sock_is_tcp(const struct sock *sk)
{
	return sk->sk_protocol == IPPROTO_TCP &&
	       (sk->sk_family == AF_INET || sk->sk_family == AF_INET6);
}

/* The addresses change until the connection is made; so does the port. */
static void sock_fill_addr(struct tcptrail_conn *conn, const struct sock *sk)
{
	const struct inet_sock *inet = inet_sk(sk);

	if (sk->sk_family == AF_INET6) {
		memcpy(conn->saddr, &sk->sk_v6_rcv_saddr, sizeof(conn->saddr));
		memcpy(conn->daddr, &sk->sk_v6_daddr, sizeof(conn->daddr));
	} else {
		conn_set_v4(conn->saddr, inet->inet_saddr);
		conn_set_v4(conn->daddr, inet->inet_daddr);
	}
	conn->sport = ntohs(inet->inet_sport);
	conn->dport = ntohs(inet->inet_dport);
	conn->ifindex = sk->sk_bound_dev_if;
	/* A listener has no peer. */
	if (!conn->dport)
		memset(conn->daddr, 0, sizeof(conn->daddr));
}

/* A connection that has no trail so far gets one. */
static void sock_birth(struct trail_op *op, const struct sock *sk, u8 state,
		       u16 flags)
{
	flags |= conn_family(sk->sk_family);
	sock_fill_addr(trail_birth(op, trail_peek_cookie(sk), sock_net(sk),
				   state, TCPTRAIL_O_FULL, flags), sk);
}

/* Its trail has ended, but there is something to tell. */
static void sock_stranger(struct trail_op *op, const struct sock *sk)
{
	sock_fill_addr(trail_stranger(op, trail_peek_cookie(sk), sock_net(sk),
				      sk->sk_state,
				      conn_family(sk->sk_family)), sk);
}

/* Bytes received in order and not read; a FIN takes a sequence number. */
static u32 sock_unread(const struct sock *sk)
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
static void sock_fill_bytes(struct tcptrail_step *rec, const struct sock *sk,
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

static void sock_fill_sequence(struct tcptrail_step *rec, const struct sock *sk)
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

/**
 * sock_fill_numbers - the numbers of a full socket
 * @rec: the record
 * @sk: locked; in the state before the step
 * @t: its trail, or NULL
 * @new: the state after
 */
void sock_fill_numbers(struct tcptrail_step *rec, const struct sock *sk,
		       const struct trail *t, int new)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	struct sock_cgroup_data *skcd;

	rec->inode = compat_sock_inode(sk);
	/* Only reads, although it does not say so. */
	skcd = (struct sock_cgroup_data *)&sk->sk_cgrp_data;
	rec->cgroup = cgroup_id(sock_cgroup_ptr(skcd));
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

/* ---- who ---- */

/*
 * Does a system call of the current task work on this socket? The lock is
 * owned only by a process, and only the owner gets here while it is: timers
 * and packets wait for it (sk_backlog, tcp_release_cb). But the owner also
 * carries those out when it lets go of the lock, so the caller must know, too,
 * that the transition is one that only a system call makes. Threaded NAPI, tun
 * writers and the like run in a task without owning the lock.
 */
static bool sock_in_syscall(const struct sock *sk)
{
	return in_task() && sk->sk_lock.owned && !(current->flags & PF_KTHREAD);
}

static void task_fill(struct tcptrail_task *task)
{
	const struct task_struct *leader = current->group_leader;

	task->tgid = task_tgid_nr(current);
	task->start_ticks = div_u64(leader->start_boottime,
				    NSEC_PER_SEC / USER_HZ);
	memcpy(task->comm, leader->comm, sizeof(task->comm));
	task->comm[sizeof(task->comm) - 1] = '\0';
}

/* ---- why ---- */

/* Is it the close() of the last reference, before the socket is orphaned? */
static bool sock_in_close(const struct sock *sk)
{
	const struct socket *so = READ_ONCE(sk->sk_socket);

	if (sk->sk_shutdown != SHUTDOWN_MASK || sock_flag(sk, SOCK_DEAD) || !so)
		return false;
	/* A kernel socket has no file. */
	return !so->file || !file_count(so->file);
}

static u8 cause_close(void)
{
	return current->flags & PF_EXITING ? TCPTRAIL_C_EXIT :
					     TCPTRAIL_C_CLOSE;
}

/*
 * FIN_WAIT1, LAST_ACK, and close() after shutdown(): RFC 9293, 3.10.4. A
 * kernel thread may do it for somebody (a deferred fput), and shutdown() during
 * a simultaneous open is carried out later.
 */
static u8 cause_fin_out(const struct sock *sk, bool *by_task)
{
	*by_task = sock_in_syscall(sk);
	return sock_in_close(sk) ? cause_close() : TCPTRAIL_C_SHUTDOWN;
}

/* tcp_write_err(): which timer gave up? */
static u8 cause_timeout(const struct sock *sk, int old)
{
	const struct inet_connection_sock *icsk = inet_csk(sk);

	u8 retries = READ_ONCE(icsk->icsk_syn_retries) ?:
		     READ_ONCE(sock_net(sk)->ipv4.sysctl_tcp_syn_retries);

	/* tcp_fastopen_synack_timer() knows no user timeout. */
	if (old == TCP_SYN_RECV)
		return TCPTRAIL_C_RTX_TIMEOUT;
	if (icsk->icsk_user_timeout &&
	    (old != TCP_SYN_SENT || icsk->icsk_retransmits < retries))
		return TCPTRAIL_C_USER_TIMEOUT;
	/*
	 * The keepalive timer waits while anything is to be sent. The queues
	 * have been purged by now, but not these two.
	 */
	if (sock_flag(sk, SOCK_KEEPOPEN) && icsk->icsk_probes_out &&
	    tcp_sk(sk)->snd_una == tcp_sk(sk)->write_seq)
		return TCPTRAIL_C_KEEPALIVE;
	return TCPTRAIL_C_RTX_TIMEOUT;
}

/* tcp_write_err() gives the ICMP error that came meanwhile, or ETIMEDOUT. */
static bool err_of_timer(const struct sock *sk, int err)
{
	return err == ETIMEDOUT || err == READ_ONCE(sk->sk_err_soft);
}

/* X->CLOSE with sk_err set: tcp_done_with_error() */
static u8 cause_error(const struct sock *sk, int old, int err)
{
	/* What a RST leaves behind is told by the hook on tcp_reset(). */
	if (!hooks_active(TCPTRAIL_H_RST_IN) &&
	    (err == ECONNREFUSED || err == ECONNRESET || err == EPIPE))
		return TCPTRAIL_C_UNKNOWN;
	/* ICMP ends only a handshake: tcp_v4_err(), tcp_v6_err(). */
	if (err != ETIMEDOUT && (old == TCP_SYN_SENT || old == TCP_SYN_RECV))
		return TCPTRAIL_C_UNREACHABLE;
	return err_of_timer(sk, err) ? cause_timeout(sk, old) :
				       TCPTRAIL_C_UNKNOWN;
}

/* X->CLOSE by the close() of a socket that had not sent its FIN. */
static u8 cause_close_hard(const struct sock *sk, int old)
{
	if (old == TCP_LISTEN || old == TCP_SYN_SENT)
		return cause_close();
	if (tcp_sk(sk)->repair)
		return TCPTRAIL_C_REPAIR;
	if (sock_unread(sk))
		return TCPTRAIL_C_UNREAD;
	if (sock_flag(sk, SOCK_LINGER) && !sk->sk_lingertime)
		return TCPTRAIL_C_LINGER0;
	return TCPTRAIL_C_UNKNOWN;
}

/* X->CLOSE by a system call that is not close(). */
static u8 cause_disconnect(const struct sock *sk, const struct trail *t,
			   int old)
{
	const struct socket *so = READ_ONCE(sk->sk_socket);

	if (t && t->hint == TCPTRAIL_C_DESTROYED)
		return TCPTRAIL_C_DESTROYED;
	/* __inet_stream_connect() goes to SS_CONNECTING only behind a SYN. */
	if (old == TCP_SYN_SENT && so && so->state == SS_UNCONNECTED)
		return TCPTRAIL_C_CONNECT_FAILED;
	/* inet_csk_listen_start(): hashed, and so flagged, with a port only */
	if (old == TCP_LISTEN && !sock_flag(sk, SOCK_RCU_FREE))
		return TCPTRAIL_C_LISTEN_FAILED;
	return TCPTRAIL_C_DISCONNECT;
}

/* inet_child_forget(): the listener's close() finds a child in its queue. */
static bool sock_is_forgotten(const struct sock *sk, const struct trail *t,
			      int old)
{
	return t && (t->conn.flags & TCPTRAIL_F_PASSIVE) &&
	       !(t->conn.flags & TCPTRAIL_F_ACCEPTED) &&
	       hooks_active(TCPTRAIL_H_ACCEPT) && in_task() && !sk->sk_socket &&
	       (old != TCP_SYN_RECV || (t->conn.flags & TCPTRAIL_F_FASTOPEN));
}

/* X->CLOSE without an error, nobody's system call: tcp_done(). */
static u8 cause_done(const struct sock *sk, const struct trail *t, int old)
{
	if (!check_net(sock_net(sk)))
		return TCPTRAIL_C_NETNS_EXIT;
	if (!sock_flag(sk, SOCK_DEAD))
		return sock_is_forgotten(sk, t, old) ?
			       TCPTRAIL_C_LISTENER_CLOSED : TCPTRAIL_C_UNKNOWN;
	if (old == TCP_SYN_RECV)
		return TCPTRAIL_C_UNKNOWN;
	if (old != TCP_FIN_WAIT2)
		return TCPTRAIL_C_NO_MEMORY;
	/* The timer resets the peer first, tcp_rcv_state_process() after. */
	if (tcp_sk(sk)->linger2 < 0 || (t && t->hint == TCPTRAIL_C_RST_OUT))
		return TCPTRAIL_C_FIN_WAIT2_TIMEOUT;
	/* Has that reset been seen, had it come? */
	if (!t || !t->nsteps || !hooks_active(TCPTRAIL_H_RST_OUT))
		return TCPTRAIL_C_UNKNOWN;
	return TCPTRAIL_C_DATA_AFTER_CLOSE;
}

static u8 cause_of_end(const struct sock *sk, const struct trail *t, int old,
		       bool *by_task)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	int err = READ_ONCE(sk->sk_err);

	if (t && t->hint == TCPTRAIL_C_RST_IN)
		return old == TCP_SYN_SENT ? TCPTRAIL_C_REFUSED :
					     TCPTRAIL_C_RST_IN;
	if (t && t->hint == TCPTRAIL_C_DATA_AFTER_CLOSE)
		return t->hint;
	/* tcp_time_wait(), and no minisocket appeared */
	if (t && t->hint == TRAIL_HINT_TIME_WAIT)
		return hooks_active(TCPTRAIL_H_TW_NEW) ? TCPTRAIL_C_TW_LIMIT :
							 TCPTRAIL_C_UNKNOWN;
	if ((old == TCP_FIN_WAIT2 || old == TCP_CLOSING) &&
	    (!t || !hooks_active(TCPTRAIL_H_TW_MAKE)))
		return TCPTRAIL_C_UNKNOWN;
	if (err == ECONNABORTED && t && t->hint == TCPTRAIL_C_DESTROYED) {
		*by_task = sock_in_syscall(sk);
		return TCPTRAIL_C_DESTROYED;
	}
	if (old == TCP_LAST_ACK && tp->snd_una == tp->write_seq)
		return TCPTRAIL_C_ACK_OF_FIN;
	/*
	 * Timers that the owner carries out set an error, and RSTs have a hint.
	 * Any other error is an old one that nobody has fetched.
	 */
	if (sock_in_syscall(sk) && !sock_flag(sk, SOCK_DEAD) &&
	    !sk_is_mptcp(sk) &&
	    (!err || (!err_of_timer(sk, err) &&
		      hooks_active(TCPTRAIL_H_RST_IN)))) {
		*by_task = true;
		return sock_in_close(sk) ? cause_close_hard(sk, old) :
					   cause_disconnect(sk, t, old);
	}
	return err ? cause_error(sk, old, err) : cause_done(sk, t, old);
}

static u8 cause_of(const struct sock *sk, const struct trail *t, int old,
		   int new, bool *by_task)
{
	*by_task = false;
	switch (new) {
	case TCP_SYN_SENT:
		*by_task = sock_in_syscall(sk);
		return TCPTRAIL_C_CONNECT;
	case TCP_LISTEN:
		*by_task = sock_in_syscall(sk);
		return TCPTRAIL_C_LISTEN;
	case TCP_SYN_RECV:
		return TCPTRAIL_C_SYN_IN;
	case TCP_ESTABLISHED:
		if (tcp_sk(sk)->repair)
			return TCPTRAIL_C_REPAIR;
		return old == TCP_SYN_SENT ? TCPTRAIL_C_SYNACK_IN :
					     TCPTRAIL_C_ACK_IN;
	case TCP_FIN_WAIT2:
		if (old == TCP_FIN_WAIT1)
			return TCPTRAIL_C_ACK_OF_FIN;
		return cause_fin_out(sk, by_task);
	case TCP_CLOSING:
		if (old == TCP_FIN_WAIT1)
			return TCPTRAIL_C_FIN_IN;
		return cause_fin_out(sk, by_task);
	case TCP_CLOSE_WAIT:
		return TCPTRAIL_C_FIN_IN;
	case TCP_FIN_WAIT1:
	case TCP_LAST_ACK:
		return cause_fin_out(sk, by_task);
	case TCP_CLOSE:
		return cause_of_end(sk, t, old, by_task);
	}
	return TCPTRAIL_C_UNKNOWN;
}

/* ---- the transition ---- */

/* Open the connection of a socket, which gets a trail if it has none. */
static void sock_open(struct trail_op *op, const struct sock *sk, u8 state,
		      u16 flags)
	__acquires(bucket)
{
	trail_open(op, trail_cookie(sk), NULL);
	if (!op->t)
		sock_birth(op, sk, state, flags);
}

/*
 * Leave word why the next step will happen; also for a socket that was there
 * before, which is why its lock must be held: it must not end meanwhile.
 */
static void sock_hint(const struct sock *sk, u8 hint)
{
	struct trail_op op;

	if (sk->sk_state == TCP_CLOSE)
		return;
	sock_open(&op, sk, sk->sk_state, TCPTRAIL_F_LATE);
	if (op.t)
		op.t->hint = hint;
	trail_close(&op);
}

static bool is_birth(int old, int new)
{
	return old == TCP_CLOSE && (new == TCP_SYN_SENT || new == TCP_LISTEN);
}

/* The peer's and our first sequence number, where no hook has told them. */
static void sock_learn_isns(struct trail *t, const struct sock *sk, int new)
{
	const struct tcp_sock *tp = tcp_sk(sk);

	if (new != TCP_ESTABLISHED || tp->repair ||
	    (t->conn.flags & TCPTRAIL_F_LATE))
		return;
	if (!(t->conn.flags & TCPTRAIL_F_IRS)) {
		/* Data in a SYN+ACK comes after this; rcv_nxt is irs + 1. */
		t->irs = tp->rcv_nxt - 1;
		t->conn.flags |= TCPTRAIL_F_IRS;
	}
}

static void sock_note_task(struct trail *t, u8 cause,
			   const struct tcptrail_task *task)
{
	if (cause == TCPTRAIL_C_CONNECT || cause == TCPTRAIL_C_LISTEN)
		t->opener = *task;
	else if (!t->closer.tgid)
		t->closer = *task;
}

/* The step to SYN_SENT, which waited for sock_on_connect(). */
static void sock_tell_connect(struct trail_op *op, const struct sock *sk)
{
	sock_fill_numbers(trail_record(op), sk, op->t, TCP_SYN_SENT);
	trail_tell_first(op);
}

static void sock_connect_step(struct trail_op *op, const struct sock *sk)
{
	if (sock_in_syscall(sk))
		task_fill(&op->t->opener);
	trail_step_later(op, TCP_SYN_SENT, TCPTRAIL_C_CONNECT);
}

static void sock_step(struct trail_op *op, const struct sock *sk, int old,
		      int new)
{
	struct tcptrail_step *rec = trail_record(op);
	unsigned int size = TRAIL_SIZE_FULL;
	bool by_task;
	u8 cause;

	cause = cause_of(sk, op->t, old, new, &by_task);
	sock_fill_numbers(rec, sk, op->t, new);
	if (by_task) {
		task_fill(&rec->task);
		size = TRAIL_SIZE_TASK;
	}
	if (op->t) {
		if (by_task)
			sock_note_task(op->t, cause, &rec->task);
		sock_learn_isns(op->t, sk, new);
		if (sk_is_mptcp(sk))
			op->t->conn.flags |= TCPTRAIL_F_MPTCP;
		if (!op->t->conn.sport)
			sock_fill_addr(&op->t->conn, sk);
		if (new == TCP_CLOSE &&
		    (!by_task || cause == TCPTRAIL_C_DESTROYED))
			op->t->conn.err = READ_ONCE(sk->sk_err);
	}
	trail_step(op, new, cause, size);
}

static bool sock_in_handshake(const struct trail *t)
{
	return t->state == TCP_NEW_SYN_RECV || t->state == TCP_SYN_RECV;
}

/* X->CLOSE of one of possibly several objects of a connection. */
static void sock_close_step(struct trail_op *op, const struct sock *sk, int old)
{
	struct trail *t = op->t;

	/* connect() failed before it came to the SYN. */
	if (trail_is_untold(op))
		sock_tell_connect(op, sk);
	/* A child that was never born: tcp_v4_syn_recv_sock() failed early. */
	if (t && old == TCP_SYN_RECV && !t->full)
		return;
	/* tcp_time_wait(): a minisocket goes on, this is not the end. */
	if (t && (t->conn.flags & TCPTRAIL_F_MINI)) {
		trail_put_object(op, TCPTRAIL_O_FULL);
		return;
	}
	/* Another child of the same request went on. */
	if (t && old == TCP_SYN_RECV &&
	    (t->full > 1 || !sock_in_handshake(t))) {
		trail_event(op, TCPTRAIL_C_LOST_RACE, TRAIL_SIZE_MINI);
		trail_put_object(op, TCPTRAIL_O_FULL);
		return;
	}
	sock_step(op, sk, old, TCP_CLOSE);
	if (t)
		trail_put_object(op, TCPTRAIL_O_FULL);
}

/* Tracepoint inet_sock_set_state: every transition of a full socket. */
void sock_on_set_state(void *data, const struct sock *sk, const int old,
		       const int new)
{
	struct trail_op op;

	if (!trail_is_armed() || !sock_is_tcp(sk))
		return;
	/*
	 * The birth of a child. Before 7.2 it still carries the listener's
	 * identity here; sock_on_child() sees it a moment later on all kernels.
	 */
	if (old == TCP_LISTEN && new == TCP_SYN_RECV)
		return;
	if (old == TCP_CLOSE && new == TCP_CLOSE)
		return;

	sock_open(&op, sk, old, is_birth(old, new) ? 0 : TCPTRAIL_F_LATE);
	if (new == TCP_SYN_SENT && op.t && hooks_active(TCPTRAIL_H_SYN_OUT) &&
	    !tcp_sk(sk)->fastopen_connect)
		sock_connect_step(&op, sk);
	else if (new == TCP_CLOSE)
		sock_close_step(&op, sk, old);
	else
		sock_step(&op, sk, old, new);
	trail_close(&op);
}

/* ---- births and ends that the tracepoint does not tell ---- */

/*
 * inet_ehash_nolisten(sk, osk, ...), with @sk in SYN_RECV: a child, complete
 * with addresses and cookie. @osk is its request; NULL if that was never in
 * the table (Fast Open, SYN cookie).
 */
void sock_on_child(struct sock *sk, const struct sock *osk)
{
	bool known = trail_peek_cookie(sk);
	u8 cause = TCPTRAIL_C_FASTOPEN;
	u16 flags = TCPTRAIL_F_FASTOPEN;
	struct trail_op op;

	if (!trail_is_armed() || !sock_is_tcp(sk) ||
	    sk->sk_state != TCP_SYN_RECV)
		return;
	trail_open(&op, trail_cookie(sk), NULL);
	if (op.t) {
		trail_add_full(&op);
		goto out;
	}
	if (osk) {
		cause = TCPTRAIL_C_ACK_IN;
		flags = TCPTRAIL_F_LATE;
	} else if (!hooks_active(TCPTRAIL_H_REQ_COOKIE)) {
		cause = TCPTRAIL_C_UNKNOWN;
		flags = 0;
	} else if (known) {
		/* From its request, which found no room for a trail. */
		cause = TCPTRAIL_C_SYNCOOKIE;
		flags = TCPTRAIL_F_SYNCOOKIE;
	}
	sock_birth(&op, sk, osk ? TCP_NEW_SYN_RECV : TCP_LISTEN,
		   flags | TCPTRAIL_F_PASSIVE);
	if (op.t) {
		op.t->iss = tcp_sk(sk)->snd_una - 1;
		op.t->irs = tcp_sk(sk)->rcv_nxt - 1;
		op.t->conn.flags |= TCPTRAIL_F_ISS | TCPTRAIL_F_IRS;
	}
	sock_fill_numbers(trail_record(&op), sk, op.t, TCP_SYN_RECV);
	trail_step(&op, TCP_SYN_RECV, cause, TRAIL_SIZE_FULL);
out:
	trail_close(&op);
}

/*
 * tcp_connect(sk): the SYN is about to go out. Only now are the local port and
 * the first sequence number chosen, so the step to SYN_SENT is told here.
 */
void sock_on_connect(struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	struct trail_op op;

	if (!trail_is_armed() || !sock_is_tcp(sk))
		return;
	trail_open(&op, trail_cookie(sk), NULL);
	if (op.t) {
		sock_fill_addr(&op.t->conn, sk);
		/* TCP_REPAIR sends none. */
		if (!tp->repair) {
			op.t->iss = tp->write_seq;
			op.t->conn.flags |= TCPTRAIL_F_ISS;
		}
		if (trail_is_untold(&op))
			sock_tell_connect(&op, sk);
		else
			trail_event(&op, TCPTRAIL_C_SYN_OUT, TRAIL_SIZE_MINI);
	}
	trail_close(&op);
}

/*
 * security_sock_graft(sk, parent): accept() gives the child a file. Runs in
 * the accepting task. The state is what it was.
 */
void sock_on_graft(struct sock *sk)
{
	struct tcptrail_step *rec;
	struct trail_op op;
	struct trail *t;

	if (!trail_is_armed() || !sock_is_tcp(sk))
		return;
	if (sk->sk_state != TCP_CLOSE) {
		sock_open(&op, sk, sk->sk_state, TCPTRAIL_F_LATE);
	} else {
		/* Closed while it waited: its trail has ended, or will now. */
		trail_open(&op, trail_cookie(sk), NULL);
		if (!op.t)
			sock_stranger(&op, sk);
	}
	t = op.t;
	rec = trail_record(&op);
	sock_fill_numbers(rec, sk, t, sk->sk_state);
	memset(&rec->task, 0, sizeof(rec->task));
	if (sock_in_syscall(sk))
		task_fill(&rec->task);
	if (t) {
		t->conn.flags |= TCPTRAIL_F_PASSIVE | TCPTRAIL_F_ACCEPTED;
		t->opener = rec->task;
	}
	if (t || sk->sk_state != TCP_CLOSE)
		trail_step(&op, t ? t->state : sk->sk_state, TCPTRAIL_C_ACCEPT,
			   TRAIL_SIZE_TASK);
	else
		trail_event(&op, TCPTRAIL_C_ACCEPT, TRAIL_SIZE_TASK);
	trail_close(&op);
}

/*
 * tcp_time_wait(sk, state, timeo): a minisocket is going to take over. If none
 * appears before X->CLOSE, there was no room for it.
 */
void sock_on_time_wait(struct sock *sk)
{
	if (!trail_is_armed() || !sock_is_tcp(sk))
		return;
	/* The minisocket inherits the cookie, so it must exist now. */
	sock_hint(sk, TRAIL_HINT_TIME_WAIT);
}

/* ---- reasons ---- */

/*
 * tcp_reset(sk, skb): a RST came; or data for a socket that has been closed,
 * which is answered by one.
 */
void sock_on_reset(struct sock *sk, const struct sk_buff *skb)
{
	if (trail_is_armed() && sock_is_tcp(sk))
		sock_hint(sk, !skb || tcp_hdr(skb)->rst ?
				      TCPTRAIL_C_RST_IN :
				      TCPTRAIL_C_DATA_AFTER_CLOSE);
}

/* tcp_abort(sk, err): SOCK_DESTROY of any of the three kinds of sockets */
void sock_on_abort(struct sock *sk)
{
	int state = inet_sk_state_load(sk);
	struct trail_op op;

	if (!trail_is_armed())
		return;
	if (state == TCP_TIME_WAIT) {
		timewait_on_abort(inet_twsk(sk));
		return;
	}
	if (state != TCP_NEW_SYN_RECV && !sock_is_tcp(sk))
		return;
	/* Nothing is locked yet, it may be over: no trail is made. */
	trail_open(&op, trail_peek_cookie(sk), NULL);
	if (op.t)
		op.t->hint = TCPTRAIL_C_DESTROYED;
	trail_close(&op);
}

/*
 * Tracepoint tcp_send_reset: we reset the peer. Often after X->CLOSE, when the
 * trail has ended; the cookie still tells whose it is.
 */
COMPAT_SEND_RESET(sock_on_send_reset)
{
	struct trail_op op;

	if (!trail_is_armed() || !sk || !sk_fullsock(sk) || !sock_is_tcp(sk) ||
	    sk->sk_state == TCP_LISTEN || !trail_peek_cookie(sk))
		return;
	trail_open(&op, trail_peek_cookie(sk), NULL);
	if (op.t) {
		/* SOCK_DESTROY sends one, too. */
		if (!op.t->hint)
			op.t->hint = TCPTRAIL_C_RST_OUT;
	} else {
		sock_stranger(&op, sk);
	}
	trail_record(&op)->reason = compat_rst_reason;
	trail_event(&op, TCPTRAIL_C_RST_OUT, TRAIL_SIZE_MINI);
	trail_close(&op);
}
