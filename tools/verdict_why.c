// SPDX-License-Identifier: GPL-2.0
#include <inttypes.h>

#include "format.h"
#include "verdict_why.h"

#define MS	1000000ULL

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static void add_ms(struct text *t, const char *before, uint32_t ms)
{
	char buf[FORMAT_MAX];

	text_add(t, "%s%s", before, format_duration(buf, ms * MS));
}

static void add_queue(struct text *t, const struct diag_sock *listener)
{
	text_add(t, "%u wait in the accept queue of its listener, backlog %u",
		 listener->rqueue, listener->wqueue);
}

static void add_silence(struct text *t, const struct evidence *ev)
{
	if (ev->s->has_info && ev->s->info.ack_recv_ms >= 1000)
		add_ms(t, "; the peer has been silent for ",
		       ev->s->info.ack_recv_ms);
}

static void add_retransmits(struct text *t, const struct evidence *ev)
{
	unsigned int n = ev->s->info.retransmits;

	text_add(t, "sent again %u time%s", n, plural(n));
}

/* ---- listeners and requests ---- */

void why_queue_full(struct text *t, const struct evidence *ev)
{
	text_add(t, "%u connections wait for accept(), the backlog is %u",
		 ev->s->rqueue, ev->s->wqueue);
}

void why_never_accepted(struct text *t, const struct evidence *ev)
{
	bool gone = ev->s->state == TCPTRAIL_CLOSE_WAIT;

	text_add(t, gone ? "the peer sent its FIN; " : "the handshake is over; ");
	text_add(t, "no descriptor was ever made");
	if (ev->nlisteners > 1)
		text_add(t, "; one of %u listeners on port %u has it",
			 ev->nlisteners, ev->s->who.sport);
	else if (ev->listener)
		add_queue((text_add(t, "; "), t), ev->listener);
	else
		text_add(t, "; its listener can't be seen");
}

void why_deferred(struct text *t, const struct evidence *ev)
{
	(void)ev;
	text_add(t, "the last ACK came without data, and the listener has TCP_DEFER_ACCEPT");
}

void why_behind_queue(struct text *t, const struct evidence *ev)
{
	text_add(t, "SYN+ACK sent again %u time%s; the last ACK is dropped: ",
		 ev->s->retrans, plural(ev->s->retrans));
	add_queue(t, ev->listener);
}

void why_flood(struct text *t, const struct evidence *ev)
{
	text_add(t, "%u requests have waited for more than 1 s", ev->crowd);
	if (ev->listener)
		text_add(t, "; the backlog of the listener is %u",
			 ev->listener->wqueue);
	if (ev->set && ev->set->syncookies >= 0)
		text_add(t, "; SYN cookies are %s",
			 ev->set->syncookies ? "on" : "off");
}

void why_half_open(struct text *t, const struct evidence *ev)
{
	if (!ev->s->request) {
		text_add(t, "both sides sent a SYN, or it came by Fast Open; no ACK");
		return;
	}
	text_add(t, "SYN+ACK sent again %u time%s", ev->s->retrans,
		 plural(ev->s->retrans));
	if (ev->set && ev->set->synack_retries >= 0)
		text_add(t, " of %d", ev->set->synack_retries);
}

void why_syn_sent(struct text *t, const struct evidence *ev)
{
	text_add(t, "SYN ");
	add_retransmits(t, ev);
	if (ev->set && ev->set->syn_retries >= 0)
		text_add(t, " of %d", ev->set->syn_retries);
	if (verdict_queue_full(ev->listener))
		add_queue((text_add(t, "; the listener is on this machine: "), t),
			  ev->listener);
}

/* ---- the program's move ---- */

/* What the program has seen of the end. */
static void add_eof(struct text *t, const struct evidence *ev)
{
	text_add(t, "the peer sent its FIN; ");
	if (!ev->s->rqueue)
		text_add(t, "the program has read the end of file");
	else if (ev->s->rqueue == 1)
		text_add(t, "the program has not read the end of file");
	else
		text_add(t, "the program has not read %u byte%s",
			 ev->s->rqueue - 1, plural(ev->s->rqueue - 1));
}

void why_held(struct text *t, const struct evidence *ev)
{
	add_eof(t, ev);
	text_add(t, ", and not closed");
	if (!ev->nholders)
		text_add(t, "; who holds it can't be seen from here");
}

void why_shared(struct text *t, const struct evidence *ev)
{
	add_eof(t, ev);
	if (ev->nholders > 1)
		text_add(t, "; %u processes hold the descriptor", ev->nholders);
	if (ev->opener_known && !ev->opener_holds)
		text_add(t, "; the process that opened it does not hold it any more");
}

void why_unread(struct text *t, const struct evidence *ev)
{
	add_eof(t, ev);
	if (ev->s->has_info)
		add_ms(t, "; the last data came ", ev->s->info.data_recv_ms);
	if (ev->s->has_info)
		text_add(t, " ago");
}

void why_nobody(struct text *t, const struct evidence *ev)
{
	add_eof(t, ev);
	text_add(t, "; inode %u, but no process has a descriptor of it",
		 ev->s->inode);
}

/* ---- the peer's move ---- */

void why_unsent(struct text *t, const struct evidence *ev)
{
	text_add(t, "the peer sent its FIN; %u byte%s of ours not acknowledged",
		 ev->s->wqueue, plural(ev->s->wqueue));
	if (ev->s->timer == DIAG_TIMER_PROBE)
		text_add(t, "; its window is closed");
	else if (ev->s->info.retransmits)
		add_retransmits((text_add(t, ", "), t), ev);
	add_silence(t, ev);
}

void why_window(struct text *t, const struct evidence *ev)
{
	text_add(t, "the peer's window is closed, %u byte%s wait",
		 ev->s->wqueue, plural(ev->s->wqueue));
	if (ev->s->has_info)
		add_ms(t, "; no data could be sent for ",
		       ev->s->info.data_sent_ms);
}

void why_fin_unacked(struct text *t, const struct evidence *ev)
{
	text_add(t, "FIN not acknowledged, ");
	add_retransmits(t, ev);
	if (ev->s->wqueue > 1)
		text_add(t, "; %u bytes too", ev->s->wqueue - 1);
	add_silence(t, ev);
}

void why_fw2_held(struct text *t, const struct evidence *ev)
{
	text_add(t, "this side has shut down and keeps the descriptor: no timeout");
	if (ev->s->rqueue)
		text_add(t, "; %u bytes not read", ev->s->rqueue);
	add_silence(t, ev);
}

void why_peer_gone(struct text *t, const struct evidence *ev)
{
	text_add(t, "%u byte%s not acknowledged, ", ev->s->wqueue,
		 plural(ev->s->wqueue));
	add_retransmits(t, ev);
	add_silence(t, ev);
}

void why_probes(struct text *t, const struct evidence *ev)
{
	text_add(t, "%u keepalive probe%s not answered", ev->s->retrans,
		 plural(ev->s->retrans));
	add_silence(t, ev);
}

/* ---- the clock's move ---- */

void why_fw2_orphan(struct text *t, const struct evidence *ev)
{
	(void)ev;
	text_add(t, "no process holds it, and the peer has not closed");
}

/* Only the history tells the two apart. */
static void add_first(struct text *t, const struct evidence *ev)
{
	if (!ev->steps_known)
		text_add(t, "~this side closed first, or both at once");
	else if (ev->crossed)
		text_add(t, "both sides closed at once");
	else
		text_add(t, "this side closed first");
}

static void add_reuse(struct text *t, const struct evidence *ev)
{
	if (!ev->set || ev->set->tw_reuse < 0)
		return;
	if (!ev->set->tw_reuse || ev->set->timestamps == 0)
		text_add(t, "; connect() may not reuse them (net.ipv4.tcp_tw_reuse=%d%s)",
			 ev->set->tw_reuse, ev->set->timestamps ? "" :
			 ", no timestamps");
	else if (ev->set->tw_reuse == 2)
		text_add(t, "; connect() may reuse them after 1 s only on loopback (net.ipv4.tcp_tw_reuse=2)");
	else
		text_add(t, "; connect() may reuse them after 1 s (net.ipv4.tcp_tw_reuse=1)");
}

void why_tw_pile(struct text *t, const struct evidence *ev)
{
	unsigned int ports = verdict_ports(ev->set);

	add_first(t, ev);
	text_add(t, "; TIME_WAITs keep %u of %u ports that connect() can choose from (%u %%) towards that destination",
		 ev->crowd, ports, ports ? ev->crowd * 100 / ports : 0);
	add_reuse(t, ev);
}

void why_time_wait(struct text *t, const struct evidence *ev)
{
	add_first(t, ev);
}
