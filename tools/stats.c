// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>

#include "state.h"
#include "stats.h"
#include "util.h"

static void add(struct sample *s, uint64_t ns)
{
	make_room(&s->ns, &s->room, s->n, sizeof(*s->ns));
	s->ns[s->n++] = ns;
	s->sum += ns;
}

/* Only stays of which both ends are known. */
static void add_visits(struct stats *st, const struct conn *c)
{
	struct timeline tl;

	conn_timeline(c, &tl);
	for (size_t i = 0; i < tl.n; i++) {
		const struct visit *v = &tl.v[i];

		if (v->has_length && v->ts_ns && v->state < STATS_STATES &&
		    v->state != TCPTRAIL_CLOSE)
			add(&st->state[v->state], v->length_ns);
	}
}

static void add_handshake(struct stats *st, const struct conn *c)
{
	const struct step *made = conn_find(c, TCPTRAIL_ESTABLISHED);
	const struct step *first = c->nsteps ? c->step[0] : NULL;
	uint64_t wait;

	if (!made || !made->ts_ns)
		return;
	if (conn_accept_wait(c, &wait))
		add(&st->accept_wait, wait);
	/* A birth that was not seen says nothing about the handshake. */
	if (!first || !first->ts_ns || (c->who.flags & TCPTRAIL_F_LATE) ||
	    first->ts_ns > made->ts_ns)
		return;
	if (first->new == TCPTRAIL_SYN_SENT)
		add(&st->active, made->ts_ns - first->ts_ns);
	else if (first->new == TCPTRAIL_NEW_SYN_RECV)
		add(&st->passive, made->ts_ns - first->ts_ns);
}

static void add_now(struct stats *st, const struct conn *c)
{
	unsigned int state = conn_state(c);

	if (conn_ended(c))
		return;
	if (state && state < STATS_STATES)
		st->now[state]++;
	else
		st->open_unknown++;
}

static int by_length(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void sort(struct sample *s)
{
	if (s->n)
		qsort(s->ns, s->n, sizeof(*s->ns), by_length);
}

void stats_make(struct stats *st, const struct conns *cs,
		bool (*chosen)(const struct conn *c, const void *arg),
		const void *arg)
{
	memset(st, 0, sizeof(*st));
	for (size_t i = 0; i < cs->n; i++) {
		const struct conn *c = cs->all[i];

		if ((!c->nsteps && !c->first_old) || !chosen(c, arg))
			continue;
		st->connections++;
		add_visits(st, c);
		add_handshake(st, c);
		add_now(st, c);
	}
	for (unsigned int i = 0; i < STATS_STATES; i++)
		sort(&st->state[i]);
	sort(&st->active);
	sort(&st->passive);
	sort(&st->accept_wait);
}

uint64_t sample_quantile(const struct sample *s, double q)
{
	/* The nearest rank; a hair less, since 0.9 * 10 may be more than 9. */
	size_t rank = q * s->n - 1e-9;

	return s->ns[min(rank, s->n - 1)];
}

size_t sample_upto(const struct sample *s, uint64_t ns)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (s->ns[mid] <= ns)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

uint64_t stats_bucket(unsigned int i)
{
	uint64_t ns = 1000;

	while (i--)
		ns *= 10;
	return ns;
}

void stats_free(struct stats *st)
{
	for (unsigned int i = 0; i < STATS_STATES; i++)
		free(st->state[i].ns);
	free(st->active.ns);
	free(st->passive.ns);
	free(st->accept_wait.ns);
}
