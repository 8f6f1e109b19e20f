// SPDX-License-Identifier: GPL-2.0
/*
 * Lays out the ladder of every connection of recordings, and their overview,
 * and looks for texts that overlap, leave the picture, or lie on a lane, and
 * for arrows that end within one.
 *
 * usage: overlap FILE...
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "draw.h"
#include "pict.h"
#include "reader.h"
#include "show.h"

static unsigned int bad, pictures, texts;

static void complain(const char *name, const char *what, const char *a,
		     const char *b)
{
	printf("%s: %s: \"%s\" \"%s\"\n", name, what, a, b);
	bad++;
}

static bool covers(const struct shape *bar, const struct shape *t)
{
	return t->x < bar->x + bar->w && bar->x < t->x + t->w &&
	       t->y < bar->y + bar->h && bar->y < t->y + t->h;
}

/* Bars of states, not the paper behind a label. */
static bool is_bar(const struct shape *s)
{
	return s->kind == SHAPE_RECT && s->ink >= INK_STATE && s->h > 3;
}

static void check_text(const char *name, const struct pict *p,
		       const struct shape *t)
{
	texts++;
	if (t->x < 0 || t->y < 0 || t->x + t->w > p->width ||
	    t->y + t->h > p->height)
		complain(name, "outside", t->text, "");
	for (size_t i = 0; i < p->n; i++)
		if (is_bar(&p->shape[i]) && covers(&p->shape[i], t))
			complain(name, "on a bar", t->text,
				 p->shape[i].text ? p->shape[i].text : "");
}

static void check_head(const char *name, const struct pict *p,
		       const struct shape *h)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct shape *s = &p->shape[i];

		if (is_bar(s) && h->x > s->x && h->x < s->x + s->w &&
		    h->y > s->y && h->y < s->y + s->h)
			complain(name, "an arrow ends in a bar", s->text, "");
	}
}

static void check(const char *name, const struct pict *p)
{
	const struct shape *a, *b;

	pictures++;
	if (pict_overlap(p, &a, &b))
		complain(name, "overlap", a->text, b->text);
	for (size_t i = 0; i < p->n; i++) {
		if (p->shape[i].kind == SHAPE_TEXT)
			check_text(name, p, &p->shape[i]);
		if (p->shape[i].kind == SHAPE_HEAD)
			check_head(name, p, &p->shape[i]);
	}
}

static void check_conn(const char *file, const struct picture *p,
		       const struct conn *c)
{
	struct picture own = *p;
	char name[300], id[FORMAT_MAX];
	struct pict pict;

	if (conn_is_listener(c))
		return;
	own.clock.first_ns = own.clock.last_ns = show_pair_birth(c);
	snprintf(name, sizeof(name), "%s %s", file, format_id(id, c->cookie));
	pict_ladder(&pict, &own, c);
	check(name, &pict);
	pict_free(&pict);
}

static void check_file(const char *file)
{
	struct opts opts = { .in = file, .last = -1 };
	struct source *src = source_open(file, ST_ERROR);
	struct picture p = { .live = false };
	struct overview o = { .p = &p, .over_ns = 5 * NSEC_PER_SEC };
	struct pict pict;
	struct merge m;

	show_read(&opts, src, &m);
	p.now_ns = reader_now(src, &m);
	p.clock.mode = TIME_REL;
	p.clock.real_ns = src->info.real_ns - src->info.boot_ns;
	o.conn = show_choose(&opts, &m, p.now_ns, &o.n);
	for (size_t i = 0; i < o.n; i++)
		check_conn(file, &p, o.conn[i]);
	pict_overview(&pict, &o);
	check(file, &pict);
	pict_free(&pict);
	free(o.conn);
	merge_free(&m);
	source_close(src);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		check_file(argv[i]);
	printf("%u pictures, %u texts, %u complaints\n", pictures, texts, bad);
	return bad || !pictures;
}
