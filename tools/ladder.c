// SPDX-License-Identifier: GPL-2.0
/*
 * The textbook picture of one connection: the client's states on the left, the
 * server's on the right, the segments between them.
 *
 * A segment is drawn because a step proves it: right before the step that its
 * arrival caused, or, where no such step is known, right behind the step that
 * sent it. With one end on another machine that lane is dashed, and what must
 * have happened there is marked ~.
 */
#include <stdlib.h>
#include <string.h>

#include "ladder.h"
#include "segment.h"
#include "state.h"

static bool lane_received(const struct conn *c, enum segment what)
{
	for (size_t i = 0; i < c->nsteps; i++)
		if (c->step[i] && segment_is(segment_in(c->step[i]), what))
			return true;
	return false;
}

/* The step that sent it, NULL: none is known. */
static const struct step *lane_sent(const struct conn *c, enum segment what)
{
	for (size_t i = 0; i < c->nsteps; i++)
		if (c->step[i] && segment_out(c->step[i]) == what)
			return c->step[i];
	return NULL;
}

/* ---- sequence numbers: x is the client's first, y the server's ---- */

bool ladder_isn(const struct ladder *l, int lane, uint32_t *isn)
{
	if (l->conn[lane] && conn_iss(l->conn[lane], isn))
		return true;
	return l->conn[!lane] && conn_irs(l->conn[!lane], isn);
}

static void add_first(struct text *t, const struct ladder *l, int lane)
{
	uint32_t isn;

	if (ladder_isn(l, lane, &isn))
		text_add(t, " seq=%u (%c)", isn, lane == LEFT ? 'x' : 'y');
	else
		text_add(t, " seq=%c", lane == LEFT ? 'x' : 'y');
}

/* @what=x+78; nothing if it is not known or makes no sense. */
static void add_relative(struct text *t, const struct ladder *l, int lane,
			 const char *what, bool known, uint32_t seq)
{
	uint32_t isn;

	if (known && ladder_isn(l, lane, &isn) && seq - isn < 1U << 31)
		text_add(t, " %s=%c+%u", what, lane == LEFT ? 'x' : 'y',
			 seq - isn);
}

static bool has_numbers(const struct step *s)
{
	return step_is_full(s) &&
	       !(s->rec->conn.flags & TCPTRAIL_F_REDACTED);
}

/*
 * @s is the step of lane @at: it got the segment, or with @sent it sent it.
 * Its record was made when rcv_nxt already counted a FIN that came, and
 * snd_nxt did not yet count one that goes.
 */
static void add_numbers(struct text *t, const struct ladder *l,
			const struct step *s, int at, bool sent,
			enum segment seg)
{
	const struct tcptrail_step *r = s->rec;
	bool known = has_numbers(s);
	int from = sent ? at : !at;

	switch (seg) {
	case SEG_SYN:
		add_first(t, l, from);
		break;
	case SEG_SYNACK:
		add_first(t, l, from);
		text_add(t, " ack=%c+1", from == LEFT ? 'y' : 'x');
		break;
	case SEG_ACK:
		text_add(t, " ack=%c+1", from == LEFT ? 'y' : 'x');
		break;
	case SEG_FIN:
	case SEG_FIN_ACK:
		add_relative(t, l, from, "seq", known,
			     !known ? 0 : sent ? r->snd_nxt + r->unsent :
			     r->rcv_nxt - 1);
		break;
	case SEG_ACK_OF_FIN:
		add_relative(t, l, !from, "ack", known,
			     !known ? 0 : sent ? r->rcv_nxt : r->snd_una);
		break;
	default:
		break;
	}
}

/* ---- rows ---- */

/* Another row; the pointer is good until the next call. */
static struct row *add_row(struct ladder *l, enum row_kind kind, int lane)
{
	struct row *r;

	make_room(&l->row, &l->room, l->n, sizeof(*l->row));
	r = &l->row[l->n++];
	r->kind = kind;
	r->lane = lane;
	r->to = -1;
	text_add(&r->side[LEFT], "%s", "");
	text_add(&r->side[RIGHT], "%s", "");
	text_add(&r->label, "%s", "");
	for (int i = 0; i < 2; i++)
		r->bar[i] = !l->conn[i] ? BAR_DASHED :
			    l->alive[i] ? BAR_LINE : BAR_NONE;
	return r;
}

/* What must have been at the other end, where nobody looked. */
static void add_far_state(struct ladder *l, struct row *r, int lane,
			  const struct step *s)
{
	unsigned int state = segment_sender(s);

	if (!l->conn[lane] && state)
		text_add(&r->side[lane], "~%s", state_short(state));
}

static void arrow_in(struct ladder *l, int lane, const struct step *s)
{
	enum segment seg = segment_in(s);
	struct row *r;

	if (seg == SEG_NONE)
		return;
	r = add_row(l, ROW_SEGMENT, lane);
	r->to = lane;
	r->got = s;
	text_add(&r->label, "%s", segment_name(seg));
	add_far_state(l, r, !lane, s);
	/* The SYN of the next connection, with numbers that are not known here. */
	if (s->cause == TCPTRAIL_C_TW_NEW_SYN)
		return;
	if (l->conn[!lane])
		r->sent = lane_sent(l->conn[!lane],
				    seg == SEG_FIN_ACK ? SEG_FIN : seg);
	/* A minisocket's record has no numbers; that of the sender may. */
	if (!has_numbers(s) && r->sent)
		add_numbers(&r->label, l, r->sent, !lane, true, seg);
	else
		add_numbers(&r->label, l, s, lane, false, seg);
}

static void arrow_out(struct ladder *l, int lane, const struct step *s,
		      enum segment seg)
{
	const struct conn *other = l->conn[!lane];
	struct row *r;

	if (seg == SEG_NONE || (other && lane_received(other, seg)))
		return;
	if (seg == SEG_SYN && conn_find_cause(l->conn[lane],
					      TCPTRAIL_C_CONNECT_FAILED))
		return;
	/* Of two that opened at once each counts this as the ACK of its SYN. */
	if (other && seg == SEG_SYNACK && lane_received(other, SEG_ACK))
		return;
	r = add_row(l, ROW_SEGMENT, lane);
	r->to = !lane;
	r->nowhere = other;
	r->sent = s;
	text_add(&r->label, "%s", segment_name(seg));
	add_numbers(&r->label, l, s, lane, true, seg);
}

static void cause_row(struct ladder *l, int lane, const struct step *s)
{
	char buf[2 * FORMAT_MAX];

	if (segment_is_cause(s))
		return;
	text_add(&add_row(l, ROW_CAUSE, lane)->side[lane], "%s",
		 cause_text(buf, l->conn[lane], s, l->p->live));
}

static void hole_row(struct ladder *l, int lane, unsigned int missing)
{
	struct row *r = add_row(l, ROW_HOLE, lane);

	r->bar[lane] = BAR_HOLE;
	r->color = COLOR_INVERSE;
	text_add(&r->side[lane], "! steps missing: %u", missing);
}

static void visit_row(struct ladder *l, int lane, const struct visit *v,
		      bool last)
{
	struct row *r = add_row(l, ROW_VISIT, lane);
	char buf[FORMAT_MAX];

	r->visit = *v;
	r->last = last;
	r->ts_ns = v->ts_ns;
	r->bar[lane] = BAR_TICK;
	r->color = state_color(v->state);
	text_add(&r->side[lane], "%s%s", v->inferred ? "~" : "",
		 state_short(v->state));
	if (v->has_length)
		text_add(&r->side[lane], " %s",
			 format_duration(buf, v->length_ns));
	else if (!last)
		text_add(&r->side[lane], " ?");
	else if (v->state != TCPTRAIL_CLOSE)
		text_add(&r->side[lane], " %s+",
			 v->ts_ns && v->ts_ns <= l->p->now_ns ?
			 format_duration(buf, l->p->now_ns - v->ts_ns) : "?");
}

static void draw_visit(struct ladder *l, int lane, const struct visit *v,
		       bool last)
{
	const struct step *s = v->step;

	if (v->missing)
		hole_row(l, lane, v->missing);
	if (!v->state)
		return;
	if (s && v->ts_ns) {
		arrow_in(l, lane, s);
		cause_row(l, lane, s);
	}
	l->alive[lane] = true;
	visit_row(l, lane, v, last);
	if (s && v->ts_ns)
		arrow_out(l, lane, s, segment_out(s));
	l->alive[lane] = !last || v->state != TCPTRAIL_CLOSE;
}

/* accept(), the close() after a shutdown(): inside a state */
static void draw_mark(struct ladder *l, int lane, const struct step *s)
{
	const struct conn *c = l->conn[lane];
	struct row *r = add_row(l, ROW_MARK, lane);
	struct text *t = &r->side[lane];
	char buf[2 * FORMAT_MAX];
	uint64_t wait;

	r->ts_ns = s->ts_ns;
	r->bar[lane] = BAR_LINE;
	text_add(t, "%s", cause_text(buf, c, s, l->p->live));
	if (s->cause == TCPTRAIL_C_ACCEPT && conn_accept_wait(c, &wait))
		text_add(t, ", waited %s", format_duration(buf, wait));
}

static void draw_event(struct ladder *l, int lane, const struct step *s)
{
	bool rst = s->cause == TCPTRAIL_C_RST_OUT;
	struct row *r;

	/* Has a step drawn it already? */
	if (s->cause == TCPTRAIL_C_SYN_OUT ||
	    (rst && (lane_sent(l->conn[lane], SEG_RST) ||
		     (l->conn[!lane] &&
		      lane_received(l->conn[!lane], SEG_RST)))))
		return;
	r = add_row(l, ROW_MARK, lane);
	r->ts_ns = s->ts_ns;
	text_add(&r->side[lane], "%s", cause_phrase(s->cause));
	if (s->rec->count)
		text_add(&r->side[lane], " (%u)", s->rec->count);
	if (!rst && s->cause != TCPTRAIL_C_SYNACK_RTX)
		return;
	r->to = !lane;
	r->nowhere = l->conn[!lane];
	text_add(&r->label, "%s", rst ? "RST" : "SYN+ACK");
}

/* ---- order ---- */

/* Something to be drawn: one of the three. */
struct entry {
	uint64_t ts_ns;
	int lane;
	size_t nr;
	const struct visit *visit;
	bool last;
	const struct step *mark, *event;
};

struct entries {
	struct entry *e;
	size_t n, room;
};

static void add_entry(struct entries *es, struct entry entry)
{
	make_room(&es->e, &es->room, es->n, sizeof(*es->e));
	entry.nr = es->n;
	es->e[es->n++] = entry;
}

/* The first thing of which the time is known. */
static uint64_t first_time(const struct conn *c)
{
	uint64_t first = 0;

	for (size_t i = 0; i < c->nsteps && !first; i++)
		if (c->step[i])
			first = c->step[i]->ts_ns;
	return first;
}

static void collect_visits(struct entries *es, const struct timeline *tl,
			   uint64_t first, int lane)
{
	uint64_t latest = 0;

	for (size_t i = 0; i < tl->n; i++) {
		const struct visit *v = &tl->v[i];

		latest = max(latest, v->ts_ns);
		/* One that began at an unknown time: before all that is known. */
		if (!latest)
			latest = first;
		add_entry(es, (struct entry){ .ts_ns = latest, .lane = lane,
					      .visit = v,
					      .last = i + 1 == tl->n });
	}
}

static bool is_mark(const struct conn *c, size_t i, const struct timeline *tl)
{
	const struct step *s = c->step[i];

	if (!s || s->old != s->new || s->cause == TCPTRAIL_C_UNKNOWN ||
	    !strcmp(conn_step_object(s), "mini"))
		return false;
	for (size_t k = 0; k < tl->n; k++)
		if (tl->v[k].step == s && tl->v[k].ts_ns)
			return false;
	return true;
}

static void collect(struct entries *es, const struct conn *c,
		    const struct timeline *tl, int lane)
{
	collect_visits(es, tl, first_time(c), lane);
	for (size_t i = 0; i < c->nsteps; i++)
		if (is_mark(c, i, tl))
			add_entry(es, (struct entry){
				.ts_ns = c->step[i]->ts_ns, .lane = lane,
				.mark = c->step[i] });
	for (size_t i = 0; i < c->nevents; i++)
		add_entry(es, (struct entry){ .ts_ns = c->event[i]->ts_ns,
					      .lane = lane,
					      .event = c->event[i] });
}

static int by_time(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->ts_ns != y->ts_ns)
		return x->ts_ns < y->ts_ns ? -1 : 1;
	return x->nr < y->nr ? -1 : x->nr > y->nr;
}

static void draw_entries(struct ladder *l, const struct entries *es)
{
	for (size_t i = 0; i < es->n; i++) {
		const struct entry *e = &es->e[i];

		if (e->visit)
			draw_visit(l, e->lane, e->visit, e->last);
		else if (e->mark)
			draw_mark(l, e->lane, e->mark);
		else
			draw_event(l, e->lane, e->event);
	}
}

static void build(struct ladder *l)
{
	struct timeline *tl = xzalloc(2 * sizeof(*tl));
	struct entries es = { 0 };

	for (int lane = 0; lane < 2; lane++) {
		if (!l->conn[lane])
			continue;
		conn_timeline(l->conn[lane], &tl[lane]);
		collect(&es, l->conn[lane], &tl[lane], lane);
	}
	qsort(es.e, es.n, sizeof(*es.e), by_time);
	draw_entries(l, &es);
	free(es.e);
	free(tl);
}

/* Two may both be clients (RFC 9293, 3.5). */
static const char *role(const struct conn *c)
{
	if (conn_side_unknown(c))
		return "end";
	return conn_passive(c) ? "server" : "client";
}

static const char *role_of_peer(const struct conn *c)
{
	if (conn_side_unknown(c))
		return "end";
	return conn_passive(c) ? "client" : "server";
}

static void lane_title(struct text *t, const struct ladder *l, int lane)
{
	char buf[FORMAT_MAX];

	if (l->conn[lane])
		text_add(t, "%s %s", role(l->conn[lane]),
			 format_id(buf, l->conn[lane]->cookie));
	else
		text_add(t, "~%s, not seen", role_of_peer(l->conn[!lane]));
}

void ladder_build(struct ladder *l, const struct picture *p,
		  const struct conn *c)
{
	bool right = conn_passive(c);
	struct row *title;

	memset(l, 0, sizeof(*l));
	l->p = p;
	/* Both opened (RFC 9293, 3.5): the elder goes left. */
	if (c->peer && conn_passive(c->peer) == right)
		right = c->birth_ns > c->peer->birth_ns;
	l->conn[right] = c;
	l->conn[!right] = c->peer;
	title = add_row(l, ROW_TITLE, LEFT);
	title->bar[LEFT] = title->bar[RIGHT] = BAR_NONE;
	lane_title(&title->side[LEFT], l, LEFT);
	lane_title(&title->side[RIGHT], l, RIGHT);
	build(l);
}

void ladder_free(struct ladder *l)
{
	for (size_t i = 0; i < l->n; i++) {
		text_free(&l->row[i].side[LEFT]);
		text_free(&l->row[i].side[RIGHT]);
		text_free(&l->row[i].label);
	}
	free(l->row);
	memset(l, 0, sizeof(*l));
}
