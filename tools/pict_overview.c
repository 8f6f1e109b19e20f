// SPDX-License-Identifier: GPL-2.0
/*
 * All connections over time: a bar for each or, if there are many, a strip for
 * each group of them that shows how many were in which state.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pict_overview.h"
#include "state.h"

/* ---- what is stuck ---- */

bool conn_waits(const struct conn *c, uint64_t now_ns, uint64_t over_ns)
{
	unsigned int state = conn_state(c);
	enum mover mover = state_mover(state);
	uint64_t since;

	if (conn_ended(c) || !state || conn_is_listener(c))
		return false;
	if (mover != MOVE_PROGRAM && mover != MOVE_PEER &&
	    !(conn_not_accepted(c) && mover == MOVE_BOTH))
		return false;
	since = conn_state_since(c);
	return !since || since + over_ns <= now_ns;
}

/* ---- head ---- */

static void counts_line(struct text *t, const struct overview *o)
{
	size_t count[12] = { 0 }, stuck = 0;
	char buf[FORMAT_MAX];

	for (size_t i = 0; i < o->n; i++) {
		unsigned int state = conn_state(o->conn[i]);

		count[state < ARRAY_SIZE(count) ? state : 0]++;
		stuck += conn_waits(o->conn[i], o->p->now_ns, o->over_ns);
	}
	text_add(t, "%s", o->p->live ? "now: " : "at the end: ");
	for (unsigned int s = 0; s < ARRAY_SIZE(count); s++)
		if (count[s])
			text_add(t, "%zu %s, ", count[s], s ? state_short(s) : "?");
	text_add(t, "%zu stuck for more than %s", stuck,
		 format_duration(buf, o->over_ns));
	if (o->lost)
		text_add(t, "; ! records lost: %llu",
			 (unsigned long long)o->lost);
}

static double head(struct pict *pict, const struct overview *o,
		   const struct span *s)
{
	char from[FORMAT_MAX], length[FORMAT_MAX];
	struct text t = { 0 };
	double y = EDGE + 8;

	text_add(&t, "%zu connection%s", o->n, o->n == 1 ? "" : "s");
	pict_text(pict, INK_TEXT, 15, EDGE, y, ALIGN_LEFT, t.s)->bold = true;
	text_clear(&t);
	text_add(&t, "%s from %s on; ", format_duration(length,
		 s->to_ns - s->from_ns), format_date(from, &o->p->clock,
						     s->from_ns));
	counts_line(&t, o);
	pict_text(pict, INK_TEXT, PICT_FONT, EDGE, y += 21, ALIGN_LEFT, t.s);
	text_free(&t);
	return y;
}

/* The states in the order in which a connection goes through them. */
static const unsigned int shown_states[] = {
	TCPTRAIL_LISTEN, TCPTRAIL_SYN_SENT, TCPTRAIL_SYN_RECV,
	TCPTRAIL_ESTABLISHED, TCPTRAIL_FIN_WAIT1, TCPTRAIL_FIN_WAIT2,
	TCPTRAIL_CLOSING, TCPTRAIL_TIME_WAIT, TCPTRAIL_CLOSE_WAIT,
	TCPTRAIL_LAST_ACK, 0,
};

static double key(struct pict *pict, double y)
{
	double x = EDGE;

	y += 22;
	for (size_t i = 0; i < ARRAY_SIZE(shown_states); i++) {
		const char *name = state_short(shown_states[i]);

		pict_rect(pict, ink_of_state(shown_states[i]), x, y - 5, 10, 10);
		pict_text(pict, INK_TEXT, PICT_SMALL, x + 14, y, ALIGN_LEFT,
			  name);
		x += 14 + text_extent(name, PICT_SMALL) + 14;
	}
	return y + 14;
}

/* ---- the axis ---- */

/* 1, 2 or 5 times a power of ten, so that there are not more than @most. */
static uint64_t tick_step(uint64_t span_ns, double most)
{
	static const unsigned int factors[] = { 1, 2, 5 };

	for (uint64_t power = 1; power < UINT64_MAX / 100; power *= 10)
		for (size_t i = 0; i < ARRAY_SIZE(factors); i++)
			if (span_ns / (factors[i] * power) <= most)
				return factors[i] * power;
	return span_ns ? span_ns : 1;
}

static bool in_cut(const struct span *s, uint64_t ts_ns)
{
	for (size_t i = 0; i < s->ncuts; i++)
		if (ts_ns > s->cut_ns[i] &&
		    ts_ns < s->cut_ns[i] + s->cut_length_ns[i])
			return true;
	return false;
}

/* With as many digits as tell it from the next. */
static void tick_text(char *buf, uint64_t ns, uint64_t step)
{
	int digits = 0;

	if (step >= NSEC_PER_SEC && ns >= 60 * NSEC_PER_SEC) {
		format_duration(buf, ns);
		return;
	}
	for (uint64_t unit = NSEC_PER_SEC; unit > step && unit > 1; unit /= 10)
		digits++;
	sprintf(buf, "%.*fs", digits, (double)ns / NSEC_PER_SEC);
}

static void tick(struct pict *pict, const struct strip *st, uint64_t ts_ns,
		 uint64_t step, double *last)
{
	char buf[FORMAT_MAX];
	double x = st->x + span_at(&st->span, ts_ns), w;

	tick_text(buf, ts_ns - st->span.from_ns, step);
	w = text_extent(buf, PICT_SMALL);
	if (in_cut(&st->span, ts_ns) || x - w / 2 < *last + 8)
		return;
	pict_line(pict, INK_AXIS, x, st->top - 4, x, st->top);
	pict_text(pict, INK_FAINT, PICT_SMALL, x, st->top - 12, ALIGN_CENTER,
		  buf);
	*last = x + w / 2;
}

static void ticks(struct pict *pict, const struct strip *st)
{
	const struct span *s = &st->span;
	uint64_t left = s->to_ns - s->from_ns, step;
	double last = -1000;

	for (size_t i = 0; i < s->ncuts; i++)
		left -= s->cut_length_ns[i];
	step = tick_step(left, 9);
	for (uint64_t t = s->from_ns; t <= s->to_ns; t += step) {
		tick(pict, st, t, step, &last);
		/* To where the silence ends. */
		for (size_t i = 0; i < s->ncuts; i++)
			if (t + step > s->cut_ns[i] &&
			    t + step < s->cut_ns[i] + s->cut_length_ns[i])
				t = s->cut_ns[i] + s->cut_length_ns[i] - step;
	}
}

static void breaks(struct pict *pict, const struct strip *st)
{
	for (size_t i = 0; i < st->span.ncuts; i++) {
		double x = st->x + span_at(&st->span, st->span.cut_ns[i]) +
			   st->span.cut_drawn / 2;
		char buf[FORMAT_MAX];

		pict_line(pict, INK_PAPER, x, st->top - 6, x, st->bottom)->size = 5;
		pict_line(pict, INK_AXIS, x - 3, st->top - 6, x - 3, st->bottom);
		pict_line(pict, INK_AXIS, x + 3, st->top - 6, x + 3, st->bottom);
		format_duration(buf, st->span.cut_length_ns[i]);
		pict_text(pict, INK_FAINT, PICT_SMALL, x, st->bottom + 9,
			  ALIGN_CENTER, buf);
	}
}

/* ---- a bar for each ---- */

static void bar_label(struct text *t, const struct overview *o,
		      const struct conn *c)
{
	char id[FORMAT_MAX], local[FORMAT_MAX], remote[FORMAT_MAX];
	char owner[FORMAT_MAX];

	text_clear(t);
	text_add(t, "%s %s", format_id(id, c->cookie), format_local(local, c));
	if (!conn_is_listener(c))
		text_add(t, " %s %s", conn_arrow(c),
			 format_remote(remote, c));
	text_add(t, " %s", owner_text(owner, c, o->p->live));
}

static void bar_state(struct text *t, const struct overview *o,
		      const struct conn *c, bool stuck)
{
	uint64_t since = conn_state_since(c);
	const struct step *last = conn_last(c);
	char buf[FORMAT_MAX] = "?";

	text_clear(t);
	if (conn_ended(c)) {
		text_add(t, "%s", last && last->new == TCPTRAIL_CLOSE ?
			 cause_phrase(last->cause) : "~ended");
		return;
	}
	if (since && since <= o->p->now_ns)
		format_duration(buf, o->p->now_ns - since);
	text_add(t, "%s%s %s+", stuck ? "! " : "", state_short(conn_state(c)),
		 buf);
}

static void bar_visits(struct pict *pict, const struct overview *o,
		       const struct strip *st, const struct conn *c, double y)
{
	struct timeline *tl = xzalloc(sizeof(*tl));
	double from = st->x, to = from;

	conn_timeline(c, tl);
	for (size_t i = 0; i < tl->n; i++) {
		const struct visit *v = &tl->v[i];
		uint64_t end = timeline_known(tl, i, o->p->now_ns);
		struct shape *s;

		if (v->state == TCPTRAIL_CLOSE && i + 1 == tl->n)
			continue;
		from = v->ts_ns ? st->x + span_at(&st->span, v->ts_ns) : to;
		to = st->x + span_at(&st->span, end);
		/* Before a hole: to the middle of what is not known. */
		if (i + 1 < tl->n && !v[1].ts_ns)
			to = (from + to) / 2;
		s = pict_rect(pict, ink_of_state(v->state), from, y - 5,
			      max(to - from, 1), 10);
		s->ts_ns = v->ts_ns;
		s->has_length = v->has_length;
		s->length_ns = v->length_ns;
		s->dashed = !v->ts_ns || (i + 1 < tl->n && !v->has_length);
		shape_say(s, state_name(v->state));
	}
	free(tl);
}

static void explain_dashes(struct pict *pict, struct strip *st)
{
	bool dashed = false;

	for (size_t i = 0; i < pict->n; i++)
		dashed |= pict->shape[i].dashed;
	if (!dashed)
		return;
	st->bottom += 14;
	pict_text(pict, INK_FAINT, PICT_SMALL, EDGE, st->bottom + 9, ALIGN_LEFT,
		  "Dashed: it is not known when it began or ended.");
}

static void bars(struct pict *pict, const struct overview *o, struct strip *st)
{
	struct text t = { 0 };
	double y = st->top + 4;

	for (size_t i = 0; i < o->n; i++, y += PICT_LINE - 1) {
		const struct conn *c = o->conn[i];
		bool stuck = conn_waits(c, o->p->now_ns, o->over_ns);

		bar_label(&t, o, c);
		pict_text(pict, INK_TEXT, PICT_SMALL, EDGE, y + 5, ALIGN_LEFT,
			  t.s);
		bar_visits(pict, o, st, c, y + 5);
		bar_state(&t, o, c, stuck);
		pict_text(pict, stuck ? INK_STUCK : INK_FAINT, PICT_SMALL,
			  st->x + st->width + 8, y + 5, ALIGN_LEFT,
			  t.s)->bold = stuck;
	}
	st->bottom = y + 4;
	text_free(&t);
}

static double label_width(const struct overview *o)
{
	struct text t = { 0 };
	double width = 0;

	for (size_t i = 0; i < o->n; i++) {
		bar_label(&t, o, o->conn[i]);
		width = max(width, text_extent(t.s, PICT_SMALL));
	}
	text_free(&t);
	return width;
}

/* ---- all ---- */

static double right_edge(const struct pict *pict)
{
	double right = 0;

	for (size_t i = 0; i < pict->n; i++)
		if (pict->shape[i].kind == SHAPE_TEXT)
			right = max(right, pict->shape[i].x + pict->shape[i].w);
	return right;
}

void pict_overview(struct pict *pict, const struct overview *o)
{
	struct strip st = { .width = 640 };
	bool grouped = o->n > OVERVIEW_BARS;
	double y;

	memset(pict, 0, sizeof(*pict));
	span_make(&st.span, o->conn, o->n, o->p->now_ns, st.width);
	y = key(pict, head(pict, o, &st.span));
	st.x = EDGE + 12 + (grouped ? GROUP_LABEL : label_width(o));
	st.top = y + 22;
	ticks(pict, &st);
	if (grouped)
		overview_groups(pict, o, &st);
	else
		bars(pict, o, &st);
	breaks(pict, &st);
	explain_dashes(pict, &st);
	pict->width = max(right_edge(pict), st.x + st.width) + EDGE;
	pict->height = st.bottom + 18 + EDGE;
}
