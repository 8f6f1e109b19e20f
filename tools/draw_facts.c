// SPDX-License-Identifier: GPL-2.0
/* What is known of one connection, a line for each fact. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "draw.h"
#include "state.h"

__attribute__((format(printf, 3, 4)))
static void fact(const struct picture *p, const char *name, const char *fmt, ...)
{
	struct text t = { 0 };
	char val[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(val, sizeof(val), fmt, ap);
	va_end(ap);
	text_add(&t, "%-10s %s", name, val);
	out_wrapped(p->out, COLOR_NONE, 11, t.s);
	text_free(&t);
}

static void fact_title(const struct picture *p, const struct conn *c)
{
	char local[FORMAT_MAX], remote[FORMAT_MAX], id[FORMAT_MAX];
	struct text t = { 0 };

	format_local(local, c);
	format_remote(remote, c);
	text_add(&t, "%s  %s", format_id(id, c->cookie), local);
	if (!conn_is_listener(c))
		text_add(&t, " %s %s", conn_arrow(c), remote);
	out_wrapped(p->out, COLOR_NONE, 4, t.s);
	text_free(&t);
}

static void fact_state(const struct picture *p, const struct conn *c)
{
	uint64_t since = conn_state_since(c);
	char buf[FORMAT_MAX] = "?";

	if (since && since <= p->now_ns)
		format_duration(buf, p->now_ns - since);
	fact(p, "state", "%s for %s%s", state_name(conn_state(c)), buf,
	     conn_ended(c) ? "" : "+");
}

static void fact_complete(const struct picture *p, const struct conn *c)
{
	unsigned int missing = conn_missing(c);

	if (missing)
		fact(p, "history", "! hole, steps missing: %u", missing);
	else if (c->over_ns)
		fact(p, "history", "! hole: its last steps were overwritten");
	else if (conn_completeness(c) == CONN_LATE)
		fact(p, "history", "late: it was there before the recording");
	else if (conn_completeness(c) == CONN_HOLE)
		fact(p, "history", "! hole: steps may be missing (%s)",
		     c->who.flags & TCPTRAIL_F_NO_TRAIL ? "the table was full" :
		     "a hook is not active");
	else
		fact(p, "history", "complete");
}

static void fact_opened(const struct picture *p, const struct conn *c)
{
	char date[FORMAT_MAX], task[FORMAT_MAX];
	const struct step *closing = conn_closing(c);
	bool late = c->who.flags & TCPTRAIL_F_LATE;

	format_date(date, &p->clock, c->birth_ns);
	fact(p, late ? "first seen" : "born", "%s", date);
	if (c->opener.tgid)
		fact(p, "owner", "%s, by %s()", task_text(task, &c->opener, p->live),
		     conn_opener_how(c));
	else
		fact(p, "owner", "%s", owner_text(task, c, p->live));
	if (c->closer.tgid)
		fact(p, "closer", "%s, by %s",
		     task_text(task, &c->closer, p->live),
		     closing ? cause_phrase(closing->cause) : "?");
}

static void fact_accept(const struct picture *p, const struct conn *c)
{
	char buf[FORMAT_MAX];
	uint64_t wait;

	if (conn_not_accepted(c))
		fact(p, "accept()", "no program has accepted it");
	else if (conn_accept_wait(c, &wait))
		fact(p, "accept()", "waited %s for it",
		     format_duration(buf, wait));
}

static void fact_end(const struct picture *p, const struct conn *c)
{
	const struct step *last = conn_last(c);
	char buf[FORMAT_MAX], date[FORMAT_MAX];
	const char *error = format_errno(buf, c->who.err);

	if (!conn_ended(c))
		return;
	format_date(date, &p->clock, conn_end(c));
	if (c->over_ns) {
		fact(p, "ended", "before %s, ~its end was overwritten", date);
		return;
	}
	fact(p, "ended", "%s%s%s%s%s", date,
	     last && last->new == TCPTRAIL_CLOSE ? ", " : ", ~no step said so",
	     last && last->new == TCPTRAIL_CLOSE ? cause_phrase(last->cause) : "",
	     error ? ", " : "", error ? error : "");
}

static void fact_peer(const struct picture *p, const struct conn *c)
{
	char buf[FORMAT_MAX];

	if (c->peer)
		fact(p, "other end", "%s%s%s", c->peer_proven ? "" : "~",
		     format_id(buf, c->peer->cookie), c->peer_proven ?
		     ", by sequence numbers" : ", by addresses only");
}

static void fact_counts(const struct picture *p, const struct conn *c)
{
	if (c->synack_rtx)
		fact(p, "SYN+ACK", "sent again: %u", c->synack_rtx);
	if (c->tw_restarts)
		fact(p, "2MSL", "started again: %u", c->tw_restarts);
}

static void fact_network(const struct picture *p, const struct conn *c)
{
	struct text t = { 0 };
	uint16_t flags = c->who.flags;

	text_add(&t, "netns %u", c->who.netns_ino);
	if (c->who.ifindex)
		text_add(&t, ", interface %u", c->who.ifindex);
	if (flags & TCPTRAIL_F_IPV6)
		text_add(&t, "%s", addr_is_v4(c->who.daddr) ?
			 ", IPv4 through an IPv6 socket" : ", IPv6");
	if (flags & TCPTRAIL_F_SYNCOOKIE)
		text_add(&t, ", SYN cookie");
	if (flags & TCPTRAIL_F_FASTOPEN)
		text_add(&t, ", Fast Open");
	if (flags & TCPTRAIL_F_MPTCP)
		text_add(&t, ", MPTCP subflow");
	fact(p, "network", "%s", t.s);
	text_free(&t);
}

/* The newest record of a full socket has the latest numbers. */
static const struct tcptrail_step *last_full(const struct conn *c)
{
	for (size_t i = c->nsteps; i-- > 0;)
		if (c->step[i] && step_is_full(c->step[i]))
			return c->step[i]->rec;
	return NULL;
}

static void fact_listener(const struct picture *p,
			  const struct tcptrail_step *r)
{
	fact(p, "queue", "%u of %u when it began to listen", r->unread,
	     r->unsent);
}

static void fact_socket(const struct picture *p, const struct conn *c)
{
	const struct tcptrail_step *r = last_full(c);
	char buf[FORMAT_MAX];

	if (!r)
		return;
	fact(p, "socket", "uid %u, inode %" PRIu64 ", cgroup %" PRIu64 "%s",
	     r->uid, (uint64_t)r->inode, (uint64_t)r->cgroup,
	     r->mark ? ", marked" : "");
	if (conn_is_listener(c)) {
		fact_listener(p, r);
		return;
	}
	fact(p, "last step", "%" PRIu64 " bytes in, %" PRIu64 " out, %u unread, %u unsent, %u retransmissions",
	     (uint64_t)r->bytes_in, (uint64_t)r->bytes_out, r->unread,
	     r->unsent, r->total_retrans);
	if (r->srtt_us)
		fact(p, "round trip", "%s, smoothed",
		     format_duration(buf, r->srtt_us * 1000ULL));
}

static void fact_numbers(const struct picture *p, const struct conn *c)
{
	uint32_t iss, irs;
	bool has_iss = conn_iss(c, &iss), has_irs = conn_irs(c, &irs);
	char ours[16] = "?", theirs[16] = "?";

	if (conn_is_listener(c))
		return;
	if (c->who.flags & TCPTRAIL_F_REDACTED) {
		fact(p, "numbers", "hidden: reading them takes CAP_NET_ADMIN");
		return;
	}
	if (has_iss)
		sprintf(ours, "%u", iss);
	if (has_irs)
		sprintf(theirs, "%u", irs);
	fact(p, "numbers", "ISS %s, IRS %s", ours, theirs);
}

void draw_facts(const struct picture *p, const struct conn *c)
{
	fact_title(p, c);
	fact_state(p, c);
	fact_complete(p, c);
	fact_opened(p, c);
	fact_accept(p, c);
	fact_end(p, c);
	fact_peer(p, c);
	fact_counts(p, c);
	fact_network(p, c);
	fact_numbers(p, c);
	fact_socket(p, c);
}
