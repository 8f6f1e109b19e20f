// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>

#include "format.h"
#include "pair.h"
#include "util.h"

/*
 * Two ends have mirrored addresses and ports and lived at the same time. That
 * can be true of strangers (two containers with the same addresses), so the
 * sequence numbers decide where both are known: what one end sends first is
 * what the other receives first.
 */

/* Addresses and ports of both ends, the lesser first: equal for mirrors. */
struct end {
	struct conn *conn;
	uint8_t key[36];
};

static void write_half(uint8_t *to, const uint8_t *addr, uint16_t port)
{
	memcpy(to, addr, 16);
	memcpy(to + 16, &port, 2);
}

static void fill_end(struct end *e, struct conn *c)
{
	uint8_t local[18], remote[18];
	bool local_first;

	write_half(local, c->who.saddr, c->who.sport);
	write_half(remote, c->who.daddr, c->who.dport);
	local_first = memcmp(local, remote, 18) < 0;
	e->conn = c;
	memcpy(e->key, local_first ? local : remote, 18);
	memcpy(e->key + 18, local_first ? remote : local, 18);
}

static bool can_pair(const struct conn *c)
{
	return c->who.sport && c->who.dport && c->nsteps &&
	       !addr_is_any(c->who.daddr);
}

static int by_key(const void *a, const void *b)
{
	const struct end *x = a, *y = b;
	int diff = memcmp(x->key, y->key, sizeof(x->key));

	if (diff)
		return diff;
	if (x->conn->birth_ns != y->conn->birth_ns)
		return x->conn->birth_ns < y->conn->birth_ns ? -1 : 1;
	return x->conn->cookie < y->conn->cookie ? -1 : 1;
}

static bool mirrored(const struct conn *a, const struct conn *b)
{
	return a->who.sport == b->who.dport && a->who.dport == b->who.sport &&
	       !memcmp(a->who.saddr, b->who.daddr, 16) &&
	       !memcmp(a->who.daddr, b->who.saddr, 16);
}

static bool overlapping(const struct conn *a, const struct conn *b)
{
	return a->birth_ns <= conn_end(b) && b->birth_ns <= conn_end(a);
}

/* 1: the numbers of a direction agree, -1: they differ, 0: not known */
static int same_number(bool known_out, uint32_t out, bool known_in, uint32_t in)
{
	if (!known_out || !known_in)
		return 0;
	return out == in ? 1 : -1;
}

/* Both directions; a single contradiction decides. */
static int proof(const struct conn *a, const struct conn *b)
{
	uint32_t a_iss, a_irs, b_iss, b_irs;
	bool ka_iss = conn_iss(a, &a_iss), ka_irs = conn_irs(a, &a_irs);
	bool kb_iss = conn_iss(b, &b_iss), kb_irs = conn_irs(b, &b_irs);
	int there = same_number(ka_iss, a_iss, kb_irs, b_irs);
	int back = same_number(kb_iss, b_iss, ka_irs, a_irs);

	return there < 0 || back < 0 ? -1 : there > 0 || back > 0;
}

/* The greater the better, negative: no pair. */
static int score(const struct conn *a, const struct conn *b)
{
	int p;

	if (a == b || b->peer || !mirrored(a, b) || !overlapping(a, b))
		return -1;
	p = proof(a, b);
	if (p < 0)
		return -1;
	return 4 * p + 2 * (conn_passive(a) != conn_passive(b)) +
	       (a->who.netns_cookie == b->who.netns_cookie);
}

static void pair_one(struct end *ends, size_t n, size_t i)
{
	struct conn *a = ends[i].conn, *best = NULL;
	int best_score = -1;

	for (size_t k = i + 1; k < n && !memcmp(ends[k].key, ends[i].key,
						sizeof(ends[i].key)); k++) {
		int s;

		/* Sorted by birth: from here on they came too late. */
		if (ends[k].conn->birth_ns > conn_end(a))
			break;
		s = score(a, ends[k].conn);
		if (s > best_score) {
			best_score = s;
			best = ends[k].conn;
		}
	}
	if (!best)
		return;
	a->peer = best;
	best->peer = a;
	a->peer_proven = best->peer_proven = best_score >= 4;
}

void pair_all(struct conns *cs)
{
	struct end *ends = xzalloc((cs->n + 1) * sizeof(*ends));
	size_t n = 0;

	for (size_t i = 0; i < cs->n; i++) {
		cs->all[i]->peer = NULL;
		if (can_pair(cs->all[i]))
			fill_end(&ends[n++], cs->all[i]);
	}
	qsort(ends, n, sizeof(*ends), by_key);
	for (size_t i = 0; i < n; i++)
		if (!ends[i].conn->peer)
			pair_one(ends, n, i);
	free(ends);
}
