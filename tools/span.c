// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>

#include "span.h"
#include "util.h"

/* A silence of more than this part of the whole is shortened, to the other. */
#define CUT_ABOVE	0.3
#define CUT_TO		0.06

struct times {
	uint64_t *ns;
	size_t n, room;
};

static void add_time(struct times *t, uint64_t ns)
{
	if (!ns)
		return;
	make_room(&t->ns, &t->room, t->n, sizeof(*t->ns));
	t->ns[t->n++] = ns;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void collect(struct times *t, const struct conn *const *conn, size_t n,
		    uint64_t now_ns)
{
	struct timeline *tl = xzalloc(sizeof(*tl));
	bool open = false;

	for (size_t i = 0; i < n; i++) {
		conn_timeline(conn[i], tl);
		for (size_t k = 0; k < tl->n; k++)
			add_time(t, tl->v[k].ts_ns);
		open |= !conn_ended(conn[i]);
	}
	if (open || !t->n)
		add_time(t, now_ns);
	qsort(t->ns, t->n, sizeof(*t->ns), by_value);
	free(tl);
}

static bool is_cut(const struct span *s, uint64_t ns)
{
	for (size_t i = 0; i < s->ncuts; i++)
		if (s->cut_ns[i] == ns)
			return true;
	return false;
}

/* The longest silence that is not shortened yet. */
static size_t longest(const struct span *s, const struct times *t)
{
	uint64_t most = 0;
	size_t at = 0;

	for (size_t i = 0; i + 1 < t->n; i++) {
		uint64_t gap = t->ns[i + 1] - t->ns[i];

		if (gap > most && !is_cut(s, t->ns[i])) {
			most = gap;
			at = i;
		}
	}
	return at;
}

static void cut(struct span *s, const struct times *t)
{
	uint64_t left = s->to_ns - s->from_ns;

	while (s->ncuts < SPAN_CUTS && t->n > 2) {
		size_t i = longest(s, t);
		uint64_t gap = t->ns[i + 1] - t->ns[i];

		if (gap <= left * CUT_ABOVE || gap == left)
			break;
		s->cut_ns[s->ncuts] = t->ns[i];
		s->cut_length_ns[s->ncuts++] = gap;
		left -= gap;
	}
	s->cut_drawn = CUT_TO * s->length;
	s->per_ns = left ? (s->length - s->ncuts * s->cut_drawn) / left : 0;
}

void span_make(struct span *s, const struct conn *const *conn, size_t n,
	       uint64_t now_ns, double length)
{
	struct times t = { 0 };

	memset(s, 0, sizeof(*s));
	collect(&t, conn, n, now_ns);
	s->from_ns = t.ns[0];
	s->to_ns = t.ns[t.n - 1];
	s->length = length;
	cut(s, &t);
	free(t.ns);
}

double span_at(const struct span *s, uint64_t ts_ns)
{
	double at;

	ts_ns = min(max(ts_ns, s->from_ns), s->to_ns);
	at = (ts_ns - s->from_ns) * s->per_ns;
	for (size_t i = 0; i < s->ncuts; i++) {
		uint64_t in;

		if (ts_ns <= s->cut_ns[i])
			continue;
		in = min(ts_ns - s->cut_ns[i], s->cut_length_ns[i]);
		at += in * (s->cut_drawn / s->cut_length_ns[i] - s->per_ns);
	}
	return at;
}
