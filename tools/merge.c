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
	if (m->no_items)
		return;
	make_room(&m->item, &m->item_room, m->nitems, sizeof(*m->item));
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
				   .lost = lost, .cpu = hdr->cpu });
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

/* ---- the end of connections ---- */

/* Events of a socket that no step tells of. */
static bool only_events(const struct conn *c)
{
	return !c->nsteps && !c->first_old;
}

/* From here on it is in the queue of those that may be forgotten. */
static void note_end(struct merge *m, struct conn *c)
{
	if (!m->keep || c->ended_at)
		return;
	c->ended_at = max(m->rings, 1);
	if (m->ended)
		m->ended_last->ended_next = c;
	else
		m->ended = c;
	m->ended_last = c;
}

static void forget(struct merge *m, struct conn *c)
{
	conns_remove(&m->conns, c);
	c->next = m->dead;
	m->dead = c;
	m->ndead++;
}

static size_t drop_items_of_dead(struct merge *m)
{
	size_t kept = 0;

	for (size_t i = 0; i < m->nitems; i++)
		if (m->item[i].kind == ITEM_LOST || !m->item[i].conn->gone)
			m->item[kept++] = m->item[i];
	return kept;
}

static void bury(struct merge *m)
{
	struct conn *c;

	m->nitems = drop_items_of_dead(m);
	while ((c = m->dead)) {
		m->dead = c->next;
		conn_bury(&m->conns, c);
	}
	m->ndead = 0;
}

/* ---- records ---- */

static struct conn *get_conn(struct merge *m, const struct tcptrail_conn *who)
{
	struct conn *c = conns_get(&m->conns, who->cookie, who->birth_ns);

	c->no_accept_hook = !m->accept_seen;
	c->round = m->round;
	return c;
}

static void add_step(struct merge *m, const struct tcptrail_hdr *hdr)
{
	const struct tcptrail_step *rec = (const void *)hdr;
	struct conn *c = get_conn(m, &rec->conn);
	struct step *s = conn_add_step(&m->conns, c, rec);

	if (s)
		add_item(m, (struct item){ .kind = ITEM_STEP, .conn = c,
					   .step = s, .ts_ns = s->ts_ns });
	if (rec->new_state == TCPTRAIL_CLOSE)
		note_end(m, c);
}

static void add_stray(struct merge *m, const struct tcptrail_step *rec)
{
	struct stray *stray;
	void *copy;

	make_room(&m->stray, &m->stray_room, m->nstrays, sizeof(*m->stray));
	stray = &m->stray[m->nstrays++];
	stray->rec = rec;
	stray->came_at = m->rings;
	stray->own = !m->conns.records_stay;
	if (!stray->own)
		return;
	copy = xrealloc(NULL, rec->hdr.size);
	stray->rec = memcpy(copy, rec, rec->hdr.size);
}

/*
 * A reset is often sent when the connection is over: its event then only has
 * the cookie. With other rings still to be read its connection may be unknown
 * yet, so it waits for merge_settle_events(), or for the window to pass.
 */
static void add_event(struct merge *m, const struct tcptrail_hdr *hdr)
{
	const struct tcptrail_step *rec = (const void *)hdr;
	struct step *s;
	struct conn *c;

	if (!rec->conn.birth_ns) {
		add_stray(m, rec);
		return;
	}
	c = get_conn(m, &rec->conn);
	s = conn_add_event(&m->conns, c, rec, m->conns.records_stay);
	add_item(m, (struct item){ .kind = ITEM_EVENT, .conn = c, .step = s,
				   .ts_ns = s->ts_ns });
}

static void settle_event(struct merge *m, const struct tcptrail_step *rec)
{
	struct conn *c = conns_latest(&m->conns, rec->conn.cookie,
				      rec->hdr.ts_ns);
	struct tcptrail_step own = { 0 };
	struct step *s;

	memcpy(&own, rec, min(rec->hdr.size, sizeof(own)));
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
	s = conn_add_event(&m->conns, c, &own, false);
	add_item(m, (struct item){ .kind = ITEM_EVENT, .conn = c, .step = s,
				   .ts_ns = s->ts_ns });
	if (only_events(c))
		note_end(m, c);
}

/* Those that came when there were at most @upto records. */
static void settle_events(struct merge *m, uint64_t upto)
{
	for (; m->strays_done < m->nstrays; m->strays_done++) {
		struct stray *stray = &m->stray[m->strays_done];

		if (stray->came_at > upto)
			return;
		settle_event(m, stray->rec);
		if (stray->own)
			free((void *)stray->rec);
	}
	m->nstrays = m->strays_done = 0;
}

void merge_settle_events(struct merge *m)
{
	settle_events(m, UINT64_MAX);
}

/*
 * Records of one connection may lie in several rings, and what is read from
 * one of them can be newer than what still lies in another. But all rings are
 * read in turn, each up to its head, so what was written before a record that
 * has been read comes within two more turns: that is the window.
 */
void merge_prune(struct merge *m)
{
	uint64_t upto = m->rings - m->window;
	struct conn *c;

	if (m->rings < m->window)
		return;
	settle_events(m, upto);
	while ((c = m->ended) && c->ended_at <= upto) {
		m->ended = c->ended_next;
		c->ended_next = NULL;
		c->ended_at = 0;
		if ((conn_ended(c) || only_events(c)) &&
		    !m->keep(c, m->keep_arg))
			forget(m, c);
	}
	if (m->ndead > m->nitems / 16)
		bury(m);
}

/* Steps that were only in the trail are news too. */
static void add_trail(struct merge *m, const struct tcptrail_hdr *hdr)
{
	const struct tcptrail_trail *rec = (const void *)hdr;
	struct conn *c;
	size_t before;
	uint32_t had = 0;

	if (hdr->type == TCPTRAIL_TRAIL && !m->walking) {
		m->walking = true;
		m->round++;
	}
	c = get_conn(m, &rec->conn);
	before = c->nsteps;

	for (size_t i = 0; i < min(before, TCPTRAIL_STEPS); i++)
		had |= (uint32_t)!!c->step[i] << i;
	conn_add_trail(&m->conns, c, rec);
	for (size_t i = 0; i < min(c->nsteps, TCPTRAIL_STEPS); i++)
		if (!(had & 1U << i) && c->step[i])
			add_item(m, (struct item){
				.kind = ITEM_STEP, .conn = c,
				.step = c->step[i],
				.ts_ns = c->step[i]->ts_ns });
	if (hdr->type == TCPTRAIL_END)
		note_end(m, c);
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

/*
 * Every connection that is open has its trail told before the SYNC, or was
 * born meanwhile, and is told of behind the first trail. What was not heard of
 * since then is over: nobody has told us its END, because it was overwritten.
 */
static void find_over(struct merge *m, uint64_t ts_ns)
{
	for (size_t i = 0; i < m->conns.n; i++) {
		struct conn *c = m->conns.all[i];

		if (c->round == m->round || !c->birth_ns || conn_ended(c))
			continue;
		c->over_ns = max(ts_ns, 1);
		note_end(m, c);
	}
}

static enum merge_event add_sync(struct merge *m, uint64_t ts_ns)
{
	if (m->walking)
		find_over(m, ts_ns);
	m->walking = false;
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
	m->rings += !!hdr->seq;
	/* Not each time, it is not urgent. */
	if (m->prune && m->rings % 64 == 0)
		merge_prune(m);
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
		return add_sync(m, hdr->ts_ns);
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
static uint64_t order_of(const struct item *item)
{
	const struct conn *c = item->conn;
	uint64_t latest = item->step->ts_ns;

	if (item->kind != ITEM_STEP || !c->birth_ns)
		return latest;
	for (size_t i = 0; i < item->step->n && i < c->nsteps; i++)
		if (c->step[i])
			latest = max(latest, c->step[i]->ts_ns);
	return latest;
}

/* Otherwise as they came: the sort is stable. */
static bool comes_before(const struct item *x, const struct item *y)
{
	if (x->ts_ns != y->ts_ns)
		return x->ts_ns < y->ts_ns;
	return x->kind == ITEM_STEP && y->kind == ITEM_STEP &&
	       x->conn == y->conn && x->step->n < y->step->n;
}

/* Two neighbours that are in order each, @n and @more; @tmp has room for @n. */
static void merge_runs(struct item *item, size_t n, size_t more,
		       struct item *tmp)
{
	const struct item *a = tmp, *b = item + n;
	const struct item *a_end = tmp + n, *b_end = b + more;

	memcpy(tmp, item, n * sizeof(*item));
	while (a < a_end && b < b_end)
		*item++ = comes_before(b, a) ? *b++ : *a++;
	memcpy(item, a, (a_end - a) * sizeof(*item));
}

/* Where the items that are in order end. */
static size_t run_end(const struct item *item, size_t from, size_t n)
{
	for (from++; from < n && !comes_before(&item[from], &item[from - 1]);)
		from++;
	return min(from, n);
}

/* Most of them are in order already, in long runs. */
static void sort_items(struct merge *m)
{
	struct item *tmp = NULL;
	size_t n = m->nitems;

	for (size_t i = 0; i < n; i++)
		if (m->item[i].kind != ITEM_LOST)
			m->item[i].ts_ns = order_of(&m->item[i]);
	while (run_end(m->item, 0, n) < n) {
		if (!tmp)
			tmp = xrealloc(NULL, n * sizeof(*tmp));
		for (size_t at = 0, mid, end; at < n; at = end) {
			mid = run_end(m->item, at, n);
			end = mid < n ? run_end(m->item, mid, n) : n;
			merge_runs(m->item + at, mid - at, end - mid, tmp);
		}
	}
	free(tmp);
}

/* Steps missing right before the item, which is then told. */
static uint32_t tell(const struct item *item)
{
	struct conn *c = item->conn;
	uint32_t missing;

	if (item->kind != ITEM_STEP || !c->birth_ns)
		return 0;
	missing = gap_before(c, item->step->n);
	c->told = max(c->told, item->step->n + 1U);
	return missing;
}

/* A hole is put before each step that lacks its predecessors. */
static void put_holes(struct merge *m)
{
	struct item *out = NULL;
	size_t n = 0, room = 0;

	for (size_t i = 0; i < m->nitems; i++) {
		struct item hole = m->item[i];

		hole.missing = tell(&m->item[i]);
		/* Without holes, which is usual, nothing is copied. */
		if (hole.missing && !out) {
			make_room(&out, &room, i + 1, sizeof(*out));
			memcpy(out, m->item, i * sizeof(*out));
			n = i;
		}
		if (!out)
			continue;
		make_room(&out, &room, n + 1, sizeof(*out));
		if (hole.missing) {
			hole.kind = ITEM_HOLE;
			out[n++] = hole;
		}
		out[n++] = m->item[i];
	}
	if (!out)
		return;
	free(m->item);
	m->item = out;
	m->nitems = n;
}

struct item *merge_take(struct merge *m, size_t *n)
{
	struct item *items;

	merge_settle_events(m);
	sort_items(m);
	put_holes(m);
	items = m->item;
	*n = m->nitems;
	m->item = NULL;
	m->nitems = m->item_room = 0;
	return items;
}

/* ---- memory ---- */

void merge_free(struct merge *m)
{
	for (size_t i = m->strays_done; i < m->nstrays; i++)
		if (m->stray[i].own)
			free((void *)m->stray[i].rec);
	bury(m);
	free(m->stray);
	free(m->item);
	free(m->cpu);
	conns_free(&m->conns);
	memset(m, 0, sizeof(*m));
}
