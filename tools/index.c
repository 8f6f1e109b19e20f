// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>

#include "age.h"
#include "format.h"
#include "index.h"
#include "tally.h"
#include "util.h"

/* Addresses and ports, as far as its sockets share them. */
struct crowd_key {
	uint8_t local[16], remote[16];
	uint16_t lport, rport;
	uint32_t net;
};

/*
 * @port: listeners of a port, chained by @next (index of the socket plus 1)
 * @crowds: number to count
 */
struct index {
	const struct diag *d;
	const struct netns_list *nets;
	uint32_t port[65536];
	uint32_t *next;
	struct tally crowds;
	uint32_t *crowd;
	size_t crowd_room;
};

/* ---- listeners ---- */

/*
 * How well a listener fits, 0: not. As the kernel scores them: its address, and
 * for IPv4 a socket of IPv4 rather than one of both.
 */
static unsigned int fit(const struct diag_sock *listener, uint32_t net,
			const uint8_t *addr)
{
	bool v6 = listener->who.flags & TCPTRAIL_F_IPV6, v4;
	bool same = !memcmp(listener->who.saddr, addr, 16);

	/* Most differ already here. */
	if (listener->net != net || (!same && !addr_is_any(listener->who.saddr)))
		return 0;
	v4 = addr_is_v4(addr);
	if (v4 && v6 && listener->v6only)
		return 0;
	if (same)
		return 4;
	if (!v4 && !v6)
		return 0;
	return v4 && !v6 ? 3 : 2;
}

/* The best one, and how many are as good. */
static ssize_t find_listener(const struct index *ix, uint32_t net,
			     const uint8_t *addr, uint16_t port, unsigned int *n)
{
	unsigned int best_fit = 1, now;
	ssize_t best = -1;
	uint32_t at;

	*n = 0;
	for (at = ix->port[port]; at; at = ix->next[at - 1]) {
		now = fit(&ix->d->sock[at - 1], net, addr);
		if (now < best_fit || !now)
			continue;
		if (now > best_fit) {
			best = at - 1;
			best_fit = now;
			*n = 0;
		}
		++*n;
	}
	return best;
}

/* An address of another namespace of this machine can't be told from one that
 * is elsewhere, so a SYN_SENT is only followed within its own.
 */
ssize_t index_listener(const struct index *ix, size_t i, unsigned int *n)
{
	const struct diag_sock *s = &ix->d->sock[i];

	if (s->state == TCPTRAIL_SYN_SENT)
		return find_listener(ix, s->net, s->who.daddr, s->who.dport, n);
	return find_listener(ix, s->net, s->who.saddr, s->who.sport, n);
}

static bool ephemeral(const struct index *ix, uint32_t net, uint16_t port)
{
	const struct netns_settings *set = &ix->nets->net[net].set;

	return port >= set->port_min && port <= set->port_max;
}

bool index_passive(const struct index *ix, size_t i)
{
	const struct diag_sock *s = &ix->d->sock[i];
	unsigned int n;

	if (s->state == TCPTRAIL_SYN_SENT)
		return false;
	if (s->request || index_listener(ix, i, &n) >= 0)
		return true;
	return !ephemeral(ix, s->net, s->who.sport) &&
	       ephemeral(ix, s->net, s->who.dport);
}

/* ---- ends ---- */

static bool mirrored(const struct tcptrail_conn *a, const struct tcptrail_conn *b)
{
	return a->sport == b->dport && a->dport == b->sport &&
	       !memcmp(a->saddr, b->daddr, 16) && !memcmp(a->daddr, b->saddr, 16);
}

/* The same addresses in several namespaces: nobody knows which. */
ssize_t index_peer(const struct index *ix, size_t i)
{
	const struct diag_sock *sock = ix->d->sock;
	ssize_t peer = -1;

	for (size_t k = 0; k < ix->d->n; k++) {
		if (sock[k].state == TCPTRAIL_LISTEN ||
		    !mirrored(&sock[k].who, &sock[i].who))
			continue;
		if (peer >= 0 || k == i)
			return -1;
		peer = k;
	}
	return peer;
}

/* ---- crowds ---- */

static bool in_crowds(const struct diag_sock *s)
{
	return s->request || s->state == TCPTRAIL_TIME_WAIT;
}

/* False: it is not counted. */
static bool crowd_key(const struct index *ix, size_t i, struct crowd_key *key)
{
	const struct diag_sock *s = &ix->d->sock[i];

	memset(key, 0, sizeof(*key));
	key->net = s->net + 1;
	if (s->request) {
		key->lport = s->who.sport;
		return age_of(s, NULL, NULL, 0).ns >= NSEC_PER_SEC;
	}
	if (index_passive(ix, i))
		return false;
	/* A port is taken towards a destination, for one address of ours. */
	memcpy(key->local, s->who.saddr, 16);
	memcpy(key->remote, s->who.daddr, 16);
	key->rport = s->who.dport;
	return ephemeral(ix, s->net, s->who.sport);
}

static void count_crowd(struct index *ix, size_t i)
{
	struct crowd_key key;
	size_t n;

	if (!crowd_key(ix, i, &key))
		return;
	n = tally_get(&ix->crowds, &key);
	make_room(&ix->crowd, &ix->crowd_room, n, sizeof(uint32_t));
	ix->crowd[n]++;
}

uint32_t index_crowd(const struct index *ix, size_t i)
{
	struct crowd_key key;
	size_t n;

	if (!in_crowds(&ix->d->sock[i]))
		return 0;
	crowd_key(ix, i, &key);
	n = tally_find(&ix->crowds, &key);
	return n == SIZE_MAX ? 0 : ix->crowd[n];
}

struct index *index_new(const struct diag *d, const struct netns_list *nets)
{
	struct index *ix = xzalloc(sizeof(*ix));

	ix->d = d;
	ix->nets = nets;
	ix->next = xzalloc((d->n + 1) * sizeof(*ix->next));
	tally_init(&ix->crowds, sizeof(struct crowd_key));
	for (size_t i = 0; i < d->n; i++) {
		const struct diag_sock *s = &d->sock[i];

		if (s->state != TCPTRAIL_LISTEN)
			continue;
		ix->next[i] = ix->port[s->who.sport];
		ix->port[s->who.sport] = i + 1;
	}
	for (size_t i = 0; i < d->n; i++)
		if (in_crowds(&d->sock[i]))
			count_crowd(ix, i);
	return ix;
}

void index_free(struct index *ix)
{
	if (!ix)
		return;
	tally_free(&ix->crowds);
	free(ix->crowd);
	free(ix->next);
	free(ix);
}
