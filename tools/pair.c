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

/**
 * struct end - one connection, to be sorted
 * @hash: of @key
 * @key: addresses and ports of both ends, the lesser first: equal for mirrors
 * @reach: the latest end of this and all before it in its group
 */
struct end {
	struct conn *conn;
	uint64_t hash;
	uint8_t key[36];
	uint64_t reach;
};

static void write_half(uint8_t *to, const uint8_t *addr, uint16_t port)
{
	memcpy(to, addr, 16);
	memcpy(to + 16, &port, 2);
}

static uint64_t mix(uint64_t sum, const uint8_t *addr, uint16_t port)
{
	uint64_t half[2];

	memcpy(half, addr, sizeof(half));
	sum ^= half[0] * 0x9e3779b97f4a7c15ULL;
	sum ^= (half[1] ^ (uint64_t)port << 16) * 0xc2b2ae3d27d4eb4fULL;
	return sum ^ sum >> 29;
}

uint64_t conn_ends_hash(const struct conn *c)
{
	uint64_t local = mix(0, c->who.saddr, c->who.sport);
	uint64_t remote = mix(0, c->who.daddr, c->who.dport);

	local = (local + remote) * 0x9e3779b97f4a7c15ULL;
	return local ^ local >> 32;
}

static void fill_end(struct end *e, struct conn *c)
{
	uint8_t local[18], remote[18];
	bool local_first;

	write_half(local, c->who.saddr, c->who.sport);
	write_half(remote, c->who.daddr, c->who.dport);
	local_first = memcmp(local, remote, 18) < 0;
	e->conn = c;
	e->hash = conn_ends_hash(c);
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
	int diff;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	diff = memcmp(x->key, y->key, sizeof(x->key));
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

/* The greater the better, negative: no pair. Symmetric. */
static int score(const struct conn *a, const struct conn *b)
{
	if (a == b || a->peer || b->peer || !mirrored(a, b) || !overlapping(a, b))
		return -1;
	/* What the numbers say outweighs the rest. */
	return 4 * proof(a, b) + 2 * (conn_passive(a) != conn_passive(b)) +
	       (a->who.netns_cookie == b->who.netns_cookie);
}

/* Ends of one key; sorted by birth. */
struct group {
	struct end *end;
	size_t n;
};

/* Those before the first that reaches @when had all ended by then. */
static size_t first_alive(const struct group *g, uint64_t when)
{
	size_t low = 0, high = g->n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (g->end[mid].reach < when)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/*
 * So many ends of the same addresses and ports at a time are looked at. There
 * is one in each network namespace; only a recording that lies has more.
 */
#define MOST_ALIVE 1000

static struct conn *best_for(const struct group *g, const struct conn *a,
			     int *best_score)
{
	uint64_t end = conn_end(a);
	struct conn *best = NULL;
	size_t first = first_alive(g, a->birth_ns);

	*best_score = -1;
	for (size_t i = first; i < g->n && i - first < MOST_ALIVE; i++) {
		struct conn *b = g->end[i].conn;
		int s;

		/* From here on they came too late. */
		if (b->birth_ns > end)
			break;
		s = score(a, b);
		if (s > *best_score) {
			*best_score = s;
			best = b;
		}
	}
	return best;
}

/* Only who is best for one another; then again with those that are left. */
static bool pair_some(const struct group *g)
{
	bool some = false;
	int s;

	for (size_t i = 0; i < g->n; i++) {
		struct conn *a = g->end[i].conn, *b;

		b = a->peer ? NULL : best_for(g, a, &s);
		if (!b || best_for(g, b, &s) != a)
			continue;
		a->peer = b;
		b->peer = a;
		a->peer_proven = b->peer_proven = s >= 4;
		some = true;
	}
	return some;
}

static void pair_groups(struct end *ends, size_t n)
{
	for (size_t i = 0, next; i < n; i = next) {
		struct group g = { .end = ends + i };
		uint64_t reach = 0;

		for (next = i; next < n && !memcmp(ends[next].key, ends[i].key,
						   sizeof(ends[i].key)); next++) {
			reach = max(reach, conn_end(ends[next].conn));
			ends[next].reach = reach;
			g.n++;
		}
		while (g.n > 1 && pair_some(&g))
			;
	}
}

/*
 * How many have a hash, by its lower bits, 255: as many or more. Most are
 * alone, and need not be sorted.
 */
struct census {
	uint8_t *count;
	uint32_t mask;
};

static void census_take(struct census *cen, const struct conns *cs)
{
	size_t size = 1024;

	while (size < 8 * cs->n && size < 1UL << 31)
		size *= 2;
	cen->count = xzalloc(size);
	cen->mask = size - 1;
	for (size_t i = 0; i < cs->n; i++) {
		uint8_t *n = &cen->count[conn_ends_hash(cs->all[i]) & cen->mask];

		*n += can_pair(cs->all[i]) && *n < 255;
	}
}

void pair_all(struct conns *cs)
{
	struct census cen;
	struct end *ends = NULL;
	size_t n = 0, room = 0;

	census_take(&cen, cs);
	for (size_t i = 0; i < cs->n; i++) {
		struct conn *c = cs->all[i];

		c->peer = NULL;
		if (!can_pair(c) || cen.count[conn_ends_hash(c) & cen.mask] < 2)
			continue;
		make_room(&ends, &room, n, sizeof(*ends));
		fill_end(&ends[n++], c);
	}
	free(cen.count);
	if (n)
		qsort(ends, n, sizeof(*ends), by_key);
	pair_groups(ends, n);
	free(ends);
}
