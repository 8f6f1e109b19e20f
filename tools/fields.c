// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <string.h>

#include "draw.h"
#include "fields.h"
#include "format.h"
#include "proc.h"
#include "state.h"

/* ---- identity ---- */

static void field_endpoint(struct out *o, const char *key, const char *cell,
			   const struct tcptrail_conn *who,
			   const uint8_t *addr, unsigned int port)
{
	char buf[FORMAT_MAX];
	struct tcptrail_conn unscoped = *who;

	if (!o->json) {
		out_cell(o, cell);
		return;
	}
	unscoped.ifindex = 0;
	out_open(o, key);
	out_word(o, "addr", format_addr(buf, &unscoped, addr));
	out_u64(o, "port", NULL, port);
	if ((who->flags & TCPTRAIL_F_IPV6) && addr_is_v4(addr))
		out_bool(o, "mapped", NULL, true);
	out_close(o);
}

static void field_ends(const struct fields *f, const struct conn *c)
{
	bool json = f->out->json;
	char buf[FORMAT_MAX];

	field_endpoint(f->out, "local", json ? NULL : format_local(buf, c),
		       &c->who, c->who.saddr, c->who.sport);
	field_endpoint(f->out, "remote", json ? NULL : format_remote(buf, c),
		       &c->who, c->who.daddr, c->who.dport);
}

void fields_identity(const struct fields *f, const struct conn *c)
{
	bool v6 = c->who.flags & TCPTRAIL_F_IPV6;
	struct out *o = f->out;
	char buf[FORMAT_MAX];

	out_str(o, "id", format_id(buf, c->cookie), buf);
	out_u64(o, "cookie", NULL, c->cookie);
	out_u64(o, "birth_ns", NULL, c->birth_ns);
	out_word(o, "family", v6 ? "inet6" : "inet");
	out_bool(o, "mapped", NULL, v6 && (addr_is_v4(c->who.saddr) ||
					   addr_is_v4(c->who.daddr)));
	field_ends(f, c);
	out_u64(o, "netns", NULL, c->who.netns_ino);
	out_u64(o, "netns_cookie", NULL, c->who.netns_cookie);
	out_u64(o, "ifindex", NULL, c->who.ifindex);
}

/* ---- tasks ---- */

static void task_members(struct out *o, const struct tcptrail_task *task)
{
	char comm[FORMAT_MAX];

	out_u64(o, "pid", NULL, task->tgid);
	out_str(o, "comm", NULL, format_comm_utf8(comm, task->comm));
	out_u64(o, "start_ticks", NULL, task->start_ticks);
}

static void field_life(const struct fields *f, const struct tcptrail_task *task)
{
	enum life life = f->live ? proc_life(task) : LIFE_UNKNOWN;

	if (life == LIFE_UNKNOWN)
		out_null(f->out, "alive");
	else
		out_bool(f->out, "alive", NULL, life == LIFE_ALIVE);
}

static void field_task(const struct fields *f, const char *key,
		       const char *cell, const struct tcptrail_task *task,
		       const char *how)
{
	out_str(f->out, NULL, cell, NULL);
	if (!f->out->json)
		return;
	if (!task->tgid) {
		out_null(f->out, key);
		return;
	}
	out_open(f->out, key);
	task_members(f->out, task);
	field_life(f, task);
	out_str(f->out, "how", NULL, how);
	out_close(f->out);
}

/* ---- steps ---- */

static void field_state(struct out *o, const char *key, const char *nr_key,
			unsigned int state)
{
	out_word(o, key, state_name(state));
	out_u64(o, nr_key, NULL, state);
}

/* Before the first SYN is answered they have no meaning. */
static bool has_sequence(const struct tcptrail_step *r)
{
	return r->new_state != TCPTRAIL_SYN_SENT &&
	       r->new_state != TCPTRAIL_LISTEN;
}

static void sequence_members(struct out *o, const struct tcptrail_step *r)
{
	if (!(r->conn.flags & TCPTRAIL_F_REDACTED)) {
		out_u64(o, "snd_una", NULL, r->snd_una);
		out_u64(o, "snd_nxt", NULL, r->snd_nxt);
		out_u64(o, "rcv_nxt", NULL, r->rcv_nxt);
	}
	out_u64(o, "snd_wnd", NULL, r->snd_wnd);
	out_u64(o, "rcv_wnd", NULL, r->rcv_wnd);
}

static void full_members(struct out *o, const struct tcptrail_step *r)
{
	out_u64(o, "inode", NULL, r->inode);
	out_u64(o, "cgroup", NULL, r->cgroup);
	out_u64(o, "uid", NULL, r->uid);
	out_u64(o, "mark", NULL, r->mark);
	if (has_sequence(r))
		sequence_members(o, r);
	out_u64(o, "unread", NULL, r->unread);
	out_u64(o, "unsent", NULL, r->unsent);
	out_u64(o, "srtt_us", NULL, r->srtt_us);
	out_u64(o, "retrans", NULL, r->retrans);
	out_u64(o, "total_retrans", NULL, r->total_retrans);
	out_u64(o, "bytes_in", NULL, r->bytes_in);
	out_u64(o, "bytes_out", NULL, r->bytes_out);
}

static void field_owner(const struct fields *f, const struct conn *c,
			const struct step *s)
{
	const struct tcptrail_task *task = conn_step_task(c, s);

	if (!task) {
		out_null(f->out, "owner");
		return;
	}
	out_open(f->out, "owner");
	task_members(f->out, task);
	out_close(f->out);
}

void fields_step(const struct fields *f, const struct conn *c,
		 const struct step *s)
{
	struct out *o = f->out;
	char buf[FORMAT_MAX];

	out_u64(o, "ts_ns", NULL, s->ts_ns);
	field_state(o, "old", "old_nr", s->old);
	field_state(o, "state", "state_nr", s->new);
	out_word(o, "object", conn_step_object(s));
	out_word(o, "cause", cause_name(s->cause));
	field_owner(f, c, s);
	if (!s->rec) {
		out_word(o, "from", "trail");
		return;
	}
	out_word(o, "from", "record");
	out_u64(o, "cpu", NULL, s->rec->hdr.cpu);
	out_u64(o, "seq", NULL, s->rec->hdr.seq);
	out_str(o, "errno", NULL, format_errno(buf, s->rec->conn.err));
	if (s->rec->listener)
		out_u64(o, "listener", NULL, s->rec->listener);
	if (step_is_full(s))
		full_members(o, s->rec);
}

static void field_length(struct out *o, uint64_t from, uint64_t to)
{
	if (from && to >= from)
		out_u64(o, "length_ns", NULL, to - from);
	else
		out_null(o, "length_ns");
}

static void field_steps(const struct fields *f, const struct conn *c)
{
	struct out *o = f->out;

	out_open_array(o, "steps");
	for (size_t i = 0; i < c->nsteps; i++) {
		const struct step *s = c->step[i];
		const struct step *next = i + 1 < c->nsteps ? c->step[i + 1] :
					  NULL;

		if (!s)
			continue;
		out_open(o, NULL);
		out_u64(o, "n", NULL, c->birth_ns ? s->n : i);
		fields_step(f, c, s);
		field_length(o, s->ts_ns, next ? next->ts_ns : 0);
		if (conn_same_segment(c, i))
			out_bool(o, "same_segment", NULL, true);
		out_close(o);
	}
	out_close(o);
}

static void field_visits(const struct fields *f, const struct timeline *tl)
{
	struct out *o = f->out;

	out_open_array(o, "states");
	for (size_t i = 0; i < tl->n; i++) {
		const struct visit *v = &tl->v[i];

		out_open(o, NULL);
		field_state(o, "state", "state_nr", v->state);
		out_u64(o, "ts_ns", NULL, v->ts_ns);
		if (v->has_length)
			out_u64(o, "length_ns", NULL, v->length_ns);
		else
			out_null(o, "length_ns");
		out_word(o, "cause", v->step ? cause_name(v->cause) : "unknown");
		if (v->missing)
			out_u64(o, "missing_before", NULL, v->missing);
		if (v->inferred)
			out_bool(o, "inferred", NULL, true);
		out_close(o);
	}
	out_close(o);
}

static void field_events(const struct fields *f, const struct conn *c)
{
	struct out *o = f->out;

	out_open_array(o, "events");
	for (size_t i = 0; i < c->nevents; i++) {
		const struct step *s = c->event[i];

		out_open(o, NULL);
		out_u64(o, "ts_ns", NULL, s->ts_ns);
		out_word(o, "kind", cause_name(s->cause));
		field_state(o, "state", "state_nr", s->new);
		if (s->rec->count)
			out_u64(o, "count", NULL, s->rec->count);
		if (s->rec->reason)
			out_u64(o, "reason", NULL, s->rec->reason);
		field_owner(f, c, s);
		out_close(o);
	}
	out_close(o);
}

/* ---- connections ---- */

static void field_isns(struct out *o, const struct conn *c)
{
	uint32_t seq;

	if (conn_iss(c, &seq))
		out_u64(o, "iss", NULL, seq);
	else
		out_null(o, "iss");
	if (conn_irs(c, &seq))
		out_u64(o, "irs", NULL, seq);
	else
		out_null(o, "irs");
}

/* What one hook tells, and nothing else, is unknown without it. */
static bool hooked(const struct fields *f, unsigned int hook)
{
	return f->hooks >> hook & 1;
}

static void field_flag(const struct fields *f, const char *key, bool val,
		       unsigned int hook)
{
	if (val || hooked(f, hook))
		out_bool(f->out, key, NULL, val);
	else
		out_null(f->out, key);
}

static void field_count(const struct fields *f, const char *key, uint64_t val,
			unsigned int hook)
{
	if (val || hooked(f, hook))
		out_u64(f->out, key, NULL, val);
	else
		out_null(f->out, key);
}

static void field_accept(const struct fields *f, const struct conn *c)
{
	struct out *o = f->out;
	uint16_t flags = c->who.flags;
	uint64_t wait;

	if (conn_side_unknown(c))
		out_null(o, "passive");
	else
		out_bool(o, "passive", NULL, conn_passive(c));
	if (conn_accept_unknown(c)) {
		out_null(o, "accepted");
		out_null(o, "not_accepted");
	} else {
		field_flag(f, "accepted", conn_accepted(c), TCPTRAIL_H_ACCEPT);
		field_flag(f, "not_accepted", conn_not_accepted(c),
			   TCPTRAIL_H_ACCEPT);
	}
	if (conn_accept_wait(c, &wait))
		out_u64(o, "accept_wait_ns", NULL, wait);
	field_flag(f, "syncookie", flags & TCPTRAIL_F_SYNCOOKIE,
		   TCPTRAIL_H_REQ_COOKIE);
	out_bool(o, "fastopen", NULL, flags & TCPTRAIL_F_FASTOPEN);
	out_bool(o, "mptcp", NULL, flags & TCPTRAIL_F_MPTCP);
	out_bool(o, "redacted", NULL, flags & TCPTRAIL_F_REDACTED);
}

/* SYNs sent again: all retransmissions until SYN_SENT was left. */
static void field_syn_rtx(struct out *o, const struct conn *c)
{
	for (size_t i = 0; i < c->nsteps; i++) {
		const struct step *s = c->step[i];

		if (!s || s->old != TCPTRAIL_SYN_SENT || s->new == s->old)
			continue;
		if (step_is_full(s)) {
			out_u64(o, "syn_rtx", NULL, s->rec->total_retrans);
			return;
		}
	}
	out_null(o, "syn_rtx");
}

static void field_end(const struct fields *f, const struct conn *c)
{
	const struct step *last = conn_last(c);
	struct out *o = f->out;
	char buf[FORMAT_MAX];

	/* Those before a late one was seen are not counted. */
	if (!c->synack_rtx && (c->who.flags & TCPTRAIL_F_LATE))
		out_null(o, "synack_rtx");
	else
		field_count(f, "synack_rtx", c->synack_rtx,
			    TCPTRAIL_H_SYNACK_RTX);
	if (o->json)
		field_syn_rtx(o, c);
	field_count(f, "tw_restarts", c->tw_restarts, TCPTRAIL_H_TW_RESCHED);
	out_str(o, "end_cause", f->extended ? (conn_ended(c) && last ?
		cause_phrase(last->cause) : "") : NULL,
		last && last->new == TCPTRAIL_CLOSE ? cause_name(last->cause) :
		NULL);
	out_str(o, "errno", NULL, format_errno(buf, c->who.err));
	out_str(o, "peer", NULL, c->peer ? format_id(buf, c->peer->cookie) : NULL);
	if (c->peer)
		out_bool(o, "peer_proven", NULL, c->peer_proven);
}

static void field_state_and_age(const struct fields *f, const struct conn *c,
				uint64_t since)
{
	uint64_t age = f->now_ns > since ? f->now_ns - since : 0;
	unsigned int state = conn_state(c);
	char buf[FORMAT_MAX];
	struct out *o = f->out;

	format_duration(buf, age);
	if (!conn_ended(c))
		strcat(buf, "+");
	out_color(o, conn_color(c));
	out_str(o, "state", state_short(state), state_name(state));
	out_u64(o, "state_nr", NULL, state);
	out_bool(o, "open", NULL, !conn_ended(c));
	out_str(o, NULL, since ? buf : "?", NULL);
	if (since && !conn_ended(c))
		out_u64(o, "age_ns", NULL, age);
	else
		out_null(o, "age_ns");
}

void fields_columns(struct out *o, bool extended)
{
	static const char *const brief[] = {
		"STATE", "AGE", "ID", "LOCAL", "REMOTE", "OWNER", "PATH",
	};
	static const char *const all[] = {
		"STATE", "AGE", "ID", "LOCAL", "REMOTE", "OWNER", "NETNS",
		"CLOSER", "END", "PATH",
	};

	if (extended)
		out_columns(o, all, ARRAY_SIZE(all));
	else
		out_columns(o, brief, ARRAY_SIZE(brief));
}

static void field_netns(const struct fields *f, const struct conn *c)
{
	char buf[FORMAT_MAX];

	if (!f->extended)
		return;
	sprintf(buf, "%u", c->who.netns_ino);
	out_str(f->out, NULL, buf, NULL);
}

static void field_tasks(const struct fields *f, const struct conn *c)
{
	const struct step *closing = conn_closing(c);
	bool json = f->out->json;
	char buf[FORMAT_MAX];
	const char *cell;

	field_task(f, "opener", json ? NULL : owner_text(buf, c, f->live),
		   &c->opener, conn_opener_how(c));
	field_netns(f, c);
	cell = json || !f->extended ? NULL : !c->closer.tgid ? "" :
	       task_text(buf, &c->closer, f->live);
	field_task(f, "closer", cell, &c->closer,
		   closing ? cause_name(closing->cause) : NULL);
}

static void members_only(const struct fields *f, const struct conn *c)
{
	struct out *o = f->out;

	out_str(o, "complete", NULL, completeness_name(conn_completeness(c)));
	out_u64(o, "missing_steps", NULL, conn_missing(c));
	field_accept(f, c);
	field_isns(o, c);
}

static void field_path(const struct fields *f, const struct timeline *tl)
{
	struct text path = { 0 };

	draw_line(&path, tl, f->now_ns, f->wide);
	out_cell(f->out, path.s);
	text_free(&path);
}

void fields_conn(const struct fields *f, const struct conn *c)
{
	struct out *o = f->out;
	struct timeline tl;

	conn_timeline(c, &tl);
	out_begin(o);
	field_state_and_age(f, c, tl.n ? tl.v[tl.n - 1].ts_ns : 0);
	fields_identity(f, c);
	if (o->json)
		members_only(f, c);
	field_tasks(f, c);
	field_end(f, c);
	if (o->json) {
		field_steps(f, c);
		field_visits(f, &tl);
		field_events(f, c);
	} else if (!o->measure) {
		/* The last column has no width. */
		field_path(f, &tl);
	}
	out_end(o);
}

void fields_summary(const struct fields *f, const struct merge *m,
		    uint64_t connections, const struct tcptrail_info *info)
{
	uint64_t missing = info->hooks_known & ~info->hooks;
	struct out *o = f->out;

	out_begin(o);
	out_open(o, "summary");
	out_u64(o, "connections", NULL, connections);
	out_u64(o, "lost", NULL, m->lost);
	out_u64(o, "lost_unrecovered", NULL, m->unrecovered);
	out_bool(o, "incomplete", NULL, merge_incomplete(m));
	out_u64(o, "unknown_records", NULL, m->unknown);
	out_u64(o, "missed", NULL, info->missed);
	out_u64(o, "no_trail", NULL, info->no_trail);
	out_open_array(o, "hooks_missing");
	for (unsigned int i = 0; i < TCPTRAIL_H_COUNT; i++)
		if (missing & 1ULL << i)
			out_str(o, NULL, NULL, hook_name(i));
	out_close(o);
	out_close(o);
	out_end(o);
}
