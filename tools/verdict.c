// SPDX-License-Identifier: GPL-2.0
#include "verdict.h"
#include "verdict_why.h"

#define MS	1000000ULL
#define IN(state)	(1U << TCPTRAIL_##state)

/*
 * A request storm: so many, or half of the backlog if that is smaller. From
 * there on the kernel gives up requests early.
 */
#define FLOOD		64
#define FLOOD_MIN	8
/* TIME_WAITs are a pile when they take this part of the ports. */
#define PILE_PERCENT	10
/* Lost segments are normal, so many in a row are not. */
#define RTX_MIN		3
#define PROBES_MIN	2
/* Of one request; a limit against nonsense. */
#define MAX_SYNACKS	16

bool verdict_queue_full(const struct diag_sock *listener)
{
	return listener && listener->rqueue > listener->wqueue;
}

unsigned int verdict_ports(const struct netns_settings *set)
{
	if (!set || set->port_min < 0 || set->port_max < set->port_min)
		return 0;
	return set->port_max - set->port_min + 1;
}

/* ---- evidence ---- */

/* Old enough; whose age nobody knows is, too. */
static bool old(const struct evidence *ev)
{
	return ev->age.kind == AGE_UNKNOWN || ev->age.ns >= ev->over_ns;
}

static bool since(const struct evidence *ev, uint32_t ms)
{
	return ms * MS >= ev->over_ns;
}

/* Data still goes out and is acknowledged: half closed, but alive. */
static bool sending(const struct evidence *ev)
{
	const struct diag_info *info = &ev->s->info;

	return ev->s->has_info && !since(ev, info->data_sent_ms) &&
	       !since(ev, info->ack_recv_ms) && ev->s->inode;
}

static bool receiving(const struct evidence *ev)
{
	return ev->s->has_info && !since(ev, ev->s->info.data_recv_ms);
}

static bool window_closed(const struct evidence *ev)
{
	const struct diag_info *info = &ev->s->info;

	return ev->s->timer == DIAG_TIMER_PROBE ||
	       (info->has_snd_wnd && !info->snd_wnd && ev->s->wqueue);
}

static bool silent(const struct evidence *ev)
{
	return ev->s->has_info && since(ev, ev->s->info.ack_recv_ms);
}

/* ---- cases ---- */

static bool queue_full(const struct evidence *ev)
{
	return verdict_queue_full(ev->s);
}

static bool never_accepted(const struct evidence *ev)
{
	return old(ev) && !ev->s->inode && !ev->s->mptcp && ev->s->has_info &&
	       (ev->s->state == TCPTRAIL_CLOSE_WAIT || ev->listener);
}

static bool cw_unsent(const struct evidence *ev)
{
	return old(ev) && ev->s->wqueue && !sending(ev);
}

static bool cw_shared(const struct evidence *ev)
{
	return old(ev) && !sending(ev) &&
	       (ev->nholders > 1 ||
		(ev->nholders && ev->opener_known && !ev->opener_holds));
}

/* An end of file that was not read counts as one byte. */
static bool cw_unread(const struct evidence *ev)
{
	return old(ev) && !sending(ev) && ev->s->rqueue > 1;
}

static bool cw_nobody(const struct evidence *ev)
{
	return old(ev) && !sending(ev) && !ev->nholders && !ev->hidden &&
	       !ev->s->mptcp;
}

static bool cw_held(const struct evidence *ev)
{
	return old(ev) && !sending(ev) && !ev->s->mptcp;
}

static bool fw2_orphan(const struct evidence *ev)
{
	return !ev->s->inode;
}

static bool fw2_held(const struct evidence *ev)
{
	return old(ev) && !receiving(ev);
}

static bool behind_window(const struct evidence *ev)
{
	return old(ev) && window_closed(ev);
}

/* A peer may be heard of, and all the same acknowledge nothing. */
static bool fin_unacked(const struct evidence *ev)
{
	return old(ev) && (silent(ev) || ev->s->info.retransmits >= RTX_MIN);
}

static bool waits_long(const struct evidence *ev)
{
	return old(ev);
}

static bool behind_queue(const struct evidence *ev)
{
	return ev->s->request && old(ev) && verdict_queue_full(ev->listener);
}

/*
 * A SYN+ACK that is not acknowledged is sent again 1, 3, 7 ... s after the SYN.
 * Who deferred the accept gets no more of them: one that is missing for as long
 * again means that the ACK came.
 */
static bool synack_missing(const struct evidence *ev)
{
	unsigned int next = min(ev->s->retrans, MAX_SYNACKS) + 1;

	return ev->age.kind == AGE_EXACT &&
	       ev->age.ns >= 2 * NSEC_PER_SEC * ((1ULL << next) - 1);
}

static bool deferred(const struct evidence *ev)
{
	return ev->s->request && old(ev) && (ev->flags & TCPTRAIL_F_DEFER) &&
	       !verdict_queue_full(ev->listener) &&
	       ((ev->flags & TCPTRAIL_F_REQ_ACKED) || synack_missing(ev));
}

static bool flood(const struct evidence *ev)
{
	return ev->s->request && ev->age.ns >= NSEC_PER_SEC &&
	       (ev->crowd >= FLOOD ||
		(ev->listener && ev->crowd >= FLOOD_MIN &&
		 2 * ev->crowd >= ev->listener->wqueue));
}

/*
 * The SYN+ACK was sent again; or, before that, its history says that the
 * listener does not wait for data. Else it may have been acknowledged.
 */
static bool half_open(const struct evidence *ev)
{
	return old(ev) && (!ev->s->request || ev->s->retrans ||
			   (ev->flags && !(ev->flags & TCPTRAIL_F_DEFER)));
}

static bool peer_gone(const struct evidence *ev)
{
	return ev->s->timer == DIAG_TIMER_RETRANS &&
	       ev->s->info.retransmits >= RTX_MIN && silent(ev);
}

static bool probes_unanswered(const struct evidence *ev)
{
	return ev->s->timer == DIAG_TIMER_KEEPALIVE &&
	       ev->s->retrans >= PROBES_MIN && silent(ev);
}

static bool est_window(const struct evidence *ev)
{
	return ev->s->timer == DIAG_TIMER_PROBE &&
	       since(ev, ev->s->info.data_sent_ms);
}

static bool tw_pile(const struct evidence *ev)
{
	unsigned int ports = verdict_ports(ev->set);

	return !ev->passive && ports &&
	       (uint64_t)ev->crowd * 100 >= (uint64_t)ports * PILE_PERCENT;
}

static bool always(const struct evidence *ev)
{
	(void)ev;
	return true;
}

/*
 * The first that applies is the verdict, so what names the cause better comes
 * first. The texts are those of tcptrail-stuck(8).
 */
const struct rule rules[] = {
	{
		"accept_queue_full", IN(LISTEN), SEV_FAIL, WAITS_PROGRAM,
		queue_full, why_queue_full, "accept queue full",
		"More connections wait for accept() than the program asked for in listen(), so the kernel drops new ones. The program accepts too slowly, or not at all.",
		{ ADV_CONTINUE, ADV_STACK, ADV_BACKLOG },
	},
	{
		"close_wait_never_accepted", IN(CLOSE_WAIT), SEV_FAIL,
		WAITS_PROGRAM, never_accepted, why_never_accepted,
		"never accepted",
		"The peer connected and hung up before the program called accept(). The connection stays in the accept queue until it does. No process has a descriptor for it.",
		{ ADV_CONTINUE, ADV_STACK, ADV_DESTROY },
	},
	{
		"close_wait_unsent", IN(CLOSE_WAIT), SEV_FAIL, WAITS_PEER,
		cw_unsent, why_unsent, "data the peer does not take",
		"The peer has finished sending, and what this side wrote can't be delivered: the peer's window is closed, or the peer does not answer. The program has not closed yet either.",
		{ ADV_CONTINUE, ADV_LOOK, ADV_DESTROY },
	},
	{
		"close_wait_forked", IN(CLOSE_WAIT), SEV_FAIL, WAITS_PROGRAM,
		cw_shared, why_shared, "still open in another process",
		"The peer has finished, and more than one process holds the socket, or another one than the process that opened it: descriptors were inherited over fork() or passed. Only the last close() counts.",
		{ ADV_CONTINUE, ADV_KILL, ADV_DESTROY },
	},
	{
		"close_wait_unread", IN(CLOSE_WAIT), SEV_FAIL, WAITS_PROGRAM,
		cw_unread, why_unread, "unread data, not closed",
		"The peer has finished, and the program has not even read what came before the end. It does not look at this descriptor any more. close() will answer with a reset, as data is lost.",
		{ ADV_CONTINUE, ADV_STACK, ADV_DESTROY },
	},
	{
		"close_wait_nobody", IN(CLOSE_WAIT), SEV_FAIL, WAITS_PROGRAM,
		cw_nobody, why_nobody, "no holder can be seen",
		"The socket has an inode, but no process has a descriptor of it: the kernel itself, an io_uring, or a message with descriptors that nobody received.",
		{ ADV_LOOK, ADV_DESTROY },
	},
	{
		"close_wait_held", IN(CLOSE_WAIT), SEV_FAIL, WAITS_PROGRAM,
		cw_held, why_held, "not closed by the program",
		"The peer has finished, and the program has not called close(). No timer ends this state: it is a leaked descriptor, or a program that hangs.",
		{ ADV_CONTINUE, ADV_DESCRIPTORS, ADV_DESTROY },
	},
	{
		"fin_wait2_orphan", IN(FIN_WAIT2), SEV_NORMAL, WAITS_TIMER,
		fw2_orphan, why_fw2_orphan, "closed, waits for the peer's FIN",
		"This side has closed and the peer has acknowledged it, but not closed. No program holds the socket; the kernel drops it when net.ipv4.tcp_fin_timeout (or TCP_LINGER2) has passed.",
		{ ADV_FIN_TIMEOUT, ADV_DESTROY },
	},
	{
		"fin_wait2_held", IN(FIN_WAIT2), SEV_FAIL, WAITS_PEER,
		fw2_held, why_fw2_held, "shut down, not closed",
		"The program called shutdown() but keeps the descriptor, and the peer does not close. With a descriptor open there is no timeout: this can last for ever. close() would start one.",
		{ ADV_CONTINUE, ADV_DESCRIPTORS, ADV_DESTROY },
	},
	{
		"fin_wait1_zero_window", IN(FIN_WAIT1), SEV_FAIL, WAITS_PEER,
		behind_window, why_window, "FIN behind a closed window",
		"This side has closed, but data is still queued and the peer's window is zero: its program does not read. The kernel probes the window; the FIN goes out after the data.",
		{ ADV_LOOK, ADV_RETRIES, ADV_DESTROY },
	},
	{
		"fin_wait1_unacked", IN(FIN_WAIT1), SEV_FAIL, WAITS_PEER,
		fin_unacked, why_fin_unacked, "FIN not acknowledged",
		"This side has closed, and the peer does not acknowledge it: it is gone, or the path is. The kernel sends the FIN again and gives up after net.ipv4.tcp_orphan_retries (0 means 8).",
		{ ADV_ROUTE, ADV_RETRIES, ADV_DESTROY },
	},
	{
		"last_ack_zero_window", IN(LAST_ACK), SEV_FAIL, WAITS_PEER,
		behind_window, why_window, "last FIN behind a closed window",
		"Both sides have closed, but data of this side is still queued and the peer's window is zero, so the FIN can't go out.",
		{ ADV_LOOK, ADV_RETRIES, ADV_DESTROY },
	},
	{
		"last_ack_unacked", IN(LAST_ACK), SEV_FAIL, WAITS_PEER,
		fin_unacked, why_fin_unacked, "last FIN not acknowledged",
		"Both sides have closed, and the peer does not acknowledge this side's FIN. The kernel sends it again and gives up after net.ipv4.tcp_orphan_retries (0 means 8).",
		{ ADV_ROUTE, ADV_RETRIES, ADV_DESTROY },
	},
	{
		"closing_unacked", IN(CLOSING), SEV_FAIL, WAITS_PEER,
		fin_unacked, why_fin_unacked, "both closed at once, FIN not acknowledged",
		"Both sides closed at the same time, and the peer does not acknowledge this side's FIN. The kernel sends it again and gives up in the end.",
		{ ADV_ROUTE, ADV_RETRIES, ADV_DESTROY },
	},
	{
		"syn_sent_unanswered", IN(SYN_SENT), SEV_FAIL, WAITS_PEER,
		waits_long, why_syn_sent, "SYN not answered",
		"connect() sent a SYN and nothing came back, not even a refusal: a firewall drops it, the host is down, or its accept queue is full. It ends after net.ipv4.tcp_syn_retries.",
		{ ADV_ROUTE, ADV_RETRIES, ADV_DESTROY },
	},
	{
		"syn_recv_deferred", IN(SYN_RECV), SEV_FAIL, WAITS_PEER,
		deferred, why_deferred, "waits for data (TCP_DEFER_ACCEPT)",
		"The handshake is over, but the listener has TCP_DEFER_ACCEPT and the peer sends no data.",
		{ ADV_LOOK, ADV_DESTROY },
	},
	{
		"syn_recv_queue_full", IN(SYN_RECV), SEV_FAIL, WAITS_PROGRAM,
		behind_queue, why_behind_queue, "accept queue full",
		"The last ACK of the handshake is dropped, because the accept queue of the listener is full. The peer believes that it is connected. The listening program has to accept.",
		{ ADV_CONTINUE, ADV_STACK, ADV_BACKLOG },
	},
	{
		"syn_recv_flood", IN(SYN_RECV), SEV_FAIL, WAITS_PEER,
		flood, why_flood, "flood of half-open requests",
		"Many requests wait for their last ACK at one listener. A SYN flood, or a path on which the SYN+ACKs get lost. When the queue is full, SYN cookies or drops follow.",
		{ ADV_SYNCOOKIES, ADV_LOOK, ADV_DESTROY },
	},
	{
		"syn_recv_half_open", IN(SYN_RECV), SEV_FAIL, WAITS_PEER,
		half_open, why_half_open, "last ACK does not come",
		"A SYN came and the SYN+ACK was sent, but the last ACK does not come: the SYN+ACK is lost on its way, or the sender was spoofed or is gone. It ends after net.ipv4.tcp_synack_retries.",
		{ ADV_ROUTE, ADV_RETRIES, ADV_DESTROY },
	},
	{
		"established_never_accepted", IN(ESTABLISHED), SEV_FAIL,
		WAITS_PROGRAM, never_accepted, why_never_accepted,
		"waits in the accept queue",
		"The handshake is over, but the program has not called accept(). The peer is connected to nobody.",
		{ ADV_CONTINUE, ADV_STACK, ADV_DESTROY },
	},
	{
		"established_peer_gone", IN(ESTABLISHED), SEV_FAIL, WAITS_PEER,
		peer_gone, why_peer_gone, "peer gone",
		"Data was sent and is retransmitted, and the peer does not answer. The kernel gives up after net.ipv4.tcp_retries2, about 15 minutes by default.",
		{ ADV_ROUTE, ADV_RETRIES, ADV_DESTROY },
	},
	{
		"established_keepalive_unanswered", IN(ESTABLISHED), SEV_FAIL,
		WAITS_PEER, probes_unanswered, why_probes,
		"keepalive not answered",
		"The connection is idle and the peer does not answer keepalive probes: it is gone.",
		{ ADV_ROUTE, ADV_LOOK, ADV_DESTROY },
	},
	{
		"established_zero_window", IN(ESTABLISHED), SEV_FAIL,
		WAITS_PEER, est_window, why_window,
		"behind a closed window",
		"Data is queued and the peer's window is zero: its program does not read. The kernel probes the window for as long as the peer answers.",
		{ ADV_LOOK, ADV_DESTROY },
	},
	{
		"time_wait_pileup", IN(TIME_WAIT), SEV_FAIL, WAITS_TIMER,
		tw_pile, why_tw_pile, "pile of TIME_WAIT",
		"Each TIME_WAIT keeps one port towards that destination for 60 s. When they are all taken, connect() fails with EADDRNOTAVAIL. This side closes first: keep connections open, or let the peer close.",
		{ ADV_TW_REUSE, ADV_LOOK },
	},
	{
		"time_wait", IN(TIME_WAIT), SEV_NORMAL, WAITS_TIMER,
		always, why_time_wait, "healthy TIME_WAIT",
		"This side closed first; the state protects the next connection from old segments and ends by itself.",
		{ ADV_NONE },
	},
};
const size_t nrules = ARRAY_SIZE(rules);

const struct rule *verdict_of(const struct evidence *ev)
{
	for (size_t i = 0; i < nrules; i++)
		if (rules[i].states >> ev->s->state & 1 && rules[i].applies(ev))
			return &rules[i];
	return NULL;
}

bool verdict_quiet(const struct diag_sock *s)
{
	return s->state == TCPTRAIL_ESTABLISHED && s->inode &&
	       s->timer == DIAG_TIMER_NONE;
}
