// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>

#include "narrow.h"
#include "pair.h"
#include "reader.h"

bool narrow_wanted(const struct opts *opts)
{
	return opts->filter || opts->since_ns || opts->over_ns ||
	       opts->last >= 0;
}

/* ---- first pass ---- */

/* Without --last those that are not chosen don't matter. */
static void note(struct narrow *nar, const struct conn *c)
{
	bool is_chosen = nar->chosen(nar->opts, c, nar->now_ns);

	if (!is_chosen && nar->opts->last < 0)
		return;
	make_room(&nar->cand, &nar->room, nar->n, sizeof(*nar->cand));
	nar->cand[nar->n++] = (struct candidate){
		.ends = conn_ends_hash(c), .first_ns = conn_first(c),
		.chosen = is_chosen };
}

static bool note_and_forget(const struct conn *c, void *arg)
{
	note(arg, c);
	return false;
}

static void read_once(struct narrow *nar, struct source *src)
{
	struct merge m;

	reader_init(&m, src);
	m.keep = note_and_forget;
	m.keep_arg = nar;
	/* Less than it will be: what is too old now is too old then. */
	nar->now_ns = src->info.boot_ns;
	reader_catch_up(src, &m);
	nar->now_ns = reader_now(src, &m);
	merge_settle_events(&m);
	for (size_t i = 0; i < m.conns.n; i++)
		note(nar, m.conns.all[i]);
	merge_free(&m);
	source_rewind(src);
}

/* ---- what matters ---- */

static int by_ends(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	return x->ends < y->ends ? -1 : x->ends > y->ends;
}

static int newest_first(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x > y ? -1 : x < y;
}

/*
 * Pairs are sorted by the birth of the older end. Who that is, is not known
 * yet, but it has the same addresses and ports: so a connection is at most as
 * old in the list as the oldest of those. What is newer by itself than the
 * last of the newest by that measure may be among the newest; nothing else.
 */
static uint64_t oldest_of_last(struct narrow *nar)
{
	uint64_t *births = xzalloc((nar->n + 1) * sizeof(*births)), oldest, answer;
	size_t n = 0, last = nar->opts->last;

	qsort(nar->cand, nar->n, sizeof(*nar->cand), by_ends);
	for (size_t i = 0, next; i < nar->n; i = next) {
		oldest = UINT64_MAX;
		for (next = i; next < nar->n &&
		     nar->cand[next].ends == nar->cand[i].ends; next++)
			oldest = min(oldest, nar->cand[next].first_ns);
		for (size_t k = i; k < next; k++)
			if (nar->cand[k].chosen)
				births[n++] = oldest;
	}
	qsort(births, n, sizeof(*births), newest_first);
	answer = last > n ? 0 : last ? births[last - 1] : UINT64_MAX;
	free(births);
	return answer;
}

static void take_keys(struct narrow *nar)
{
	uint64_t oldest = nar->opts->last >= 0 && nar->n ? oldest_of_last(nar) : 0;

	tally_init(&nar->keys, sizeof(uint64_t));
	for (size_t i = 0; i < nar->n; i++)
		if (nar->cand[i].chosen && nar->cand[i].first_ns >= oldest)
			tally_get(&nar->keys, &nar->cand[i].ends);
	free(nar->cand);
	nar->cand = NULL;
}

/* ---- second pass ---- */

static bool matters(const struct conn *c, void *arg)
{
	const struct narrow *nar = arg;
	uint64_t ends = conn_ends_hash(c);

	/* Known, even if there is nothing to show. */
	if (nar->opts->cookie && c->cookie == nar->opts->cookie)
		return true;
	return tally_find(&nar->keys, &ends) != SIZE_MAX;
}

void narrow_begin(struct narrow *nar, struct source *src, struct merge *m)
{
	read_once(nar, src);
	take_keys(nar);
	m->keep = matters;
	m->keep_arg = nar;
}

void narrow_end(struct narrow *nar, struct merge *m)
{
	m->keep = NULL;
	tally_free(&nar->keys);
}
