// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>

#include "merge.h"
#include "state.h"
#include "util.h"

/* ---- repeats and loss ---- */

static struct merge_cpu *cpu_of(struct merge *m, uint32_t cpu)
{
	/* Nobody has so many: a corrupt number must not eat the memory. */
	cpu &= 0xffff;
	make_room(&m->cpu, &m->cpu_room, cpu, sizeof(*m->cpu));
	return &m->cpu[cpu];
}

static void add_item(struct merge *m, struct item item)
{
	make_room(&m->item, &m->item_room, m->nitems, sizeof(*m->item));
	item.arrival = m->nitems;
	m->item[m->nitems++] = item;
}

/* Records @first to @last of a ring will not come. */
static void note_loss(struct merge *m, const struct tcptrail_hdr *hdr,
		      uint64_t first, uint64_t last)
{
	struct merge_cpu *cpu = cpu_of(m, hdr->cpu);
	uint64_t lost;

	/* Overwritten after we had it: no loss. */
	first = max(first, cpu->last_seq + 1);
	if (last < first)
		return;
	lost = last - first + 1;
	cpu->last_seq = last;
	m->lost += lost;
	m->unrecovered += lost;
	m->dirty = true;
	add_item(m, (struct item){ .kind = ITEM_LOST, .ts_ns = hdr->ts_ns,
				   .missing = lost, .cpu = hdr->cpu });
}

/* Is this record of a ring one that came before? */
static bool is_repeat(struct merge *m, const struct tcptrail_hdr *hdr)
{
	struct merge_cpu *cpu = cpu_of(m, hdr->cpu);

	if (!hdr->seq)
		return false;
	if (hdr->seq <= cpu->last_seq)
		return true;
	/* A jump that no LOST record announced is a loss all the same. */
	if (cpu->last_seq && hdr->seq > cpu->last_seq + 1)
		note_loss(m, hdr, cpu->last_seq + 1, hdr->seq - 1);
	cpu->last_seq = hdr->seq;
	return false;
}

/* ---- records ---- */

static struct conn *get_conn(struct merge *m, const struct tcptrail_conn *who)
{
	struct conn *c = conns_get(&m->conns, who->cookie, who->birth_ns);

	c->no_accept_hook = !m->accept_seen;
	return c;
}

static struct tcptrail_step *copy_step(const struct tcptrail_hdr *hdr)
{
	static struct tcptrail_step rec;

	memset(&rec, 0, sizeof(rec));
	memcpy(&rec, hdr, min(hdr->size, sizeof(rec)));
	return &rec;
}

static void add_step(struct merge *m, const struct tcptrail_hdr *hdr)
{
	struct tcptrail_step *rec = copy_step(hdr);
	struct conn *c = get_conn(m, &rec->conn);
	struct step *s = conn_add_step(c, rec);

	if (s)
		add_item(m, (struct item){ .kind = ITEM_STEP, .conn = c,
					   .step = s, .ts_ns = s->ts_ns });
}

/*
 * A reset is often sent when the connection is over: its event then only has
 * the cookie. With other rings still to be read its connection may be unknown
 * yet, so it waits for merge_settle_events().
 */
static void add_event(struct merge *m, const struct tcptrail_hdr *hdr)
{
	struct tcptrail_step *rec = copy_step(hdr);
	struct step *s;
	struct conn *c;

	if (!rec->conn.birth_ns) {
		s = xzalloc(sizeof(*s));
		s->rec = xzalloc(sizeof(*rec));
		*s->rec = *rec;
		make_room(&m->stray, &m->stray_room, m->nstrays,
			  sizeof(*m->stray));
		m->stray[m->nstrays++] = s;
		return;
	}
	c = get_conn(m, &rec->conn);
	s = conn_add_event(c, rec);
	add_item(m, (struct item){ .kind = ITEM_EVENT, .conn = c, .step = s,
				   .ts_ns = s->ts_ns });
}

static void settle_event(struct merge *m, const struct tcptrail_step *rec)
{
	struct conn *c = conns_latest(&m->conns, rec->conn.cookie,
				      rec->hdr.ts_ns);
	struct tcptrail_step own = *rec;
	struct step *s;

	if (!c || !rec->conn.cookie)
		c = get_conn(m, &rec->conn);
	/* What it does not know must not count for the connection. */
	own.conn.flags &= TCPTRAIL_F_REDACTED | TCPTRAIL_F_IPV6;
	/* Nor what its socket may have come to hold since. */
	if (c->birth_ns) {
		own.conn.sport = own.conn.dport = 0;
		memset(own.conn.saddr, 0, sizeof(own.conn.saddr));
		memset(own.conn.daddr, 0, sizeof(own.conn.daddr));
	}
	s = conn_add_event(c, &own);
	add_item(m, (struct item){ .kind = ITEM_EVENT, .conn = c, .step = s,
				   .ts_ns = s->ts_ns });
}

void merge_settle_events(struct merge *m)
{
	for (size_t i = 0; i < m->nstrays; i++) {
		settle_event(m, m->stray[i]->rec);
		free(m->stray[i]->rec);
		free(m->stray[i]);
	}
	m->nstrays = 0;
}

/* Steps that were only in the trail are news too. */
static void add_trail(struct merge *m, const struct tcptrail_hdr *hdr)
{
	const struct tcptrail_trail *rec = (const void *)hdr;
	struct conn *c = get_conn(m, &rec->conn);
	size_t before = c->nsteps;
	uint32_t had = 0;

	for (size_t i = 0; i < min(before, TCPTRAIL_STEPS); i++)
		had |= (uint32_t)!!c->step[i] << i;
	conn_add_trail(c, rec);
	for (size_t i = 0; i < min(c->nsteps, TCPTRAIL_STEPS); i++)
		if (!(had & 1U << i) && c->step[i])
			add_item(m, (struct item){
				.kind = ITEM_STEP, .conn = c,
				.step = c->step[i],
				.ts_ns = c->step[i]->ts_ns });
}

/*
 * What was overwritten while the history was read is older than what is
 * remembered: as if the file had been opened a moment later.
 */
static void forgive(struct merge *m)
{
	size_t kept = 0;

	for (size_t i = 0; i < m->nitems; i++)
		if (m->item[i].kind != ITEM_LOST)
			m->item[kept++] = m->item[i];
	m->nitems = kept;
	m->unrecovered = 0;
}

static enum merge_event add_sync(struct merge *m)
{
	m->synced = true;
	if (m->dirty && !m->settled) {
		m->dirty = false;
		return MERGE_LOST;
	}
	if (!m->settled)
		forgive(m);
	m->settled = true;
	m->dirty = false;
	return MERGE_SYNC;
}

static void add_lost(struct merge *m, const struct tcptrail_hdr *hdr)
{
	const struct tcptrail_lost *rec = (const void *)hdr;

	if (rec->lost)
		note_loss(m, hdr, rec->first_seq,
			  rec->first_seq + rec->lost - 1);
}

enum merge_event merge_add(struct merge *m, const struct tcptrail_hdr *hdr)
{
	m->newest_ns = max(m->newest_ns, hdr->ts_ns);
	if (is_repeat(m, hdr))
		return MERGE_NOTHING;
	m->records++;
	switch (hdr->type) {
	case TCPTRAIL_STEP:
		add_step(m, hdr);
		break;
	case TCPTRAIL_EVENT:
		add_event(m, hdr);
		break;
	case TCPTRAIL_END:
	case TCPTRAIL_TRAIL:
		add_trail(m, hdr);
		break;
	case TCPTRAIL_LOST:
		add_lost(m, hdr);
		break;
	case TCPTRAIL_SYNC:
		return add_sync(m);
	default:
		m->unknown++;
	}
	return MERGE_NOTHING;
}

bool merge_incomplete(const struct merge *m)
{
	return m->unrecovered || !m->synced;
}

/* ---- what is new ---- */

/* Steps up to @n that never came and have not been called missing before. */
static size_t gap_before(const struct conn *c, size_t n)
{
	size_t missing = 0;

	if (!c->birth_ns)
		return 0;
	for (size_t i = c->told; i < n && i < c->nsteps; i++)
		missing += !c->step[i];
	return missing;
}

bool merge_has_gap(const struct merge *m)
{
	for (size_t i = 0; i < m->nitems; i++) {
		const struct item *item = &m->item[i];

		if (item->kind == ITEM_STEP &&
		    gap_before(item->conn, item->conn->nsteps))
			return true;
	}
	return false;
}

/* Clocks may differ between CPUs, but a step is never before an earlier one. */
static void order_steps(struct conn *c)
{
	uint64_t latest = 0;

	for (size_t i = 0; i < c->nsteps; i++) {
		if (!c->step[i])
			continue;
		latest = max(latest, c->step[i]->ts_ns);
		c->step[i]->order_ns = latest;
	}
}

static int by_order(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	if (x->ts_ns != y->ts_ns)
		return x->ts_ns < y->ts_ns ? -1 : 1;
	if (x->conn && x->conn == y->conn && x->kind == ITEM_STEP &&
	    y->kind == ITEM_STEP && x->step->n != y->step->n)
		return x->step->n - y->step->n;
	return x->arrival < y->arrival ? -1 : x->arrival > y->arrival;
}

static void sort_items(struct merge *m)
{
	for (size_t i = 0; i < m->nitems; i++) {
		struct item *item = &m->item[i];

		if (item->kind != ITEM_STEP)
			continue;
		order_steps(item->conn);
		item->ts_ns = item->step->order_ns;
	}
	qsort(m->item, m->nitems, sizeof(*m->item), by_order);
}

/* The sorted items with a hole before each step that lacks its predecessors. */
static struct item *with_holes(struct merge *m, size_t *n)
{
	struct item *out = NULL;
	size_t room = 0;

	*n = 0;
	for (size_t i = 0; i < m->nitems; i++) {
		struct item item = m->item[i], hole = item;
		struct conn *c = item.conn;

		make_room(&out, &room, *n + 1, sizeof(*out));
		if (item.kind == ITEM_STEP && c->birth_ns) {
			hole.kind = ITEM_HOLE;
			hole.missing = gap_before(c, item.step->n);
			if (hole.missing)
				out[(*n)++] = hole;
			c->told = max(c->told, (size_t)item.step->n + 1);
		}
		out[(*n)++] = item;
	}
	return out;
}

struct item *merge_take(struct merge *m, size_t *n)
{
	struct item *items;

	merge_settle_events(m);
	if (!m->nitems) {
		*n = 0;
		return NULL;
	}
	sort_items(m);
	items = with_holes(m, n);
	m->nitems = 0;
	return items;
}

/* ---- memory ---- */

static bool is_over(const struct conn *c, uint64_t before_ns)
{
	return conn_ended(c) && c->seen_ns < before_ns;
}

void merge_forget(struct merge *m, uint64_t before_ns)
{
	conns_prune(&m->conns, is_over, before_ns);
}

void merge_free(struct merge *m)
{
	for (size_t i = 0; i < m->nstrays; i++) {
		free(m->stray[i]->rec);
		free(m->stray[i]);
	}
	free(m->stray);
	free(m->item);
	free(m->cpu);
	conns_free(&m->conns);
	memset(m, 0, sizeof(*m));
}
