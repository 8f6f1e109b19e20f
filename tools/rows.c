// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>

#include "rows.h"

static const struct process *owner_of(const struct look *l, size_t i)
{
	uint32_t at = l->holders.first[i];

	return at == NO_HOLDER ? NULL :
	       &l->holders.process[l->holders.holder[at].process];
}

static void make_key(struct row_key *key, const struct look *l, size_t i)
{
	const struct diag_sock *s = &l->diag.sock[i];
	const struct process *p = owner_of(l, i);

	memset(key, 0, sizeof(*key));
	key->state = s->state;
	key->passive = s->state == TCPTRAIL_LISTEN || look_passive(l, i);
	key->port = key->passive ? s->who.sport : s->who.dport;
	if (p)
		memcpy(key->owner, p->comm, sizeof(key->owner));
}

static void judge(struct row *row, const struct look *l, size_t i,
		  uint64_t over_ns)
{
	const struct rule *rule;
	struct evidence ev;

	look_evidence(l, i, over_ns, &ev);
	if (!row->n || ev.age.ns > row->oldest.ns) {
		row->oldest = ev.age;
		row->oldest_sock = i;
	}
	rule = verdict_of(&ev);
	if (!rule)
		return;
	row->stuck += rule->severity == SEV_FAIL;
	if (!row->rule || rule->severity < row->rule->severity)
		row->rule = rule;
}

static void add(struct rows *rs, struct tally *keys, const struct look *l,
		size_t i, uint64_t over_ns)
{
	const struct process *p = owner_of(l, i);
	struct row_key key;
	struct row *row;
	size_t n;

	make_key(&key, l, i);
	n = tally_get(keys, &key);
	make_room(&rs->row, &rs->room, n, sizeof(*rs->row));
	rs->n = max(rs->n, n + 1);
	row = &rs->row[n];
	row->key = key;
	judge(row, l, i, over_ns);
	if (!row->n && p)
		row->pid = p->pid;
	else if (!p || row->pid != p->pid)
		row->pid = 0;
	row->n++;
}

void rows_make(struct rows *rs, const struct look *l,
	       const struct filter *filter, uint64_t over_ns)
{
	struct tally keys;

	memset(rs, 0, sizeof(*rs));
	tally_init(&keys, sizeof(struct row_key));
	for (size_t i = 0; i < l->diag.n; i++)
		if (look_match(l, filter, i))
			add(rs, &keys, l, i, over_ns);
	tally_free(&keys);
}

void rows_compare(struct rows *rs, const struct rows *old)
{
	struct tally keys;
	size_t k;

	/* Their numbers are those of the rows: no key is there twice. */
	tally_init(&keys, sizeof(struct row_key));
	for (k = 0; k < old->n; k++)
		tally_get(&keys, &old->row[k].key);
	for (size_t i = 0; i < rs->n; i++) {
		k = tally_find(&keys, &rs->row[i].key);
		rs->row[i].before = k == SIZE_MAX ? 0 : old->row[k].n;
	}
	tally_free(&keys);
}

/* ---- order ---- */

static int by_count(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->n != y->n)
		return x->n > y->n ? -1 : 1;
	return memcmp(&x->key, &y->key, sizeof(x->key));
}

static int by_finding(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->stuck != y->stuck)
		return x->stuck > y->stuck ? -1 : 1;
	return by_count(a, b);
}

static int by_age(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->oldest.ns != y->oldest.ns)
		return x->oldest.ns > y->oldest.ns ? -1 : 1;
	return by_count(a, b);
}

static int by_state(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->key.state != y->key.state)
		return x->key.state < y->key.state ? -1 : 1;
	return by_count(a, b);
}

void rows_sort(struct rows *rs, enum row_order order)
{
	static int (*const orders[])(const void *, const void *) = {
		[ROWS_BY_FINDING] = by_finding,
		[ROWS_BY_COUNT] = by_count,
		[ROWS_BY_AGE] = by_age,
		[ROWS_BY_STATE] = by_state,
	};

	if (rs->n)
		qsort(rs->row, rs->n, sizeof(*rs->row), orders[order]);
}

void rows_free(struct rows *rs)
{
	free(rs->row);
	memset(rs, 0, sizeof(*rs));
}
