// SPDX-License-Identifier: GPL-2.0
/* The model, fed record by record. Questions to it are in timeline.c. */
#include <stdlib.h>
#include <string.h>

#include "conn.h"
#include "state.h"
#include "util.h"

/* ---- the set ---- */

static size_t slot_of(const struct conns *cs, uint64_t cookie)
{
	return (cookie * 0x9e3779b97f4a7c15ULL >> 32) & (cs->hash_size - 1);
}

static void link_conn(struct conns *cs, struct conn *c)
{
	size_t slot = slot_of(cs, c->cookie);

	c->next = cs->hash[slot];
	cs->hash[slot] = c;
}

static void rehash(struct conns *cs, size_t size)
{
	free(cs->hash);
	cs->hash = xzalloc(size * sizeof(*cs->hash));
	cs->hash_size = size;
	for (size_t i = 0; i < cs->n; i++)
		link_conn(cs, cs->all[i]);
}

struct conn *conns_get(struct conns *cs, uint64_t cookie, uint64_t birth_ns)
{
	struct conn *c;

	if (cs->n >= cs->hash_size)
		rehash(cs, cs->hash_size ? 2 * cs->hash_size : 1024);
	for (c = cs->hash[slot_of(cs, cookie)]; c; c = c->next)
		if (c->cookie == cookie && c->birth_ns == birth_ns)
			return c;
	c = xzalloc(sizeof(*c));
	c->cookie = c->who.cookie = cookie;
	c->birth_ns = c->who.birth_ns = birth_ns;
	make_room(&cs->all, &cs->room, cs->n, sizeof(*cs->all));
	cs->all[cs->n++] = c;
	link_conn(cs, c);
	return c;
}

struct conn *conns_latest(const struct conns *cs, uint64_t cookie,
			  uint64_t ts_ns)
{
	struct conn *c, *latest = NULL;

	if (!cs->hash_size)
		return NULL;
	for (c = cs->hash[slot_of(cs, cookie)]; c; c = c->next)
		if (c->cookie == cookie && c->birth_ns <= ts_ns &&
		    (!latest || c->birth_ns > latest->birth_ns))
			latest = c;
	return latest;
}

static void free_steps(struct step **steps, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (steps[i])
			free(steps[i]->rec);
		free(steps[i]);
	}
	free(steps);
}

static void free_conn(struct conn *c)
{
	free_steps(c->step, c->nsteps);
	free_steps(c->event, c->nevents);
	free(c);
}

void conns_prune(struct conns *cs, bool (*gone)(const struct conn *, uint64_t),
		 uint64_t arg)
{
	size_t kept = 0;

	for (size_t i = 0; i < cs->n; i++) {
		if (gone(cs->all[i], arg))
			free_conn(cs->all[i]);
		else
			cs->all[kept++] = cs->all[i];
	}
	if (kept == cs->n)
		return;
	cs->n = kept;
	rehash(cs, cs->hash_size);
}

void conns_free(struct conns *cs)
{
	for (size_t i = 0; i < cs->n; i++)
		free_conn(cs->all[i]);
	free(cs->all);
	free(cs->hash);
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

static void learn_task(struct conn *c, const struct tcptrail_step *rec)
{
	if (!rec->task.tgid)
		return;
	if (cause_opens(rec->cause))
		c->opener = rec->task;
	else if (cause_closes(rec->cause) && !c->closer.tgid)
		c->closer = rec->task;
}

static void learn(struct conn *c, const struct tcptrail_step *rec)
{
	learn_who(c, &rec->conn);
	learn_isns(c, rec->conn.flags, rec->iss, rec->irs);
	learn_task(c, rec);
	c->seen_ns = max(c->seen_ns, rec->hdr.ts_ns);
}

/* ---- steps ---- */

/* A copy, zero where the record did not reach or this tool does not. */
static void keep_record(struct step *s, const struct tcptrail_step *rec)
{
	s->rec_size = min(rec->hdr.size, sizeof(*rec));
	s->rec = xzalloc(sizeof(*rec));
	memcpy(s->rec, rec, s->rec_size);
	s->rec->task.comm[sizeof(rec->task.comm) - 1] = 0;
	s->ts_ns = rec->hdr.ts_ns;
	s->old = rec->old_state;
	s->new = rec->new_state;
	s->cause = rec->cause;
	s->n = rec->step;
}

static struct step *new_step(const struct tcptrail_step *rec)
{
	struct step *s = xzalloc(sizeof(*s));

	keep_record(s, rec);
	return s;
}

/*
 * Into an array that is ordered by time, after those of the same time. Steps
 * that are missing, of a trail without a birth, have none.
 */
static void insert_by_time(struct step ***array, size_t *n, size_t *room,
			   struct step *s)
{
	size_t at = *n;

	make_room(array, room, *n, sizeof(**array));
	while (at > 0 && (!(*array)[at - 1] || (*array)[at - 1]->ts_ns > s->ts_ns))
		at--;
	memmove(*array + at + 1, *array + at, (*n - at) * sizeof(**array));
	(*array)[at] = s;
	(*n)++;
}

static struct step *at_number(struct conn *c, size_t n)
{
	make_room(&c->step, &c->step_room, n, sizeof(*c->step));
	c->nsteps = max(c->nsteps, n + 1);
	return c->step[n];
}

struct step *conn_add_step(struct conn *c, const struct tcptrail_step *rec)
{
	struct step *s;

	if (rec->step == TCPTRAIL_NO_STEP || !c->birth_ns) {
		s = new_step(rec);
		learn(c, s->rec);
		insert_by_time(&c->step, &c->nsteps, &c->step_room, s);
		return s;
	}
	s = at_number(c, rec->step);
	if (!s) {
		s = c->step[rec->step] = new_step(rec);
		learn(c, s->rec);
		return s;
	}
	if (!s->rec) {
		keep_record(s, rec);
		learn(c, s->rec);
	}
	return NULL;
}

struct step *conn_add_event(struct conn *c, const struct tcptrail_step *rec)
{
	struct step *s = new_step(rec);

	s->n = TCPTRAIL_NO_STEP;
	learn(c, s->rec);
	if (rec->cause == TCPTRAIL_C_SYNACK_RTX)
		c->synack_rtx = max(c->synack_rtx, min(rec->count, 255));
	if (rec->cause == TCPTRAIL_C_TW_RESTART)
		c->tw_restarts = max(c->tw_restarts, min(rec->count, 255));
	if (rec->cause == TCPTRAIL_C_ACCEPT)
		c->who.flags |= TCPTRAIL_F_ACCEPTED;
	insert_by_time(&c->event, &c->nevents, &c->event_room, s);
	return s;
}

/* A step that only the trail tells of. */
static struct step *packed_step(const struct tcptrail_trail *rec, size_t i)
{
	uint64_t packed = rec->steps[i], ns = TCPTRAIL_PACK_NS(packed);
	struct step *s = xzalloc(sizeof(*s));

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

void conn_add_trail(struct conn *c, const struct tcptrail_trail *rec)
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
			c->step[i] = packed_step(rec, i);
}
