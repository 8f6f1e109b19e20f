// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>

#include "group.h"
#include "index.h"
#include "tally.h"

struct group_key {
	const struct rule *rule;
	uint8_t addr[16];
	char comm[16];
	uint32_t net;
	uint16_t port;
	uint16_t passive;
};

/* ---- who is to act ---- */

static uint32_t first_holder(const struct look *l, size_t i)
{
	return l->diag.sock[i].inode ? l->holders.first[i] : NO_HOLDER;
}

/* A child that only inherited it is the one that has to let go. */
static uint32_t choose_holder(const struct look *l, size_t i)
{
	const struct tcptrail_task *opener = look_opener(l, i);
	uint32_t best = first_holder(l, i), at, other;

	for (at = best; at != NO_HOLDER; at = l->holders.holder[at].next) {
		const struct process *p =
			&l->holders.process[l->holders.holder[at].process];

		if (opener && p->pid != opener->tgid)
			return at;
		other = first_holder(l, i);
		for (; other != NO_HOLDER; other = l->holders.holder[other].next)
			if (l->holders.process[l->holders.holder[other].process]
			    .pid == p->ppid)
				best = at;
	}
	return best;
}

/* A holder of the socket, or else of its listener. */
static uint32_t find_actor(const struct look *l, size_t i, bool *listening)
{
	const struct diag_sock *s = &l->diag.sock[i];
	unsigned int n;
	ssize_t listener;

	*listening = s->state == TCPTRAIL_LISTEN;
	if (s->inode)
		return choose_holder(l, i);
	*listening = s->state != TCPTRAIL_TIME_WAIT && !s->mini;
	if (!*listening || !look_passive(l, i))
		return NO_HOLDER;
	listener = index_listener(l->index, i, &n);
	return listener < 0 ? NO_HOLDER : first_holder(l, listener);
}

static const struct process *holder_process(const struct look *l, uint32_t h)
{
	return h == NO_HOLDER ? NULL :
	       &l->holders.process[l->holders.holder[h].process];
}

/* ---- what is alike ---- */

static void make_key(struct group_key *key, const struct look *l, size_t i,
		     const struct evidence *ev, const struct rule *rule)
{
	const struct process *p;
	bool listening;

	memset(key, 0, sizeof(*key));
	key->rule = rule;
	key->net = ev->s->net;
	key->passive = ev->passive || ev->s->state == TCPTRAIL_LISTEN;
	key->port = key->passive ? ev->s->who.sport : ev->s->who.dport;
	if (rule->states == 1U << TCPTRAIL_TIME_WAIT && !key->passive)
		memcpy(key->addr, ev->s->who.daddr, 16);
	p = holder_process(l, find_actor(l, i, &listening));
	if (p)
		memcpy(key->comm, p->comm, sizeof(key->comm));
}

static void start_group(struct group *g, const struct look *l, size_t i,
			const struct group_key *key)
{
	uint32_t actor = find_actor(l, i, &g->listening);

	g->rule = key->rule;
	g->passive = key->passive;
	g->same_local = g->same_remote = true;
	g->soonest_ms = UINT32_MAX;
	g->actor = NO_HOLDER;
	if (actor == NO_HOLDER)
		return;
	g->actor = l->holders.holder[actor].process;
	g->actor_fd = l->holders.holder[actor].fd;
}

/* The three oldest, the oldest first; unknown ages are the youngest. */
static void add_example(struct group *g, const struct look *l, uint32_t i,
			uint64_t age_ns)
{
	size_t have = min(g->n, GROUP_EXAMPLES), at = have;

	while (at > 0 && groups_age(l, g->example[at - 1]).ns < age_ns)
		at--;
	if (at == GROUP_EXAMPLES)
		return;
	for (size_t k = min(have, GROUP_EXAMPLES - 1); k > at; k--)
		g->example[k] = g->example[k - 1];
	g->example[at] = i;
}

static void add_age(struct group *g, const struct age *age)
{
	if (age->kind == AGE_UNKNOWN) {
		g->unknown++;
		return;
	}
	if (g->oldest.kind == AGE_UNKNOWN || age->ns > g->oldest.ns)
		g->oldest = *age;
	if (g->newest.kind == AGE_UNKNOWN || age->ns < g->newest.ns)
		g->newest = *age;
}

static void add_to_group(struct groups *gs, struct group *g,
			 const struct look *l, uint32_t i,
			 const struct evidence *ev)
{
	const struct diag_sock *first = &l->diag.sock[g->n ? g->first - 1 : i];

	add_example(g, l, i, ev->age.ns);
	add_age(g, &ev->age);
	if (ev->s->timer)
		g->soonest_ms = min(g->soonest_ms, ev->s->expires_ms);
	g->same_local &= !memcmp(first->who.saddr, ev->s->who.saddr, 16);
	g->same_remote &= !memcmp(first->who.daddr, ev->s->who.daddr, 16);
	gs->next[i] = g->first;
	g->first = i + 1;
	g->n++;
}

static void judge(struct groups *gs, struct tally *keys, const struct look *l,
		  uint32_t i, uint64_t over_ns)
{
	const struct diag_sock *s = &l->diag.sock[i];
	const struct rule *rule = NULL;
	struct group_key key;
	struct evidence ev;
	size_t n;

	if (!verdict_quiet(s)) {
		look_evidence(l, i, over_ns, &ev);
		rule = verdict_of(&ev);
	}
	gs->by_state[s->state]++;
	gs->total++;
	gs->fine[s->state] += !rule || rule->severity == SEV_NORMAL;
	if (!rule)
		return;
	make_key(&key, l, i, &ev, rule);
	n = tally_get(keys, &key);
	make_room(&gs->group, &gs->room, n, sizeof(*gs->group));
	if (n >= gs->n) {
		gs->n = n + 1;
		start_group(&gs->group[n], l, i, &key);
	}
	add_to_group(gs, &gs->group[n], l, i, &ev);
	gs->stuck += rule->severity == SEV_FAIL;
}

/* Failures first, what this machine's programs owe before the others. */
static int by_weight(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	if (x->rule->severity != y->rule->severity)
		return x->rule->severity < y->rule->severity ? -1 : 1;
	if (x->rule->waits != y->rule->waits)
		return x->rule->waits < y->rule->waits ? -1 : 1;
	if (x->n != y->n)
		return x->n > y->n ? -1 : 1;
	return x->rule < y->rule ? -1 : x->rule > y->rule;
}

void groups_make(struct groups *gs, const struct look *l,
		 const struct filter *filter, uint64_t over_ns)
{
	struct tally keys;

	memset(gs, 0, sizeof(*gs));
	gs->next = xzalloc((l->diag.n + 1) * sizeof(*gs->next));
	tally_init(&keys, sizeof(struct group_key));
	for (size_t i = 0; i < l->diag.n; i++)
		if (look_match(l, filter, i))
			judge(gs, &keys, l, i, over_ns);
	tally_free(&keys);
	if (gs->n)
		qsort(gs->group, gs->n, sizeof(*gs->group), by_weight);
}

size_t groups_failing(const struct groups *gs)
{
	size_t n = 0;

	while (n < gs->n && gs->group[n].rule->severity == SEV_FAIL)
		n++;
	return n;
}

struct age groups_age(const struct look *l, size_t i)
{
	const struct diag_sock *s = &l->diag.sock[i];

	return age_of(s, &l->facts.fact[i], &l->nets.net[s->net].set, l->now_ns);
}

void groups_free(struct groups *gs)
{
	free(gs->group);
	free(gs->next);
	memset(gs, 0, sizeof(*gs));
}
