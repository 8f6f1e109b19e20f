// SPDX-License-Identifier: GPL-2.0
/* A ladder as text. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ladder.h"

/* Columns before the texts of a narrow picture: a time and two lanes. */
#define NARROW_TEXT	18

struct glyphs {
	const char *bar[5], *tick[2], *line, *dash, *head[2], *lost, *dot;
};

static const struct glyphs plain = {
	{ " ", "|", ":", "+", "!" }, { "+", "+" }, "-", ".", { "<", ">" }, "x",
	"*",
};

static const struct glyphs lines = {
	{ " ", "│", "┊", "┼", "!" }, { "┤", "├" }, "─", "┄", { "◀", "▶" }, "✗",
	"●",
};

static void repeat(struct text *t, const char *s, size_t n)
{
	while (n--)
		text_add(t, "%s", s);
}

/* "── SYN seq=1 ──▶": always @width wide. */
static void add_arrow(struct text *t, const struct glyphs *g,
		      const struct row *r, size_t width)
{
	size_t space = width - r->label.len - 3, left = space / 2;
	const char *head = r->nowhere ? g->lost : g->head[r->to];

	text_add(t, "%s", r->to == LEFT ? head : g->line);
	repeat(t, g->line, left);
	text_add(t, " %s ", r->label.s);
	repeat(t, g->line, space - left - 1);
	text_add(t, "%s", r->to == RIGHT ? head : g->line);
}

static void add_bar(struct text *t, const struct glyphs *g, enum bar bar,
		    int lane)
{
	text_add(t, "%s", bar == BAR_TICK ? g->tick[lane] : g->bar[bar]);
}

static void print_row(const struct picture *p, const struct row *r,
		      size_t left, size_t middle)
{
	const struct glyphs *g = p->utf8 ? &lines : &plain;
	struct clock clock = p->clock;
	char time[FORMAT_MAX] = "";
	struct text t = { 0 };

	if (r->ts_ns)
		format_time(time, &clock, r->ts_ns);
	text_add(&t, "%11s %*s ", time, (int)left, r->side[LEFT].s);
	add_bar(&t, g, r->bar[LEFT], LEFT);
	if (r->to >= 0)
		add_arrow(&t, g, r, middle);
	else
		repeat(&t, " ", middle);
	add_bar(&t, g, r->bar[RIGHT], RIGHT);
	text_add(&t, " %s", r->side[RIGHT].s);
	while (t.len && t.s[t.len - 1] == ' ')
		t.s[--t.len] = 0;
	out_line(p->out, r->color, t.s);
	text_free(&t);
}

/* ---- where there is no room for two columns of texts ---- */

/* "├──▶│" and the like; the lane of a text that is no state gets a dot. */
static void add_lanes(struct text *t, const struct glyphs *g,
		      const struct row *r, bool first)
{
	bool dot = first && r->to < 0 && r->kind != ROW_HOLE &&
		   r->kind != ROW_VISIT;

	for (int lane = LEFT; lane <= RIGHT; lane++) {
		enum bar bar = !first && (r->bar[lane] == BAR_TICK ||
					  r->bar[lane] == BAR_HOLE) ?
			       BAR_LINE : r->bar[lane];

		if (dot && r->side[lane].len)
			text_add(t, "%s", g->dot);
		else
			add_bar(t, g, bar, lane);
		if (lane == RIGHT)
			break;
		if (!first || r->to < 0)
			text_add(t, "   ");
		else if (r->to == RIGHT)
			text_add(t, "%s%s%s", g->line, g->line,
				 r->nowhere ? g->lost : g->head[RIGHT]);
		else
			text_add(t, "%s%s%s",
				 r->nowhere ? g->lost : g->head[LEFT], g->line,
				 g->line);
	}
}

static void print_narrow(const struct picture *p, const struct row *r,
			 const struct text *said)
{
	const struct glyphs *g = p->utf8 ? &lines : &plain;
	struct clock clock = p->clock;
	char time[FORMAT_MAX] = "";
	const char *s = said->s;
	size_t room = max(p->out->width, NARROW_TEXT + 8) - NARROW_TEXT;
	bool first = true;

	if (r->ts_ns)
		format_time(time, &clock, r->ts_ns);
	do {
		size_t n = out_words(s, room);
		struct text t = { 0 };

		text_add(&t, "%11s ", first ? time : "");
		add_lanes(&t, g, r, first);
		text_add(&t, " %.*s", (int)n, s);
		while (t.len && t.s[t.len - 1] == ' ')
			t.s[--t.len] = 0;
		out_line(p->out, r->color, t.s);
		text_free(&t);
		s += n;
		s += strspn(s, " ");
		first = false;
	} while (*s);
}

/* The two headings one below the other. */
static void print_narrow_title(const struct picture *p, struct row *r)
{
	for (int lane = LEFT; lane <= RIGHT; lane++) {
		struct row one = *r;

		one.side[!lane].len = 0;
		print_narrow(p, &one, &r->side[lane]);
	}
}

static void draw_narrow(const struct picture *p, const struct ladder *l)
{
	print_narrow_title(p, &l->row[0]);
	for (size_t i = 1; i < l->n; i++) {
		const struct row *r = &l->row[i];
		struct text said = { 0 };

		text_add(&said, "%s", r->label.s);
		for (int lane = LEFT; lane <= RIGHT; lane++)
			if (r->side[lane].len)
				text_add(&said, "%s%s", said.len ? ", " : "",
					 r->side[lane].s);
		print_narrow(p, r, &said);
		text_free(&said);
	}
}

void draw_ladder(const struct picture *p, const struct conn *c)
{
	size_t left = 0, middle = 24, right = 0;
	struct ladder l;

	ladder_build(&l, p, c);
	for (size_t i = 0; i < l.n; i++) {
		left = max(left, l.row[i].side[LEFT].len);
		right = max(right, l.row[i].side[RIGHT].len);
		middle = max(middle, l.row[i].label.len + 6);
	}
	if (p->out->width && 16 + left + middle + right > p->out->width)
		draw_narrow(p, &l);
	else
		for (size_t i = 0; i < l.n; i++)
			print_row(p, &l.row[i], left, middle);
	ladder_free(&l);
}
