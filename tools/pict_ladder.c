// SPDX-License-Identifier: GPL-2.0
/* The picture of one connection: shapes where the plan says. */
#include <stdio.h>
#include <string.h>

#include "plan.h"
#include "state.h"

/* ---- above ---- */

static double heading(struct pict *pict, const struct ladder *l,
		      const struct conn *c)
{
	char local[FORMAT_MAX], remote[FORMAT_MAX], id[FORMAT_MAX];
	char age[FORMAT_MAX] = "?", date[FORMAT_MAX];
	uint64_t since = conn_state_since(c), now = l->p->now_ns;
	struct text t = { 0 };
	unsigned int missing = conn_missing(c);
	double y = EDGE + 8;

	text_add(&t, "%s  %s %s %s", format_id(id, c->cookie),
		 format_local(local, c), conn_arrow(c),
		 format_remote(remote, c));
	pict_text(pict, INK_TEXT, 15, EDGE, y, ALIGN_LEFT, t.s)->bold = true;
	text_clear(&t);
	if (since && since <= now)
		format_duration(age, now - since);
	text_add(&t, "%s for %s%s; history %s", state_name(conn_state(c)), age,
		 conn_ended(c) ? "" : "+",
		 completeness_name(conn_completeness(c)));
	if (missing)
		text_add(&t, ", steps missing: %u", missing);
	text_add(&t, "; %s %s", c->who.flags & TCPTRAIL_F_LATE ? "first seen" :
		 "born", format_date(date, &l->p->clock, c->birth_ns));
	pict_text(pict, INK_TEXT, PICT_FONT, EDGE, y += 21, ALIGN_LEFT, t.s);
	text_free(&t);
	return y;
}

static void add_isn(struct text *t, const struct ladder *l, int lane)
{
	uint32_t isn;

	text_add(t, "%c = ", lane == LEFT ? 'x' : 'y');
	if (ladder_isn(l, lane, &isn))
		text_add(t, "%u", isn);
	else
		text_add(t, "?");
}

static double numbers(struct pict *pict, const struct ladder *l,
		      const struct conn *c, double y)
{
	struct text t = { 0 };
	char id[FORMAT_MAX];

	if (c->who.flags & TCPTRAIL_F_REDACTED) {
		text_add(&t, "sequence numbers are hidden");
	} else {
		add_isn(&t, l, LEFT);
		text_add(&t, ", ");
		add_isn(&t, l, RIGHT);
	}
	if (c->peer)
		text_add(&t, "; other end %s%s", c->peer_proven ? "" : "~",
			 format_id(id, c->peer->cookie));
	else
		text_add(&t, "; the other end was not seen: dashed, ~ inferred");
	pict_text(pict, INK_TEXT, PICT_FONT, EDGE, y += PICT_LINE, ALIGN_LEFT,
		  t.s);
	text_free(&t);
	return y;
}

static void set_addresses(struct plan *pl, const struct ladder *l)
{
	for (int lane = LEFT; lane <= RIGHT; lane++) {
		if (l->conn[lane])
			format_local(pl->address[lane], l->conn[lane]);
		else
			format_remote(pl->address[lane], l->conn[!lane]);
	}
}

/* x of texts beside a lane, and which of their ends it is */
static double beside(const struct plan *pl, int lane)
{
	return pl->lane[lane] + (lane == LEFT ? -1 : 1) * (LANE / 2 + BESIDE);
}

static enum align side_align(int lane)
{
	return lane == LEFT ? ALIGN_RIGHT : ALIGN_LEFT;
}

static void lane_heading(struct pict *pict, const struct plan *pl, int lane,
			 double y)
{
	const char *title = pl->l->row[0].side[lane].s;

	pict_text(pict, INK_TEXT, PICT_FONT, beside(pl, lane), y,
		  side_align(lane), title)->bold = true;
	pict_text(pict, INK_FAINT, PICT_SMALL, beside(pl, lane), y + 14,
		  side_align(lane), pl->address[lane]);
}

/* ---- lanes ---- */

static size_t next_visit(const struct ladder *l, int lane, size_t i)
{
	for (i++; i < l->n; i++)
		if (l->row[i].lane == lane && (l->row[i].kind == ROW_VISIT ||
					       l->row[i].kind == ROW_HOLE))
			return i;
	return 0;
}

static void hole_bar(struct pict *pict, const struct plan *pl, int lane,
		     double from, double to)
{
	double x = pl->lane[lane] - LANE / 2;

	pict_rect(pict, INK_PAPER, x, from, LANE, to - from);
	for (double y = from; y + 5 <= to; y += 6)
		pict_line(pict, INK_HOLE, x, y + 5, x + LANE, y)->size = 1.5;
}

/* The end of a lane, a little wider: the connection is closed there. */
static void end_bar(struct pict *pict, const struct plan *pl, size_t i)
{
	const struct row *r = &pl->l->row[i];
	double x = pl->lane[r->lane];
	struct shape *s;

	s = pict_rect(pict, ink_of_state(r->visit.state), x - END / 2,
		      pl->place[i].y - 2, END, 4);
	s->ts_ns = r->visit.ts_ns;
	shape_say(s, r->side[r->lane].s);
}

static void visit_bar(struct pict *pict, const struct plan *pl, size_t i)
{
	const struct row *r = &pl->l->row[i];
	size_t next = next_visit(pl->l, r->lane, i);
	double from = pl->place[i].y, to = pl->bottom + 6;
	struct shape *s;

	if (r->last && r->visit.state == TCPTRAIL_CLOSE) {
		end_bar(pict, pl, i);
		return;
	}
	if (next)
		to = pl->place[next].y - (pl->l->row[next].kind == ROW_HOLE ?
					  PICT_LINE / 2 : 0);
	s = pict_rect(pict, ink_of_state(r->visit.state),
		      pl->lane[r->lane] - LANE / 2, from, LANE, to - from);
	s->ts_ns = r->visit.ts_ns;
	s->has_length = r->visit.has_length;
	s->length_ns = r->visit.length_ns;
	s->dashed = !r->visit.ts_ns || (!r->last && !r->visit.has_length);
	shape_say(s, r->side[r->lane].s);
}

static void lane_bars(struct pict *pict, const struct plan *pl, int lane)
{
	const struct ladder *l = pl->l;

	if (!l->conn[lane])
		pict_line(pict, INK_LANE, pl->lane[lane], pl->top,
			  pl->lane[lane], pl->bottom + 6)->dashed = true;
	for (size_t i = 1; i < l->n; i++) {
		size_t next = next_visit(l, lane, i);

		if (l->row[i].lane != lane)
			continue;
		if (l->row[i].kind == ROW_VISIT)
			visit_bar(pict, pl, i);
		else if (l->row[i].kind == ROW_HOLE)
			hole_bar(pict, pl, lane, pl->place[i].y - PICT_LINE / 2,
				 next ? pl->place[next].y : pl->bottom + 6);
	}
}

/* ---- the axis ---- */

/* Two strokes across, as in a drawing of something long. */
static void break_marks(struct pict *pict, enum ink ink, double x, double y,
			double half)
{
	struct shape *s = pict_line(pict, INK_PAPER, x - half - 2, y + 3,
				    x + half + 2, y - 3);

	s->size = 5;
	pict_line(pict, ink, x - half, y + 1, x + half, y - 5);
	pict_line(pict, ink, x - half, y + 5, x + half, y - 1);
}

static bool lane_alive(const struct plan *pl, int lane, double y)
{
	const struct ladder *l = pl->l;
	bool alive = false;

	for (size_t i = 1; i < l->n; i++)
		if (l->row[i].lane == lane && l->row[i].kind == ROW_VISIT &&
		    pl->place[i].y < y)
			alive = !(l->row[i].last &&
				  l->row[i].visit.state == TCPTRAIL_CLOSE);
	return alive;
}

static void axis_gap(struct pict *pict, const struct plan *pl, size_t above,
		     size_t i)
{
	double from = pl->place[above].y, to = pl->place[i].y;
	double middle = (from + to) / 2, x = pl->axis_x;
	struct shape *s = pict_line(pict, INK_AXIS, x, from, x, to);
	char buf[FORMAT_MAX];

	s->dashed = pl->place[i].axis == AXIS_STRETCHED;
	if (pl->place[i].axis != AXIS_SHORTENED)
		return;
	break_marks(pict, INK_AXIS, x, middle, 5);
	for (int lane = LEFT; lane <= RIGHT; lane++)
		if (lane_alive(pl, lane, middle))
			break_marks(pict, INK_AXIS, pl->lane[lane], middle,
				    LANE / 2 + 2);
	format_duration(buf, pl->place[i].ts_ns - pl->place[above].ts_ns);
	pict_text(pict, INK_FAINT, PICT_SMALL, x - 10, middle, ALIGN_RIGHT,
		  buf);
}

static void axis_time(struct pict *pict, const struct plan *pl, size_t i)
{
	struct clock clock = pl->l->p->clock;
	char buf[FORMAT_MAX];
	double y = pl->place[i].y;

	if (i == pl->l->n)
		strcpy(buf, pl->l->p->live ? "now" : "the end");
	else
		format_time(buf, &clock, pl->place[i].ts_ns);
	pict_text(pict, INK_FAINT, PICT_FONT, pl->axis_x - 8, y, ALIGN_RIGHT,
		  buf);
	pict_line(pict, INK_AXIS, pl->axis_x - 4, y, pl->axis_x + 4, y);
}

static void axis(struct pict *pict, const struct plan *pl)
{
	size_t total = pl->l->n + pl->has_now, above = 0;

	for (size_t i = 1; i < total; i++) {
		if (!pl->place[i].ts_ns)
			continue;
		if (above)
			axis_gap(pict, pl, above, i);
		axis_time(pict, pl, i);
		above = i;
	}
}

/* ---- segments ---- */

static enum ink segment_ink(const struct row *r)
{
	return r->nowhere ? INK_LOST :
	       strstr(r->label.s, "RST") ? INK_RESET : INK_SEGMENT;
}

static void cross(struct pict *pict, double x, double y)
{
	pict_line(pict, INK_LOST, x - 4, y - 4, x + 4, y + 4)->size = 2;
	pict_line(pict, INK_LOST, x - 4, y + 4, x + 4, y - 4)->size = 2;
}

/* Its arrival closed the connection. */
static bool ends_lane(const struct row *r)
{
	return r->got && r->got->new == TCPTRAIL_CLOSE;
}

static void segment_line(struct pict *pict, const struct plan *pl, size_t i)
{
	const struct row *r = &pl->l->row[i];
	const struct place *at = &pl->place[i];
	double side = r->to == RIGHT ? 1 : -1;
	double x1 = pl->lane[!r->to] + side * (LANE / 2 + 1);
	double x2 = pl->lane[r->to] - side * ((ends_lane(r) ? END : LANE) / 2 + 1);
	double y2 = at->to_y;
	enum ink ink = segment_ink(r);

	if (r->nowhere) {
		x2 = x1 + (x2 - x1) * 0.9;
		y2 = at->from_y + (y2 - at->from_y) * 0.9;
	}
	pict_line(pict, ink, x1, at->from_y, x2, y2)->size = 1.3;
	if (r->nowhere)
		cross(pict, x2, y2);
	else
		pict_head(pict, ink, x2, y2, x2 - x1, y2 - at->from_y);
}

static void segment_label(struct pict *pict, const struct plan *pl, size_t i)
{
	const struct row *r = &pl->l->row[i];
	const struct place *at = &pl->place[i];
	double x = pl->lane[LEFT] + LANE / 2;
	double span = pl->lane[RIGHT] - LANE / 2 - x;
	double along = r->to == RIGHT ? at->t : 1 - at->t;
	double y = at->from_y + (at->to_y - at->from_y) * at->t;
	double w = text_extent(r->label.s, PICT_FONT);

	x += span * along;
	pict_rect(pict, INK_PAPER, x - w / 2 - 4, y - 7, w + 8, 14);
	pict_text(pict, segment_ink(r), PICT_FONT, x, y, ALIGN_CENTER,
		  r->label.s);
}

/* ---- all ---- */

static void side_texts(struct pict *pict, const struct plan *pl, size_t i)
{
	const struct row *r = &pl->l->row[i];
	double y = pl->place[i].y;

	for (int lane = LEFT; lane <= RIGHT; lane++) {
		enum ink ink = r->kind == ROW_VISIT || lane != r->lane ?
			       INK_TEXT : INK_FAINT;

		if (!r->side[lane].len)
			continue;
		/* What must have been elsewhere, where its segment starts. */
		if (r->kind == ROW_SEGMENT)
			y = pl->place[i].from_y;
		pict_text(pict, r->kind == ROW_HOLE ? INK_HOLE : ink,
			  PICT_FONT, beside(pl, lane), y, side_align(lane),
			  r->side[lane].s)->bold = r->kind == ROW_VISIT;
	}
}

static void draw_rows(struct pict *pict, const struct plan *pl)
{
	for (int lane = LEFT; lane <= RIGHT; lane++)
		lane_bars(pict, pl, lane);
	axis(pict, pl);
	for (size_t i = 1; i < pl->l->n; i++)
		if (pl->l->row[i].to >= 0)
			segment_line(pict, pl, i);
	for (size_t i = 1; i < pl->l->n; i++)
		if (pl->l->row[i].to >= 0)
			segment_label(pict, pl, i);
	for (size_t i = 1; i < pl->l->n; i++)
		side_texts(pict, pl, i);
}

/* What the marks mean, of those that are there. */
static double legend(struct pict *pict, const struct plan *pl, double y)
{
	bool stretched = false, shortened = false, nowhere = false;
	bool level = false;
	struct text t = { 0 };

	for (size_t i = 1; i < pl->l->n + pl->has_now; i++) {
		stretched |= pl->place[i].axis == AXIS_STRETCHED;
		shortened |= pl->place[i].axis == AXIS_SHORTENED;
		if (i == pl->l->n || pl->l->row[i].to < 0)
			continue;
		nowhere |= pl->l->row[i].nowhere;
		level |= pl->place[i].from_y == pl->place[i].to_y;
	}
	text_add(&t, "Time: solid, to scale%s%s.",
		 stretched ? "; dashed, stretched" : "",
		 shortened ? "; //, shortened" : "");
	if (nowhere)
		text_add(&t, " A crossed arrow: nobody is known to have got it.");
	pict_text(pict, INK_FAINT, PICT_SMALL, EDGE, y, ALIGN_LEFT, t.s);
	text_clear(&t);
	text_add(&t, "%sSegments that caused no step are not drawn.",
		 level ? "A level arrow: it is not known when it left, or when it arrived. " : "");
	pict_text(pict, INK_FAINT, PICT_SMALL, EDGE, y + 14, ALIGN_LEFT, t.s);
	text_free(&t);
	return y + 14;
}

static double widest(const struct pict *pict)
{
	double width = 0;

	for (size_t i = 0; i < pict->n; i++)
		if (pict->shape[i].kind == SHAPE_TEXT)
			width = max(width, pict->shape[i].x + pict->shape[i].w);
	return width;
}

void pict_ladder(struct pict *pict, const struct picture *p,
		 const struct conn *c)
{
	struct plan pl = { 0 };
	struct ladder l;
	double y;

	memset(pict, 0, sizeof(*pict));
	ladder_build(&l, p, c);
	y = heading(pict, &l, c);
	y = numbers(pict, &l, c, y) + 30;
	set_addresses(&pl, &l);
	plan_make(&pl, &l, y + 22);
	lane_heading(pict, &pl, LEFT, y);
	lane_heading(pict, &pl, RIGHT, y);
	draw_rows(pict, &pl);
	y = legend(pict, &pl, pl.bottom + 32);
	pict->width = max(pl.width, widest(pict) + EDGE);
	pict->height = y + EDGE;
	plan_free(&pl);
	ladder_free(&l);
}
