// SPDX-License-Identifier: GPL-2.0
/* Full sockets: their births, transitions and ends. */
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <net/inet_connection_sock.h>
#include <net/net_namespace.h>
#include <net/tcp.h>
#include <net/tcp_states.h>

#include "compat.h"
#include "hooks.h"
#include "sock.h"

static_assert(TCPTRAIL_ESTABLISHED == TCP_ESTABLISHED);
static_assert(TCPTRAIL_LISTEN == TCP_LISTEN);
static_assert(TCPTRAIL_NEW_SYN_RECV == TCP_NEW_SYN_RECV);

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
static __always_inline void sock_birth(struct trail_op *op,
				       const struct sock *sk, u8 state,
				       u16 flags)
{
	flags |= conn_family(sk->sk_family);
	sock_fill_addr(trail_birth(op, trail_peek_cookie(sk), sock_net(sk),
				   state, TCPTRAIL_O_FULL, flags), sk);
}

/* Its trail has ended, but there is something to tell. */
static __always_inline void sock_stranger(struct trail_op *op,
					  const struct sock *sk)
{
	sock_fill_addr(trail_stranger(op, trail_peek_cookie(sk), sock_net(sk),
				      sk->sk_state,
				      conn_family(sk->sk_family)), sk);
}

/* ---- the transition ---- */

/* Lock the connection of a socket, which gets a trail if it has none. */
static __always_inline void sock_peek(struct trail_op *op,
				      const struct sock *sk, u8 state,
				      u16 flags)
	__acquires(bitlock)
{
	trail_peek(op, trail_cookie(sk), NULL);
	if (!op->t) {
		trail_read_clock(op);
		sock_birth(op, sk, state, flags);
	}
}

/*
 * Leave word why the next step will happen; also for a socket that was there
 * before, which is why its lock must be held: it must not end meanwhile.
 */
static void sock_hint(const struct sock *sk, u8 hint)
{
	struct trail_op op = {};

	if (sk->sk_state == TCP_CLOSE)
		return;
	sock_peek(&op, sk, sk->sk_state, TCPTRAIL_F_LATE);
	if (op.t)
		op.t->hint = hint;
	trail_close(&op);
}

static bool is_birth(int old, int new)
{
	return old == TCP_CLOSE && (new == TCP_SYN_SENT || new == TCP_LISTEN);
}

/* The peer's first sequence number, where no hook has told it. */
static void sock_learn_irs(struct trail *t, const struct sock *sk)
{
	if (t->conn.flags & (TCPTRAIL_F_IRS | TCPTRAIL_F_LATE) ||
	    tcp_sk(sk)->repair)
		return;
	/* Data in a SYN+ACK comes after this; rcv_nxt is irs + 1. */
	t->irs = tcp_sk(sk)->rcv_nxt - 1;
	t->conn.flags |= TCPTRAIL_F_IRS;
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
static __always_inline void sock_tell_connect(struct trail_op *op,
					      const struct sock *sk)
{
	sock_fill_numbers(trail_record(op), sk, op->t, TCP_SYN_SENT);
	trail_tell_first(op);
}

static __always_inline void sock_connect_step(struct trail_op *op,
					      const struct sock *sk)
{
	if (sock_in_syscall(sk))
		task_fill(&op->t->opener);
	trail_step_later(op, TCP_SYN_SENT, TCPTRAIL_C_CONNECT);
}

/* What the trail learns from a step. */
static void sock_learn(struct trail *t, const struct sock *sk, int new,
		       struct cause cause, const struct tcptrail_task *task)
{
	if (cause.by_task)
		sock_note_task(t, cause.why, task);
	if (new == TCP_ESTABLISHED)
		sock_learn_irs(t, sk);
	if (sk_is_mptcp(sk))
		t->conn.flags |= TCPTRAIL_F_MPTCP;
	if (!t->conn.sport)
		sock_fill_addr(&t->conn, sk);
	if (new == TCP_CLOSE &&
	    (!cause.by_task || cause.why == TCPTRAIL_C_DESTROYED))
		t->conn.err = READ_ONCE(sk->sk_err);
}

static __always_inline void sock_step(struct trail_op *op,
				      const struct sock *sk, int old, int new,
				      u8 word)
{
	struct tcptrail_step *rec = trail_record(op);
	struct cause cause = cause_of(sk, op->t, old, new, word);
	unsigned int size = TRAIL_SIZE_FULL;

	sock_fill_numbers(rec, sk, op->t, new);
	if (cause.by_task) {
		task_fill(&rec->task);
		size = TRAIL_SIZE_TASK;
	}
	if (op->t)
		sock_learn(op->t, sk, new, cause, &rec->task);
	trail_step(op, new, cause.why, size);
}

static bool sock_in_handshake(const struct trail *t)
{
	return t->state == TCP_NEW_SYN_RECV || t->state == TCP_SYN_RECV;
}

/*
 * tcp_time_wait() has left the connection to a minisocket: X->CLOSE is not its
 * end, unless the minisocket has ended already.
 */
static __always_inline bool sock_left_to_mini(struct trail_op *op, int old)
{
	struct trail *t = op->t;

	if (!t || !(t->conn.flags & TCPTRAIL_F_MINI) || old == TCP_SYN_RECV)
		return false;
	if (!(t->objects & TCPTRAIL_O_MINI))
		trail_read_clock(op);
	trail_put_object(op, TCPTRAIL_O_FULL);
	return true;
}

/*
 * X->CLOSE of one of possibly several objects of a connection. Is it a step of
 * the connection, after which the object is gone? If not, all is done.
 */
static __always_inline bool sock_close_is_step(struct trail_op *op,
					       const struct sock *sk, int old)
{
	struct trail *t = op->t;

	if (!t)
		return true;
	/* connect() failed before it came to the SYN. */
	if (trail_is_untold(op))
		sock_tell_connect(op, sk);
	if (old != TCP_SYN_RECV)
		return true;
	/* A child that was never born: tcp_v4_syn_recv_sock() failed early. */
	if (!t->full)
		return false;
	if (t->full == 1 && sock_in_handshake(t))
		return true;
	/* Another child of the same request went on, or is gone already. */
	if (!(t->conn.flags & TCPTRAIL_F_MINI))
		trail_event(op, TCPTRAIL_C_LOST_RACE, TRAIL_SIZE_MINI);
	trail_put_object(op, TCPTRAIL_O_FULL);
	return false;
}

/* Tracepoint inet_sock_set_state: every transition of a full socket. */
static void sock_on_set_state(void *data, const struct sock *sk,
			      const int old, const int new)
{
	struct trail_op op = {};
	u8 word = 0;

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

	trail_peek(&op, trail_cookie(sk), NULL);
	if (new == TCP_CLOSE && sock_left_to_mini(&op, old))
		goto out;
	trail_read_clock(&op);
	if (!op.t)
		sock_birth(&op, sk, old,
			   is_birth(old, new) ? 0 : TCPTRAIL_F_LATE);
	if (new == TCP_SYN_SENT && op.t && hooks_active(TCPTRAIL_H_SYN_OUT) &&
	    !tcp_sk(sk)->fastopen_connect) {
		sock_connect_step(&op, sk);
		goto out;
	}
	if (new == TCP_CLOSE) {
		word = hint_take(trail_peek_cookie(sk));
		if (!sock_close_is_step(&op, sk, old))
			goto out;
	}
	sock_step(&op, sk, old, new, word);
	if (new == TCP_CLOSE && op.t)
		trail_put_object(&op, TCPTRAIL_O_FULL);
out:
	trail_close(&op);
}

/* ---- births and ends that the tracepoint does not tell ---- */

/*
 * inet_ehash_nolisten(sk, osk, ...), with @sk in SYN_RECV: a child, complete
 * with addresses and cookie. @osk is its request; NULL if that was never in
 * the table (Fast Open, SYN cookie).
 */
static void sock_on_child(struct sock *sk, const struct sock *osk)
{
	bool known = trail_peek_cookie(sk);
	u8 cause = TCPTRAIL_C_FASTOPEN;
	u16 flags = TCPTRAIL_F_FASTOPEN;
	struct trail_op op = {};

	if (!trail_is_armed() || !sock_is_tcp(sk) ||
	    sk->sk_state != TCP_SYN_RECV)
		return;
	trail_peek(&op, trail_cookie(sk), NULL);
	if (op.t) {
		trail_add_full(&op);
		goto out;
	}
	trail_read_clock(&op);
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
static void sock_on_connect(struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	struct trail_op op = {};

	if (!trail_is_armed() || !sock_is_tcp(sk))
		return;
	trail_peek(&op, trail_cookie(sk), NULL);
	if (op.t) {
		sock_fill_addr(&op.t->conn, sk);
		/* TCP_REPAIR sends none. */
		if (!tp->repair) {
			op.t->iss = tp->write_seq;
			op.t->conn.flags |= TCPTRAIL_F_ISS;
		}
		if (trail_is_untold(&op)) {
			sock_tell_connect(&op, sk);
		} else {
			trail_read_clock(&op);
			trail_event(&op, TCPTRAIL_C_SYN_OUT, TRAIL_SIZE_MINI);
		}
	}
	trail_close(&op);
}

/*
 * security_sock_graft(sk, parent): accept() gives the child a file. Runs in
 * the accepting task. The state is what it was.
 */
static void sock_on_graft(struct sock *sk)
{
	struct tcptrail_step *rec;
	struct trail_op op = {};
	struct trail *t;

	if (!trail_is_armed() || !sock_is_tcp(sk))
		return;
	if (sk->sk_state != TCP_CLOSE) {
		sock_peek(&op, sk, sk->sk_state, TCPTRAIL_F_LATE);
	} else {
		/* Closed while it waited: its trail has ended, or will now. */
		trail_peek(&op, trail_cookie(sk), NULL);
		if (!op.t)
			sock_stranger(&op, sk);
	}
	trail_read_clock(&op);
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
static void sock_on_time_wait(struct sock *sk)
{
	if (!trail_is_armed() || !sock_is_tcp(sk))
		return;
	/* The minisocket inherits the cookie, so it must exist now. */
	if (!hint_leave(trail_cookie(sk), TRAIL_HINT_TIME_WAIT))
		sock_hint(sk, TRAIL_HINT_TIME_WAIT);
}

/* ---- reasons ---- */

/*
 * tcp_reset(sk): a RST came; or data for a socket that has been closed,
 * which is answered by one.
 */
static void sock_on_reset(struct sock *sk, bool by_rst)
{
	u8 hint = by_rst ? TCPTRAIL_C_RST_IN : TCPTRAIL_C_DATA_AFTER_CLOSE;

	if (!trail_is_armed() || !sock_is_tcp(sk) || sk->sk_state == TCP_CLOSE)
		return;
	if (!hint_leave(trail_cookie(sk), hint))
		sock_hint(sk, hint);
}

/* tcp_abort(sk, err): SOCK_DESTROY of any of the three kinds of sockets */
static void sock_on_abort(struct sock *sk)
{
	int state = inet_sk_state_load(sk);
	struct trail_op op = {};

	if (!trail_is_armed())
		return;
	if (state == TCP_TIME_WAIT) {
		timewait_on_abort(inet_twsk(sk));
		return;
	}
	if (state != TCP_NEW_SYN_RECV && !sock_is_tcp(sk))
		return;
	/* Nothing is locked yet, it may be over: no trail is made. */
	trail_peek(&op, trail_peek_cookie(sk), NULL);
	if (op.t)
		op.t->hint = TCPTRAIL_C_DESTROYED;
	trail_close(&op);
}

/*
 * Tracepoint tcp_send_reset: we reset the peer. Often after X->CLOSE, when the
 * trail has ended; the cookie still tells whose it is.
 */
static COMPAT_SEND_RESET(sock_on_send_reset)
{
	struct trail_op op = {};

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
