// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "paper.h"

struct row *paper_row(struct paper *paper)
{
	struct row *r;

	make_room(&paper->row, &paper->room, paper->n, sizeof(*paper->row));
	r = &paper->row[paper->n++];
	r->to = -1;
	text_add(&r->side[LEFT], "%s", "");
	text_add(&r->side[RIGHT], "%s", "");
	text_add(&r->label, "%s", "");
	return r;
}

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

static void free_rows(struct paper *paper)
{
	for (size_t i = 0; i < paper->n; i++) {
		text_free(&paper->row[i].side[LEFT]);
		text_free(&paper->row[i].side[RIGHT]);
		text_free(&paper->row[i].label);
	}
	free(paper->row);
	memset(paper, 0, sizeof(*paper));
}

void paper_print(struct paper *paper, const struct picture *p)
{
	size_t left = 0, middle = 24;

	for (size_t i = 0; i < paper->n; i++) {
		left = max(left, paper->row[i].side[LEFT].len);
		middle = max(middle, paper->row[i].label.len + 6);
	}
	for (size_t i = 0; i < paper->n; i++)
		print_row(p, &paper->row[i], left, middle);
	free_rows(paper);
}
