// SPDX-License-Identifier: GPL-2.0
/*
 * Where things are in the picture of one connection.
 *
 * Each row of the ladder has a height, y. Rows with a time are to scale where
 * that leaves room for their texts and for no more than LONGEST; the axis says
 * where it is not: dotted where it was stretched, broken where it was
 * shortened. Rows without a time stand right above the next that has one,
 * segments that went out right below the one that sent them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan.h"

/* The most that one wait may take. */
#define LONGEST		120.0

/* ---- time to height ---- */

/* Between a row with a time and the one before. */
struct gap {
	double ns, need;
};

/*
 * The scale (pixels for a nanosecond) at which most gaps are true: longer than
 * their texts need, shorter than LONGEST. Of several, the smallest.
 */
static double best_scale(const struct gap *gap, size_t n)
{
	double best = 0;
	size_t most = 0;

	for (size_t i = 0; i < n; i++) {
		double scale = gap[i].ns > 0 ? gap[i].need / gap[i].ns : 0;
		size_t fits = 0;

		if (!scale)
			continue;
		/* As if rounded: the gap that sets the scale must fit it. */
		for (size_t k = 0; k < n; k++)
			fits += gap[k].ns * scale >= gap[k].need * 0.999 &&
				gap[k].ns * scale <= LONGEST * 1.001;
		if (fits > most || (fits == most && scale < best)) {
			most = fits;
			best = scale;
		}
	}
	return best;
}

static enum axis axis_of(const struct gap *g, double scale, double *height)
{
	double true_height = g->ns * scale, longest = max(LONGEST, g->need);

	*height = min(max(true_height, g->need), longest);
	if (true_height > longest * 1.001)
		return AXIS_SHORTENED;
	return true_height < g->need * 0.999 ? AXIS_STRETCHED : AXIS_TRUE;
}

static bool open_at_end(const struct ladder *l, size_t i)
{
	const struct row *r = &l->row[i];

	return r->kind == ROW_VISIT && r->last &&
	       r->visit.state != TCPTRAIL_CLOSE;
}

/* The row that stands for now, or for the end of the recording. */
static void add_now(struct plan *pl)
{
	for (size_t i = 0; i < pl->l->n; i++)
		pl->has_now |= open_at_end(pl->l, i);
	if (pl->has_now)
		pl->place[pl->l->n].ts_ns = pl->l->p->now_ns;
}

static size_t collect_gaps(const struct plan *pl, struct gap *gap)
{
	size_t last = 0, n = 0, total = pl->l->n + pl->has_now;
	double need = PICT_LINE;

	for (size_t i = 1; i < total; i++) {
		const struct place *at = &pl->place[i];

		if (at->ts_ns && last) {
			uint64_t from = pl->place[last].ts_ns;

			gap[n].ns = at->ts_ns > from ? at->ts_ns - from : 0;
			gap[n++].need = need + at->extra;
		}
		need = at->ts_ns ? PICT_LINE : need + PICT_LINE + at->extra;
		last = at->ts_ns ? i : last;
	}
	return n;
}

/* Rows @first to @end without a time, between two that have one. */
static void set_untimed(struct plan *pl, size_t first, size_t end, double y)
{
	size_t k = first;

	for (; k < end && pl->place[k].follows; k++)
		pl->place[k].y = y += PICT_LINE + pl->place[k].extra;
	for (size_t i = end; i-- > k;)
		pl->place[i].y = pl->place[i + 1].y - PICT_LINE -
				 pl->place[i + 1].extra;
}

static double height_of(const struct plan *pl, size_t first, size_t end)
{
	double height = 0;

	for (size_t i = first; i <= end; i++)
		height += PICT_LINE + pl->place[i].extra;
	return height;
}

static void set_heights(struct plan *pl, const struct gap *gap, double scale)
{
	size_t first = 1, total = pl->l->n + pl->has_now, g = 0;
	double y = pl->top;
	bool started = false;

	for (size_t i = 1; i < total; i++) {
		struct place *at = &pl->place[i];
		double height, above = y;

		if (!at->ts_ns)
			continue;
		height = height_of(pl, first, i);
		if (started)
			at->axis = axis_of(&gap[g++], scale, &height);
		at->y = y += height;
		set_untimed(pl, first, i, above);
		first = i + 1;
		started = true;
	}
	for (size_t k = first; k < total; k++)
		pl->place[k].y = y += PICT_LINE + pl->place[k].extra;
	pl->bottom = y;
}

static void place_rows(struct plan *pl)
{
	struct gap *gap = xzalloc((pl->l->n + 1) * sizeof(*gap));
	size_t n = collect_gaps(pl, gap);

	set_heights(pl, gap, best_scale(gap, n));
	free(gap);
}

/* ---- arrows ---- */

/* Where a step's state begins in a lane; 0: it has no row. */
static size_t row_of_step(const struct ladder *l, int lane, const struct step *s)
{
	for (size_t i = 1; s && i < l->n; i++)
		if (l->row[i].kind == ROW_VISIT && l->row[i].lane == lane &&
		    l->row[i].visit.step == s)
			return i;
	return 0;
}

/*
 * Did the segment leave when its step was made? Not a FIN behind data that
 * waited, and perhaps not one that had to be sent again.
 */
static bool left_at_once(const struct conn *c, const struct step *sent)
{
	const struct step *next = NULL;

	if (!step_is_full(sent) || sent->rec->unsent)
		return false;
	for (size_t i = 0; i < c->nsteps && !next; i++)
		if (c->step[i] && c->step[i]->n > sent->n &&
		    step_is_full(c->step[i]))
			next = c->step[i];
	return !next || next->rec->total_retrans == sent->rec->total_retrans;
}

static bool request_left(const struct conn *c, const struct step *sent)
{
	return !strcmp(conn_step_object(sent), "request") && !c->synack_rtx;
}

/* The ACK of the peer's FIN; if it was sent again, TIME_WAIT began anew. */
static bool last_ack_left(const struct conn *c, const struct step *sent)
{
	return sent->new == TCPTRAIL_TIME_WAIT && !c->tw_restarts;
}

static void aim(struct plan *pl, size_t i)
{
	const struct ladder *l = pl->l;
	const struct row *r = &l->row[i];
	struct place *at = &pl->place[i];
	const struct conn *from = l->conn[!r->to];
	size_t start = 0, end = row_of_step(l, r->to, r->got);

	if (r->sent && from && (left_at_once(from, r->sent) ||
				request_left(from, r->sent) ||
				last_ack_left(from, r->sent)))
		start = row_of_step(l, !r->to, r->sent);
	at->to_y = end ? pl->place[end].y : at->y;
	/* Level: nobody knows when it left. */
	at->from_y = start && pl->place[start].y <= at->to_y ?
		     pl->place[start].y : at->to_y;
}

static double lerp(double a, double b, double t)
{
	return a + (b - a) * t;
}

struct box {
	double x, y, w, h;
};

static bool boxes_meet(const struct box *a, const struct box *b)
{
	return a->x < b->x + b->w && b->x < a->x + a->w &&
	       a->y < b->y + b->h && b->y < a->y + a->h;
}

static struct box label_box(const struct plan *pl, size_t i, double t)
{
	const struct row *r = &pl->l->row[i];
	const struct place *at = &pl->place[i];
	double w = text_extent(r->label.s, PICT_FONT) + 8;
	double h = PICT_FONT * 1.2 + 2, x = pl->lane[LEFT] + LANE / 2;
	double span = pl->lane[RIGHT] - LANE / 2 - x;
	double along = r->to == RIGHT ? t : 1 - t;

	return (struct box){ x + span * along - w / 2,
			     lerp(at->from_y, at->to_y, t) - h / 2, w, h };
}

/* The arrow of row @k goes through the box: at its left, middle or right. */
static bool arrow_crosses(const struct plan *pl, size_t k, const struct box *b)
{
	const struct row *r = &pl->l->row[k];
	const struct place *at = &pl->place[k];
	double x = pl->lane[LEFT], span = pl->lane[RIGHT] - x;

	for (int i = 0; i <= 4; i++) {
		double t = (b->x + b->w * i / 4 - x) / span, y;

		y = lerp(at->from_y, at->to_y, r->to == RIGHT ? t : 1 - t);
		if (y > b->y && y < b->y + b->h)
			return true;
	}
	return false;
}

static unsigned int badness(const struct plan *pl, size_t i, const struct box *b)
{
	unsigned int bad = 0;

	for (size_t k = 1; k < pl->l->n; k++) {
		struct box other;

		if (k == i || pl->l->row[k].to < 0)
			continue;
		other = label_box(pl, k, pl->place[k].t);
		if (k < i && boxes_meet(b, &other))
			bad += 100;
		bad += arrow_crosses(pl, k, b);
	}
	return bad;
}

/* Where along its arrow each label stands. False: somewhere is no room. */
static bool place_labels(struct plan *pl)
{
	static const double choices[] = { .5, .42, .58, .35, .65, .28, .72 };
	double margin = LANE + 14;

	for (size_t i = 1; i < pl->l->n; i++) {
		unsigned int least = -1;

		if (pl->l->row[i].to < 0)
			continue;
		for (size_t k = 0; k < ARRAY_SIZE(choices); k++) {
			struct box b = label_box(pl, i, choices[k]);
			unsigned int bad = badness(pl, i, &b);

			if (b.x < pl->lane[LEFT] + margin ||
			    b.x + b.w > pl->lane[RIGHT] - margin)
				bad += 10;
			if (bad < least) {
				least = bad;
				pl->place[i].t = choices[k];
			}
		}
		if (least >= 100) {
			pl->place[i].extra += PICT_LINE;
			return false;
		}
	}
	return true;
}

/* ---- widths ---- */

static void set_columns(struct plan *pl)
{
	double left = 90, middle = 240, right = 90;

	for (size_t i = 0; i < pl->l->n; i++) {
		const struct row *r = &pl->l->row[i];

		left = max(left, text_extent(r->side[LEFT].s, PICT_FONT));
		right = max(right, text_extent(r->side[RIGHT].s, PICT_FONT));
		middle = max(middle, text_extent(r->label.s, PICT_FONT) + 110);
	}
	for (int lane = LEFT; lane <= RIGHT; lane++)
		left = max(left, lane == LEFT ?
			   text_extent(pl->address[lane], PICT_SMALL) : 0);
	right = max(right, text_extent(pl->address[RIGHT], PICT_SMALL));
	pl->axis_x = EDGE + text_extent("0000.000000", PICT_FONT) + 12;
	pl->lane[LEFT] = pl->axis_x + 16 + left + BESIDE + LANE / 2;
	pl->lane[RIGHT] = pl->lane[LEFT] + middle;
	pl->width = pl->lane[RIGHT] + LANE / 2 + BESIDE + right + EDGE;
}

void plan_make(struct plan *pl, const struct ladder *l, double top)
{
	pl->l = l;
	pl->top = top;
	pl->place = xzalloc((l->n + 1) * sizeof(*pl->place));
	for (size_t i = 0; i < l->n; i++) {
		pl->place[i].ts_ns = l->row[i].ts_ns;
		pl->place[i].t = .5;
		pl->place[i].follows = l->row[i].kind == ROW_SEGMENT &&
				       !l->row[i].got;
	}
	add_now(pl);
	set_columns(pl);
	for (int tries = 0; tries < 50; tries++) {
		place_rows(pl);
		for (size_t i = 1; i < l->n; i++)
			if (l->row[i].to >= 0)
				aim(pl, i);
		if (place_labels(pl))
			break;
	}
}

void plan_free(struct plan *pl)
{
	free(pl->place);
	memset(pl, 0, sizeof(*pl));
}
