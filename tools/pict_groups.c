// SPDX-License-Identifier: GPL-2.0
/*
 * Connections by what they are for: the port of the service, which end of it
 * this is, and the program. A strip shows how many were in which state when.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pict_overview.h"
#include "state.h"

#define COLUMNS		160
#define STATES		12
#define STRIP		30.0
/* More groups than that are one. */
#define MOST		40

/**
 * struct bunch - a group of connections
 * @count: of each state in each column
 */
struct bunch {
	uint16_t port;
	bool passive, listens, unknown, rest;
	char comm[16];
	size_t n, stuck, open;
	uint64_t longest_ns;
	uint32_t (*count)[STATES];
	size_t members;		/* groups in the last one */
};

struct bunches {
	struct bunch *b;
	size_t n, room;
};

static void describe(struct bunch *b, const struct conn *c)
{
	memset(b, 0, sizeof(*b));
	b->listens = conn_is_listener(c);
	b->passive = conn_passive(c) || b->listens;
	b->unknown = conn_side_unknown(c);
	b->port = b->passive ? c->who.sport : c->who.dport;
	/* The service's port is the lower one, mostly. */
	if (b->unknown && c->who.sport < b->port)
		b->port = c->who.sport;
	memcpy(b->comm, c->opener.comm, sizeof(b->comm));
}

static bool same_bunch(const struct bunch *a, const struct bunch *b)
{
	return a->port == b->port && a->passive == b->passive &&
	       a->listens == b->listens && a->unknown == b->unknown &&
	       !strcmp(a->comm, b->comm);
}

static struct bunch *find(struct bunches *bs, const struct conn *c)
{
	struct bunch want;

	describe(&want, c);
	for (size_t i = 0; i < bs->n; i++)
		if (same_bunch(&bs->b[i], &want))
			return &bs->b[i];
	make_room(&bs->b, &bs->room, bs->n, sizeof(*bs->b));
	bs->b[bs->n] = want;
	bs->b[bs->n].count = xzalloc(COLUMNS * sizeof(*want.count));
	return &bs->b[bs->n++];
}

static size_t column_of(const struct strip *st, uint64_t ts_ns)
{
	double at = span_at(&st->span, ts_ns) / st->width * COLUMNS;

	return min((size_t)at, (size_t)COLUMNS - 1);
}

/*
 * A state counts in each column that it touches. Behind a hole it is not known
 * since when it was in that state.
 */
static void count_states(struct bunch *b, const struct overview *o,
			 const struct strip *st, const struct conn *c,
			 struct timeline *tl)
{
	uint64_t known = 0;

	conn_timeline(c, tl);
	for (size_t i = 0; i < tl->n; i++) {
		const struct visit *v = &tl->v[i];
		bool hole = i && !v->ts_ns;
		unsigned int state = v->state < STATES && !hole ? v->state : 0;
		uint64_t end = timeline_known(tl, i, o->p->now_ns);
		size_t from, to;

		known = v->ts_ns ? v->ts_ns : known;
		from = column_of(st, known);
		/* The hole itself counts with what is behind it. */
		to = i + 1 < tl->n && !v[1].ts_ns ? from : column_of(st, end);
		if (v->state == TCPTRAIL_CLOSE)
			continue;
		for (size_t k = from; k <= to; k++)
			b->count[k][state]++;
	}
}

static void join(struct bunch *b, const struct overview *o,
		 const struct strip *st, const struct conn *c,
		 struct timeline *tl)
{
	uint64_t since = conn_state_since(c);

	b->n++;
	b->open += !conn_ended(c);
	count_states(b, o, st, c, tl);
	if (!conn_waits(c, o->p->now_ns, o->over_ns))
		return;
	b->stuck++;
	if (since && since <= o->p->now_ns)
		b->longest_ns = max(b->longest_ns, o->p->now_ns - since);
}

/* What needs eyes first: stuck, then many. */
static int by_need(const void *a, const void *b)
{
	const struct bunch *x = a, *y = b;

	if (x->stuck != y->stuck)
		return x->stuck > y->stuck ? -1 : 1;
	if (x->n != y->n)
		return x->n > y->n ? -1 : 1;
	return x->port < y->port ? -1 : x->port > y->port;
}

static void add_to_rest(struct bunch *rest, const struct bunch *b)
{
	rest->n += b->n;
	rest->open += b->open;
	rest->stuck += b->stuck;
	rest->longest_ns = max(rest->longest_ns, b->longest_ns);
	for (size_t k = 0; k < COLUMNS; k++)
		for (size_t s = 0; s < STATES; s++)
			rest->count[k][s] += b->count[k][s];
}

static void merge_rest(struct bunches *bs)
{
	struct bunch *rest = &bs->b[MOST - 1];

	if (bs->n <= MOST)
		return;
	rest->rest = true;
	rest->members = bs->n - MOST + 1;
	for (size_t i = MOST; i < bs->n; i++) {
		add_to_rest(rest, &bs->b[i]);
		free(bs->b[i].count);
	}
	bs->n = MOST;
}

/* ---- drawing ---- */

static uint32_t total(const uint32_t *count)
{
	uint32_t sum = 0;

	for (size_t s = 0; s < STATES; s++)
		sum += count[s];
	return sum;
}

static uint32_t peak(const struct bunch *b)
{
	uint32_t most = 1;

	for (size_t k = 0; k < COLUMNS; k++)
		most = max(most, total(b->count[k]));
	return most;
}

static void draw_column(struct pict *pict, const struct strip *st,
			const struct bunch *b, size_t k, size_t run,
			uint32_t most, double y)
{
	double width = st->width / COLUMNS, bottom = y + STRIP;

	for (size_t s = 0; s < STATES; s++) {
		double height = (STRIP - 2) * b->count[k][s] / most;
		char say[FORMAT_MAX];

		if (!b->count[k][s])
			continue;
		bottom -= height;
		snprintf(say, sizeof(say), "%u have been in %s here", b->count[k][s],
			 state_name(s));
		shape_say(pict_rect(pict, ink_of_state(s), st->x + k * width,
				    bottom, width * run, height), say);
	}
}

static void draw_strip(struct pict *pict, const struct strip *st,
		       const struct bunch *b, double y)
{
	uint32_t most = peak(b);

	for (size_t k = 0, run; k < COLUMNS; k += run) {
		for (run = 1; k + run < COLUMNS; run++)
			if (memcmp(b->count[k], b->count[k + run],
				   sizeof(b->count[k])))
				break;
		draw_column(pict, st, b, k, run, most, y);
	}
	pict_line(pict, INK_AXIS, st->x, y + STRIP, st->x + st->width,
		  y + STRIP)->size = 0.5;
}

static void bunch_title(struct text *t, const struct bunch *b)
{
	char comm[FORMAT_MAX];

	text_clear(t);
	if (b->rest) {
		text_add(t, "%zu other groups", b->members);
		return;
	}
	if (b->port)
		text_add(t, "port %u", b->port);
	else
		text_add(t, "port ?");
	text_add(t, ", %s %s", b->listens ? "listener" : b->unknown ? "end" :
		 b->passive ? "server" : "client",
		 b->comm[0] ? format_comm(comm, b->comm) : "?");
}

static void draw_bunch(struct pict *pict, const struct strip *st,
		       const struct bunch *b, double y)
{
	char age[FORMAT_MAX];
	struct text t = { 0 };
	double width = text_extent("x", PICT_FONT);
	size_t fits = GROUP_LABEL / width;

	bunch_title(&t, b);
	if (t.len > fits)
		strcpy(t.s + fits - 2, "..");
	pict_text(pict, INK_TEXT, PICT_FONT, EDGE, y + 9, ALIGN_LEFT, t.s);
	text_clear(&t);
	text_add(&t, "%zu, open %zu", b->n, b->open);
	pict_text(pict, INK_FAINT, PICT_SMALL, EDGE, y + 24, ALIGN_LEFT, t.s);
	draw_strip(pict, st, b, y);
	if (b->stuck) {
		text_clear(&t);
		text_add(&t, "! %zu stuck, up to %s", b->stuck,
			 b->longest_ns ? format_duration(age, b->longest_ns) :
			 "?");
		pict_text(pict, INK_STUCK, PICT_SMALL, st->x + st->width + 8,
			  y + STRIP / 2, ALIGN_LEFT, t.s)->bold = true;
	}
	text_free(&t);
}

void overview_groups(struct pict *pict, const struct overview *o,
		     struct strip *st)
{
	struct timeline *tl = xzalloc(sizeof(*tl));
	struct bunches bs = { 0 };
	double y = st->top + 4;

	for (size_t i = 0; i < o->n; i++)
		join(find(&bs, o->conn[i]), o, st, o->conn[i], tl);
	qsort(bs.b, bs.n, sizeof(*bs.b), by_need);
	merge_rest(&bs);
	for (size_t i = 0; i < bs.n; i++, y += STRIP + 8) {
		draw_bunch(pict, st, &bs.b[i], y);
		free(bs.b[i].count);
	}
	st->bottom = y;
	free(bs.b);
	free(tl);
}
