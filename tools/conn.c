// SPDX-License-Identifier: GPL-2.0
/* The model, fed record by record. Questions to it are in timeline.c. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "conn.h"
#include "state.h"
#include "util.h"

/* ---- the set ---- */

/* Not to be foreseen by who makes up cookies: one chain would hold them all. */
static size_t slot_of(const struct conns *cs, uint64_t cookie)
{
	static uint64_t secret;

	while (!(secret & 1))
		if (getrandom(&secret, sizeof(secret), 0) < 0)
			secret = 1;
	cookie = (cookie ^ cookie >> 32) * secret;
	cookie = (cookie ^ cookie >> 32) * secret;
	return (cookie >> 32) & (cs->hash_size - 1);
}

/*
 * The link of that connection or, if there is none, where it belongs: chains
 * are in order, the latest birth first, so that one socket can have had many.
 */
static struct conn **find_link(const struct conns *cs, uint64_t cookie,
			       uint64_t birth_ns)
{
	struct conn **p = &cs->hash[slot_of(cs, cookie)];

	while (*p && ((*p)->cookie != cookie ? (*p)->cookie > cookie :
		      (*p)->birth_ns > birth_ns))
		p = &(*p)->next;
	return p;
}

static void link_conn(struct conns *cs, struct conn *c)
{
	struct conn **p = find_link(cs, c->cookie, c->birth_ns);

	c->next = *p;
	*p = c;
}

static void rehash(struct conns *cs, size_t size)
{
	free(cs->hash);
	cs->hash = xzalloc(size * sizeof(*cs->hash));
	cs->hash_size = size;
	for (size_t i = 0; i < cs->n; i++)
		link_conn(cs, cs->all[i]);
}

static struct conn *new_conn(struct conns *cs, uint64_t cookie,
			     uint64_t birth_ns)
{
	struct conn *c;

	if (cs->n >= cs->hash_size)
		rehash(cs, cs->hash_size ? 2 * cs->hash_size : 1024);
	cs->conn_pool.size = sizeof(*c);
	c = pool_get(&cs->conn_pool);
	c->cookie = c->who.cookie = cookie;
	c->birth_ns = c->who.birth_ns = birth_ns;
	c->step = c->few;
	c->step_room = CONN_FEW;
	make_room(&cs->all, &cs->room, cs->n, sizeof(*cs->all));
	c->at = cs->n;
	cs->all[cs->n++] = c;
	link_conn(cs, c);
	return c;
}

struct conn *conns_get(struct conns *cs, uint64_t cookie, uint64_t birth_ns)
{
	struct conn *c = cs->hash_size ? *find_link(cs, cookie, birth_ns) : NULL;

	if (c && c->cookie == cookie && c->birth_ns == birth_ns)
		return c;
	return new_conn(cs, cookie, birth_ns);
}

struct conn *conns_latest(const struct conns *cs, uint64_t cookie,
			  uint64_t ts_ns)
{
	struct conn *c = cs->hash_size ? *find_link(cs, cookie, ts_ns) : NULL;

	return c && c->cookie == cookie ? c : NULL;
}

void conns_remove(struct conns *cs, struct conn *c)
{
	*find_link(cs, c->cookie, c->birth_ns) = c->next;
	cs->all[c->at] = cs->all[--cs->n];
	cs->all[c->at]->at = c->at;
	c->gone = true;
}

static void free_steps(struct conns *cs, struct step **steps, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!steps[i])
			continue;
		if (steps[i]->own_rec)
			free((void *)steps[i]->rec);
		pool_put(&cs->step_pool, steps[i]);
	}
}

void conn_bury(struct conns *cs, struct conn *c)
{
	free_steps(cs, c->step, c->nsteps);
	free_steps(cs, c->event, c->nevents);
	if (c->step != c->few)
		free(c->step);
	free(c->event);
	pool_put(&cs->conn_pool, c);
}

void conns_free(struct conns *cs)
{
	for (size_t i = 0; i < cs->n; i++)
		conn_bury(cs, cs->all[i]);
	free(cs->all);
	free(cs->hash);
	pool_free(&cs->conn_pool);
	pool_free(&cs->step_pool);
	memset(cs, 0, sizeof(*cs));
}

/* ---- identity ---- */

static bool all_zero(const uint8_t *addr)
{
	static const uint8_t zero[16];

	return !memcmp(addr, zero, sizeof(zero));
}

/* Later records know more (the local port) or less (X->CLOSE); keep the more. */
static void learn_who(struct conn *c, const struct tcptrail_conn *from)
{
	struct tcptrail_conn *who = &c->who;

	if (from->sport)
		who->sport = from->sport;
	if (from->dport)
		who->dport = from->dport;
	if (!all_zero(from->saddr))
		memcpy(who->saddr, from->saddr, sizeof(who->saddr));
	if (!all_zero(from->daddr))
		memcpy(who->daddr, from->daddr, sizeof(who->daddr));
	if (from->netns_cookie)
		who->netns_cookie = from->netns_cookie;
	if (from->netns_ino)
		who->netns_ino = from->netns_ino;
	if (from->ifindex)
		who->ifindex = from->ifindex;
	if (from->err)
		who->err = from->err;
	who->flags |= from->flags;
}

static void learn_isns(struct conn *c, uint16_t flags, uint32_t iss,
		       uint32_t irs)
{
	if (flags & TCPTRAIL_F_ISS)
		c->iss = iss;
	if (flags & TCPTRAIL_F_IRS)
		c->irs = irs;
}

static void learn_task(struct conn *c, const struct step *s)
{
	const struct tcptrail_task *task = conn_step_task(c, s);

	if (!task)
		return;
	if (cause_opens(s->cause))
		c->opener = *task;
	else if (cause_closes(s->cause) && !c->closer.tgid)
		c->closer = *task;
}

static void learn(struct conn *c, const struct step *s)
{
	learn_who(c, &s->rec->conn);
	learn_isns(c, s->rec->conn.flags, s->rec->iss, s->rec->irs);
	learn_task(c, s);
	c->seen_ns = max(c->seen_ns, s->ts_ns);
}

/* ---- steps ---- */

/*
 * Can the record be used where it lies? Its end must be one of those that all
 * readers of it know of, and a name in it must end, too.
 */
static bool is_regular(const struct tcptrail_step *rec)
{
	if (rec->hdr.size >= sizeof(*rec))
		return !rec->task.comm[sizeof(rec->task.comm) - 1];
	return rec->hdr.size == offsetof(struct tcptrail_step, inode) ||
	       rec->hdr.size == offsetof(struct tcptrail_step, task);
}

/* A copy, zero where the record did not reach. */
static struct tcptrail_step *copy_record(const struct tcptrail_step *rec)
{
	struct tcptrail_step *copy = xzalloc(sizeof(*copy));

	memcpy(copy, rec, min(rec->hdr.size, sizeof(*copy)));
	copy->task.comm[sizeof(copy->task.comm) - 1] = 0;
	return copy;
}

static void keep_record(struct step *s, const struct tcptrail_step *rec,
			bool stays)
{
	s->own_rec = !stays || !is_regular(rec);
	s->rec = s->own_rec ? copy_record(rec) : rec;
	s->rec_size = min(rec->hdr.size, sizeof(*rec));
	s->ts_ns = rec->hdr.ts_ns;
	s->old = rec->old_state;
	s->new = rec->new_state;
	s->cause = rec->cause;
	s->n = rec->step;
}

static struct step *new_step(struct conns *cs)
{
	cs->step_pool.size = sizeof(struct step);
	return pool_get(&cs->step_pool);
}

/* Room for step number @n. */
static void room_for_step(struct conn *c, uint32_t n)
{
	struct step **more;
	uint32_t room = c->step_room;

	if (n < room)
		return;
	while (room <= n)
		room *= 2;
	more = xrealloc(c->step == c->few ? NULL : c->step,
			room * sizeof(*more));
	if (c->step == c->few)
		memcpy(more, c->few, sizeof(c->few));
	memset(more + c->step_room, 0, (room - c->step_room) * sizeof(*more));
	c->step = more;
	c->step_room = room;
}

/*
 * Into an array that is ordered by time, after those of the same time. Steps
 * that are missing, of a trail without a birth, have none.
 */
static void insert_by_time(struct step **array, uint32_t *n, struct step *s)
{
	uint32_t at = *n, low = 0, mid;

	/* Mostly it is the latest. */
	if (at && (!array[at - 1] || array[at - 1]->ts_ns > s->ts_ns)) {
		while (low < at) {
			mid = (low + at) / 2;
			if (array[mid] && array[mid]->ts_ns <= s->ts_ns)
				low = mid + 1;
			else
				at = mid;
		}
	}
	memmove(array + at + 1, array + at, (*n - at) * sizeof(*array));
	array[at] = s;
	(*n)++;
}

static struct step *at_number(struct conn *c, uint32_t n)
{
	room_for_step(c, n);
	c->nsteps = max(c->nsteps, n + 1);
	return c->step[n];
}

struct step *conn_add_step(struct conns *cs, struct conn *c,
			   const struct tcptrail_step *rec)
{
	bool numbered = rec->step != TCPTRAIL_NO_STEP && c->birth_ns;
	struct step *s = numbered ? at_number(c, rec->step) : NULL;
	bool known = s;

	if (known && s->rec)
		return NULL;
	if (!known)
		s = new_step(cs);
	keep_record(s, rec, cs->records_stay);
	if (!numbered) {
		room_for_step(c, c->nsteps);
		insert_by_time(c->step, &c->nsteps, s);
	} else {
		c->step[s->n] = s;
	}
	learn(c, s);
	return known ? NULL : s;
}

struct step *conn_add_event(struct conns *cs, struct conn *c,
			    const struct tcptrail_step *rec, bool rec_stays)
{
	struct step *s = new_step(cs);
	size_t room = c->event_room;

	keep_record(s, rec, rec_stays);
	s->n = TCPTRAIL_NO_STEP;
	learn(c, s);
	if (rec->cause == TCPTRAIL_C_SYNACK_RTX)
		c->synack_rtx = max(c->synack_rtx, min(rec->count, 255));
	if (rec->cause == TCPTRAIL_C_TW_RESTART)
		c->tw_restarts = max(c->tw_restarts, min(rec->count, 255));
	if (rec->cause == TCPTRAIL_C_ACCEPT)
		c->who.flags |= TCPTRAIL_F_ACCEPTED;
	make_room(&c->event, &room, c->nevents, sizeof(*c->event));
	c->event_room = room;
	insert_by_time(c->event, &c->nevents, s);
	return s;
}

/* A step that only the trail tells of. */
static struct step *packed_step(struct conns *cs,
				const struct tcptrail_trail *rec, size_t i)
{
	uint64_t packed = rec->steps[i], ns = TCPTRAIL_PACK_NS(packed);
	struct step *s = new_step(cs);

	s->n = i;
	s->new = TCPTRAIL_PACK_STATE(packed);
	s->cause = TCPTRAIL_PACK_CAUSE(packed);
	s->old = i ? TCPTRAIL_PACK_STATE(rec->steps[i - 1]) : rec->first_old;
	if (ns != TCPTRAIL_PACK_NS_MAX)
		s->ts_ns = rec->conn.birth_ns + ns;
	return s;
}

static void learn_trail_tasks(struct conn *c, const struct tcptrail_trail *rec)
{
	if (rec->opener.tgid)
		c->opener = rec->opener;
	if (rec->closer.tgid)
		c->closer = rec->closer;
	c->opener.comm[sizeof(c->opener.comm) - 1] = 0;
	c->closer.comm[sizeof(c->closer.comm) - 1] = 0;
}

void conn_add_trail(struct conns *cs, struct conn *c,
		    const struct tcptrail_trail *rec)
{
	size_t n = min(rec->nsteps, TCPTRAIL_STEPS);

	learn_who(c, &rec->conn);
	learn_isns(c, rec->conn.flags, rec->iss, rec->irs);
	learn_trail_tasks(c, rec);
	c->first_old = rec->first_old;
	c->synack_rtx = max(c->synack_rtx, rec->synack_rtx);
	c->tw_restarts = max(c->tw_restarts, rec->tw_restarts);
	if (rec->hdr.type == TCPTRAIL_END)
		c->end_ns = max(rec->hdr.ts_ns, 1);
	c->seen_ns = max(c->seen_ns, rec->hdr.ts_ns);
	if (rec->nsteps)
		at_number(c, rec->nsteps - 1);
	for (size_t i = 0; i < n; i++)
		if (!c->step[i])
			c->step[i] = packed_step(cs, rec, i);
}
