// SPDX-License-Identifier: GPL-2.0
/*
 * Minisockets: requests (from the SYN to accept()) and what is left of a
 * connection in TIME_WAIT or, after close(), in FIN_WAIT2. None of it shows
 * at the tracepoint.
 */
#include <linux/tcp.h>
#include <net/inet_connection_sock.h>
#include <net/inet_sock.h>
#include <net/inet_timewait_sock.h>
#include <net/net_namespace.h>
#include <net/request_sock.h>
#include <net/tcp.h>
#include <net/tcp_states.h>

#include "hooks.h"
#include "sock.h"

/* ---- requests ---- */

static const struct sock *req_sk(const struct request_sock *req)
{
	return (const struct sock *)req;
}

/* A request that has no trail so far gets one. */
static __always_inline void request_trail(struct trail_op *op,
					  const struct request_sock *req,
					  u8 state, u16 flags)
{
	const struct inet_request_sock *ireq = inet_rsk(req);
	struct tcptrail_conn *conn;

	conn = trail_birth(op, trail_peek_cookie(req_sk(req)),
			   read_pnet(&ireq->ireq_net), state,
			   TCPTRAIL_O_REQUEST, flags | TCPTRAIL_F_PASSIVE |
			   conn_family(ireq->ireq_family));
	if (ireq->ireq_family == AF_INET6) {
		memcpy(conn->saddr, &ireq->ir_v6_loc_addr, sizeof(conn->saddr));
		memcpy(conn->daddr, &ireq->ir_v6_rmt_addr, sizeof(conn->daddr));
	} else {
		conn_set_v4(conn->saddr, ireq->ir_loc_addr);
		conn_set_v4(conn->daddr, ireq->ir_rmt_addr);
	}
	conn->sport = ireq->ir_num;
	conn->dport = ntohs(ireq->ir_rmt_port);
	conn->ifindex = ireq->ir_iif;
}

static void request_birth(const struct sock *listener, struct request_sock *req,
			  u8 cause, u16 flags)
{
	const struct tcp_request_sock *treq = tcp_rsk(req);
	struct trail_op op = {};

	trail_open(&op, trail_cookie(req_sk(req)), NULL);
	request_trail(&op, req, TCP_LISTEN, flags);
	if (op.t) {
		op.t->iss = treq->snt_isn;
		op.t->irs = treq->rcv_isn;
		op.t->conn.flags |= TCPTRAIL_F_ISS | TCPTRAIL_F_IRS;
	}
	trail_record(&op)->listener = trail_cookie(listener);
	trail_step(&op, TCP_NEW_SYN_RECV, cause, TRAIL_SIZE_MINI);
	/* A syncookie's request is freed at once if no child can be made. */
	if (op.t && cause == TCPTRAIL_C_SYNCOOKIE && sk_acceptq_is_full(listener))
		op.t->hint = TCPTRAIL_C_ACCEPTQ_FULL;
	trail_close(&op);
}

static bool listener_defers(const struct sock *listener)
{
	return READ_ONCE(inet_csk(listener)->icsk_accept_queue.rskq_defer_accept);
}

/* inet_csk_reqsk_queue_hash_add(listener, req, ...): a SYN was accepted. */
static void request_on_new(const struct sock *listener, struct request_sock *req)
{
	if (trail_is_armed() && listener->sk_protocol == IPPROTO_TCP)
		request_birth(listener, req, TCPTRAIL_C_SYN_IN,
			      listener_defers(listener) ? TCPTRAIL_F_DEFER : 0);
}

/*
 * tcp_get_cookie_sock(listener, skb, req, ...): an ACK with a valid SYN cookie
 * brought back the request that was not kept.
 */
static void request_on_cookie(const struct sock *listener, struct request_sock *req)
{
	if (trail_is_armed() && listener->sk_protocol == IPPROTO_TCP)
		request_birth(listener, req, TCPTRAIL_C_SYNCOOKIE,
			      TCPTRAIL_F_SYNCOOKIE);
}

static u8 request_drop_cause(const struct sock *listener,
			     const struct request_sock *req, bool from_timer)
{
	if (inet_sk_state_load(listener) != TCP_LISTEN)
		return TCPTRAIL_C_LISTENER_CLOSED;
	if (from_timer)
		return inet_rsk(req)->acked && !listener_defers(listener) ?
			       TCPTRAIL_C_ACCEPTQ_FULL :
			       TCPTRAIL_C_SYNACK_TIMEOUT;
	/* tcp_check_req(): listen_overflow, or else embryonic_reset */
	if (READ_ONCE(sock_net(listener)->ipv4.sysctl_tcp_abort_on_overflow) &&
	    sk_acceptq_is_full(listener))
		return TCPTRAIL_C_ACCEPTQ_FULL;
	return TCPTRAIL_C_REQ_RESET;
}

static noinline void request_leave_cause(const struct sock *listener,
					 struct request_sock *req,
					 bool from_timer)
{
	struct trail_op op = {};

	trail_peek(&op, trail_cookie(req_sk(req)), NULL);
	/* The timer owns it, so its end is still to come. */
	if (!op.t && from_timer) {
		trail_read_clock(&op);
		request_trail(&op, req, TCP_NEW_SYN_RECV, TCPTRAIL_F_LATE);
	}
	if (op.t && (op.t->objects & TCPTRAIL_O_REQUEST) && !op.t->hint)
		op.t->hint = request_drop_cause(listener, req, from_timer);
	trail_close(&op);
}

/*
 * __inet_csk_reqsk_queue_drop(listener, req, from_timer): only a reason. It
 * is also called when the child has been made, and when nothing is left to
 * unlink; tcp_req_err() and tcp_abort() call it, too, and left word before.
 */
static void request_on_drop(const struct sock *listener,
			    struct request_sock *req, bool from_timer)
{
	if (!trail_is_armed() || listener->sk_protocol != IPPROTO_TCP ||
	    !hooks_active(TCPTRAIL_H_REQ_NEW))
		return;
	/* The child has taken its place in the table: that is no end. */
	if (from_timer || !sk_unhashed(req_sk(req)))
		request_leave_cause(listener, req, from_timer);
}

/* tcp_req_err(sk, seq, abort): an ICMP error about a request */
static void request_on_icmp(struct sock *sk, u32 seq, bool abort)
{
	struct trail_op op = {};

	if (!trail_is_armed() || !abort ||
	    seq != tcp_rsk(inet_reqsk(sk))->snt_isn)
		return;
	trail_peek(&op, trail_peek_cookie(sk), NULL);
	if (op.t)
		op.t->hint = TCPTRAIL_C_UNREACHABLE;
	trail_close(&op);
}

static u8 request_end_cause(const struct request_sock *req,
			    const struct trail *t)
{
	if (!check_net(read_pnet(&inet_rsk(req)->ireq_net)))
		return TCPTRAIL_C_NETNS_EXIT;
	return t->hint;
}

/*
 * Is this the old one of a request that reuseport has moved to another
 * listener (tcp_migrate_req)? Its clone has the same cookie and goes on.
 */
static bool request_moved(const struct request_sock *req,
			  const struct trail *t)
{
	return !t->hint && req->rsk_listener &&
	       inet_sk_state_load(req->rsk_listener) != TCP_LISTEN &&
	       check_net(read_pnet(&inet_rsk(req)->ireq_net));
}

static noinline void request_end(struct request_sock *req, u64 cookie)
{
	struct trail_op op = {};

	trail_open(&op, cookie, NULL);
	if (op.t && (op.t->objects & TCPTRAIL_O_REQUEST) &&
	    !request_moved(req, op.t)) {
		trail_step(&op, TCP_CLOSE, request_end_cause(req, op.t),
			   TRAIL_SIZE_MINI);
		trail_put_object(&op, TCPTRAIL_O_REQUEST);
	}
	trail_close(&op);
}

/*
 * tcp_v4_reqsk_destructor(req), tcp_v6_...: it is gone. One that has a child
 * was only kept until accept().
 */
static void request_on_free(struct request_sock *req)
{
	u64 cookie = trail_peek_cookie(req_sk(req));

	if (cookie && !req->sk && trail_is_armed())
		request_end(req, cookie);
}

/*
 * Tracepoint tcp_retransmit_synack: the SYN+ACK goes out again. @sk is the
 * listener or, for Fast Open, the child.
 */
static void request_on_rtx(void *data, const struct sock *sk,
			   const struct request_sock *req)
{
	bool fastopen = tcp_rsk(req)->tfo_listener;
	const struct sock *id = fastopen ? sk : req_sk(req);
	struct trail_op op = {};

	if (!trail_is_armed() || sk->sk_protocol != IPPROTO_TCP)
		return;
	trail_open(&op, trail_peek_cookie(id), NULL);
	if (op.t) {
		if (op.t->synack_rtx < U8_MAX)
			op.t->synack_rtx++;
		trail_record(&op)->count = op.t->synack_rtx;
		if (!fastopen && inet_rsk(req)->acked)
			op.t->conn.flags |= TCPTRAIL_F_REQ_ACKED;
		if (!fastopen && listener_defers(sk))
			op.t->conn.flags |= TCPTRAIL_F_DEFER;
		trail_event(&op, TCPTRAIL_C_SYNACK_RTX, TRAIL_SIZE_MINI);
	}
	trail_close(&op);
}

/* ---- TIME_WAIT and closed FIN_WAIT2 ---- */

static const struct sock *tw_sk(const struct inet_timewait_sock *tw)
{
	return (const struct sock *)tw;
}

/* A minisocket that has no trail so far gets one. */
static __always_inline void timewait_trail(struct trail_op *op,
					   const struct inet_timewait_sock *tw,
					   u8 state, u8 object, u16 flags)
{
	struct tcptrail_conn *conn;

	conn = trail_birth(op, trail_peek_cookie(tw_sk(tw)), twsk_net(tw),
			   state, object, flags | TCPTRAIL_F_LATE |
			   conn_family(tw->tw_family));
	conn_set_v4(conn->saddr, tw->tw_rcv_saddr);
	conn_set_v4(conn->daddr, tw->tw_daddr);
	if (tw->tw_family == AF_INET6) {
		memcpy(conn->saddr, &tw->tw_v6_rcv_saddr, sizeof(conn->saddr));
		memcpy(conn->daddr, &tw->tw_v6_daddr, sizeof(conn->daddr));
	}
	conn->sport = ntohs(tw->tw_sport);
	conn->dport = ntohs(tw->tw_dport);
	conn->ifindex = tw->tw_bound_dev_if;
}

static bool timewait_is_tcp(const struct inet_timewait_sock *tw)
{
	return tw->tw_dr == compat_tcp_death_row(twsk_net(tw));
}

/*
 * Lock the connection of a minisocket; one that nobody has recorded so far
 * gets a late trail. Once its timer is not pending any more only the timer
 * itself (or whoever stopped it) ends it, which may have happened: @ending
 * says that the caller is that one.
 */
static __always_inline void timewait_peek(struct trail_op *op,
					  const struct inet_timewait_sock *tw,
					  bool ending)
	__acquires(bitlock)
{
	trail_peek(op, trail_cookie(tw_sk(tw)), tw);
	if (op->t || !(ending || timer_pending(&tw->tw_timer)))
		return;
	trail_read_clock(op);
	timewait_trail(op, tw, READ_ONCE(tw->tw_substate), TCPTRAIL_O_MINI,
		       TCPTRAIL_F_MINI);
	if (op->t)
		op->t->mini = tw;
}

/*
 * Did the FIN come in the segment that acknowledged ours? tcp_clock_cache is
 * the time at which the stack began with this segment; if the step to
 * FIN_WAIT2 is not older, it is part of the same.
 */
static bool fin_came_with_ack(const struct trail *t, const struct sock *sk)
{
	u64 began;

	if (t->state != TCP_FIN_WAIT2 || !t->nsteps ||
	    t->nsteps > TCPTRAIL_STEPS)
		return false;
	began = ktime_to_ns(ktime_mono_to_any(tcp_sk(sk)->tcp_clock_cache,
					      TK_OFFS_BOOT));
	return TCPTRAIL_PACK_CAUSE(t->steps[t->nsteps - 1]) ==
	       TCPTRAIL_C_ACK_OF_FIN &&
	       t->conn.birth_ns +
	       TCPTRAIL_PACK_NS(t->steps[t->nsteps - 1]) >= began;
}

static u8 timewait_cause(const struct trail *t, const struct sock *sk)
{
	if (t->state == TCP_CLOSING)
		return TCPTRAIL_C_ACK_OF_FIN;
	return fin_came_with_ack(t, sk) ? TCPTRAIL_C_FIN_ACK_IN :
					  TCPTRAIL_C_FIN_IN;
}

/*
 * inet_twsk_hashdance[_schedule](tw, sk, ...): the minisocket takes over from
 * the full socket, whose X->CLOSE follows and means nothing.
 */
static void timewait_on_new(struct inet_timewait_sock *tw, const struct sock *sk)
{
	struct trail_op op = {};

	if (!trail_is_armed() || sk->sk_protocol != IPPROTO_TCP)
		return;
	trail_open(&op, trail_cookie(sk), NULL);
	/* Here it is: sock_on_time_wait() need not be remembered. */
	hint_take(trail_peek_cookie(sk));
	if (!op.t)
		timewait_trail(&op, tw, sk->sk_state, TCPTRAIL_O_FULL, 0);
	if (op.t) {
		op.t->objects |= TCPTRAIL_O_MINI;
		op.t->mini = tw;
		op.t->conn.flags |= TCPTRAIL_F_MINI;
		op.t->hint = TCPTRAIL_C_UNKNOWN;
	}
	if (READ_ONCE(tw->tw_substate) == TCP_TIME_WAIT) {
		sock_fill_numbers(trail_record(&op), sk, op.t, TCP_TIME_WAIT);
		trail_step(&op, TCP_TIME_WAIT, op.t ? timewait_cause(op.t, sk) :
			   TCPTRAIL_C_UNKNOWN, TRAIL_SIZE_FULL);
	}
	trail_close(&op);
}

/*
 * __inet_twsk_schedule(tw, timeo, rearm): with @rearm either the FIN came in
 * FIN_WAIT2, or a repeated FIN restarts 2MSL (RFC 9293, 3.10.7.4).
 */
static void timewait_on_schedule(struct inet_timewait_sock *tw, bool rearm)
{
	struct trail_op op = {};

	if (!trail_is_armed() || !rearm || !timewait_is_tcp(tw) ||
	    READ_ONCE(tw->tw_substate) != TCP_TIME_WAIT)
		return;
	timewait_peek(&op, tw, false);
	if (!op.t)
		goto out;
	trail_read_clock(&op);
	if (op.t->state == TCP_TIME_WAIT) {
		if (op.t->tw_restarts < U8_MAX)
			op.t->tw_restarts++;
		trail_record(&op)->count = op.t->tw_restarts;
		trail_event(&op, TCPTRAIL_C_TW_RESTART, TRAIL_SIZE_MINI);
	} else {
		trail_step(&op, TCP_TIME_WAIT, TCPTRAIL_C_FIN_IN,
			   TRAIL_SIZE_MINI);
	}
out:
	trail_close(&op);
}

/* Leave word why it will end. If the timer has fired that is the reason. */
static void timewait_hint(const struct inet_timewait_sock *tw, u8 hint,
			  bool by_timer)
{
	struct trail_op op = {};

	if (!trail_is_armed() || !timewait_is_tcp(tw) ||
	    !hooks_active(TCPTRAIL_H_TW_KILL))
		return;
	timewait_peek(&op, tw, by_timer);
	if (op.t && (by_timer || timer_pending(&tw->tw_timer)))
		op.t->hint = hint;
	trail_close(&op);
}

/*
 * tcp_timewait_state_process(tw, skb, th, ...): a segment; if it ends the
 * minisocket, this is why.
 */
static void timewait_on_segment(struct inet_timewait_sock *tw, const struct tcphdr *th)
{
	u8 hint = TCPTRAIL_C_DATA_AFTER_CLOSE;

	if (th->rst)
		hint = READ_ONCE(tw->tw_substate) == TCP_TIME_WAIT ?
			       TCPTRAIL_C_TW_RST :
			       TCPTRAIL_C_RST_IN;
	else if (th->syn)
		hint = TCPTRAIL_C_TW_NEW_SYN;
	timewait_hint(tw, hint, false);
}

/* tcp_twsk_unique(sk, sktw, twp): connect() wants the port of a TIME_WAIT. */
static void timewait_on_reuse(struct inet_timewait_sock *tw)
{
	timewait_hint(tw, TCPTRAIL_C_TW_REUSED, false);
}

/* tcp_abort(sk, err): SOCK_DESTROY of a minisocket */
static void timewait_on_abort(struct inet_timewait_sock *tw)
{
	timewait_hint(tw, TCPTRAIL_C_DESTROYED, false);
}

/* tw_timer_handler(): it has lasted its time. */
static void timewait_on_expire(struct inet_timewait_sock *tw)
{
	u8 hint = READ_ONCE(tw->tw_substate) == TCP_TIME_WAIT ?
			  TCPTRAIL_C_TW_EXPIRED : TCPTRAIL_C_FIN_WAIT2_TIMEOUT;

	if (trail_is_armed() && timewait_is_tcp(tw) &&
	    !hint_leave(trail_cookie(tw_sk(tw)), hint))
		timewait_hint(tw, hint, true);
}

/* inet_twsk_kill(tw): it is gone, once and for all. */
static void timewait_on_kill(struct inet_timewait_sock *tw)
{
	struct trail_op op = {};
	u8 cause;

	if (!trail_is_armed() || !timewait_is_tcp(tw))
		return;
	timewait_peek(&op, tw, true);
	trail_read_clock(&op);
	cause = hint_take(trail_peek_cookie(tw_sk(tw)));
	if (!check_net(twsk_net(tw)))
		cause = TCPTRAIL_C_NETNS_EXIT;
	else if (!cause && op.t)
		cause = op.t->hint;
	trail_step(&op, TCP_CLOSE, cause, TRAIL_SIZE_MINI);
	if (op.t)
		trail_put_object(&op, TCPTRAIL_O_MINI);
	trail_close(&op);
}
