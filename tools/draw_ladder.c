// SPDX-License-Identifier: GPL-2.0
/* A ladder as text. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ladder.h"

struct glyphs {
	const char *bar[5], *tick[2], *line, *dash, *head[2], *lost;
};

static const struct glyphs plain = {
	{ " ", "|", ":", "+", "!" }, { "+", "+" }, "-", ".", { "<", ">" }, "x",
};

static const struct glyphs lines = {
	{ " ", "│", "┊", "┼", "!" }, { "┤", "├" }, "─", "┄", { "◀", "▶" }, "✗",
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

void draw_ladder(const struct picture *p, const struct conn *c)
{
	size_t left = 0, middle = 24;
	struct ladder l;

	ladder_build(&l, p, c);
	for (size_t i = 0; i < l.n; i++) {
		left = max(left, l.row[i].side[LEFT].len);
		middle = max(middle, l.row[i].label.len + 6);
	}
	for (size_t i = 0; i < l.n; i++)
		print_row(p, &l.row[i], left, middle);
	ladder_free(&l);
}
