// SPDX-License-Identifier: GPL-2.0
/* What a connection's steps amount to. */
#include <stddef.h>
#include <string.h>

#include "conn.h"
#include "state.h"
#include "util.h"

/* ---- single steps ---- */

bool step_is_full(const struct step *s)
{
	return s->rec_size > offsetof(struct tcptrail_step, inode);
}

/* The object that holds a connection in @state, as far as the state tells. */
static const char *object_of(const struct step *s, unsigned int state)
{
	if (state == TCPTRAIL_NEW_SYN_RECV)
		return "request";
	if (state == TCPTRAIL_TIME_WAIT)
		return "mini";
	if (s->rec && (s->rec->conn.flags & TCPTRAIL_F_MINI))
		return "mini";
	if (!s->rec && s->old == TCPTRAIL_FIN_WAIT2 && state == s->old)
		return "mini";
	return "full";
}

const char *conn_step_object(const struct step *s)
{
	return object_of(s, s->new == TCPTRAIL_CLOSE ? s->old : s->new);
}

const struct step *conn_last(const struct conn *c)
{
	for (size_t i = c->nsteps; i-- > 0;)
		if (c->step[i])
			return c->step[i];
	return NULL;
}

const struct step *conn_find(const struct conn *c, unsigned int state)
{
	for (size_t i = 0; i < c->nsteps; i++)
		if (c->step[i] && state_shown(c->step[i]->new) == state)
			return c->step[i];
	return NULL;
}

const struct step *conn_find_cause(const struct conn *c, unsigned int cause)
{
	for (size_t i = 0; i < c->nsteps; i++)
		if (c->step[i] && c->step[i]->cause == cause)
			return c->step[i];
	return NULL;
}

bool conn_same_segment(const struct conn *c, size_t i)
{
	const struct step *s = c->step[i], *next;

	if (i + 1 >= c->nsteps || !s || s->new != TCPTRAIL_FIN_WAIT2)
		return false;
	next = c->step[i + 1];
	return next && next->new == TCPTRAIL_TIME_WAIT &&
	       next->cause == TCPTRAIL_C_FIN_ACK_IN;
}

/* ---- completeness ---- */

unsigned int conn_missing(const struct conn *c)
{
	unsigned int missing = 0;

	for (size_t i = 0; i < c->nsteps; i++)
		missing += !c->step[i];
	return missing;
}

enum completeness conn_completeness(const struct conn *c)
{
	if (!c->nsteps || conn_missing(c) || c->over_ns)
		return CONN_HOLE;
	if (c->who.flags & TCPTRAIL_F_LATE)
		return CONN_LATE;
	if (c->who.flags & (TCPTRAIL_F_UNSEEN | TCPTRAIL_F_NO_TRAIL))
		return CONN_HOLE;
	return CONN_COMPLETE;
}

const char *completeness_name(enum completeness c)
{
	static const char *const names[] = {
		[CONN_COMPLETE] = "complete",
		[CONN_LATE] = "late",
		[CONN_HOLE] = "hole",
	};

	return names[c];
}

/* ---- state and end ---- */

bool conn_ended(const struct conn *c)
{
	const struct step *last = conn_last(c);

	return c->end_ns || c->over_ns || (last && last->new == TCPTRAIL_CLOSE);
}

uint64_t conn_first(const struct conn *c)
{
	uint64_t first = UINT64_MAX;

	if (c->birth_ns)
		return c->birth_ns;
	for (size_t i = 0; i < c->nsteps; i++)
		if (c->step[i])
			first = min(first, c->step[i]->ts_ns);
	for (size_t i = 0; i < c->nevents; i++)
		first = min(first, c->event[i]->ts_ns);
	return first;
}

unsigned int conn_state(const struct conn *c)
{
	const struct step *last = conn_last(c);

	if (c->end_ns || c->over_ns)
		return TCPTRAIL_CLOSE;
	/* The newest steps are missing: nobody knows. */
	if (c->nsteps && !c->step[c->nsteps - 1])
		return 0;
	return last ? state_shown(last->new) : c->first_old;
}

uint64_t conn_state_since(const struct conn *c)
{
	struct timeline tl;

	conn_timeline(c, &tl);
	return tl.n ? tl.v[tl.n - 1].ts_ns : 0;
}

uint64_t conn_end(const struct conn *c)
{
	const struct step *last = conn_last(c);

	if (c->end_ns)
		return c->end_ns;
	if (last && last->new == TCPTRAIL_CLOSE)
		return last->ts_ns;
	return c->over_ns ? c->over_ns : UINT64_MAX;
}

/* ---- the timeline ---- */

static struct visit *add_visit(struct timeline *tl, unsigned int state,
			       uint64_t ts_ns)
{
	struct visit *v;

	if (tl->n == ARRAY_SIZE(tl->v))
		return &tl->v[tl->n - 1];
	v = &tl->v[tl->n++];
	memset(v, 0, sizeof(*v));
	v->state = state;
	v->ts_ns = ts_ns;
	return v;
}

/* Was there a state before step @s that no step of ours tells of? */
static bool unseen_before(const struct conn *c, const struct step *s,
			  unsigned int missing, const struct timeline *tl)
{
	unsigned int old = state_shown(s->old);

	if (!old || old == TCPTRAIL_CLOSE)
		return false;
	if (!missing && (tl->n || !(c->who.flags & (TCPTRAIL_F_LATE |
						    TCPTRAIL_F_NO_TRAIL))))
		return false;
	/* A child's birth is written as LISTEN->SYN_RECV. */
	if (old == TCPTRAIL_LISTEN && s->new != TCPTRAIL_CLOSE)
		return false;
	return !tl->n || tl->v[tl->n - 1].state != old;
}

static void add_step(const struct conn *c, struct timeline *tl,
		     const struct step *s, unsigned int *missing)
{
	unsigned int state = state_shown(s->new);
	struct visit *v;

	if (unseen_before(c, s, *missing, tl)) {
		v = add_visit(tl, state_shown(s->old), 0);
		v->missing = *missing;
		*missing = 0;
	}
	/* A mark inside a state, or another object that holds the same state. */
	if (tl->n && !*missing && tl->v[tl->n - 1].state == state)
		return;
	v = add_visit(tl, state, s->ts_ns);
	v->cause = s->cause;
	v->step = s;
	v->missing = *missing;
	*missing = 0;
}

static void measure(struct timeline *tl)
{
	for (size_t i = 0; i + 1 < tl->n; i++) {
		struct visit *v = &tl->v[i], *next = v + 1;

		v->has_length = v->ts_ns && !next->missing &&
				next->ts_ns >= v->ts_ns;
		if (v->has_length)
			v->length_ns = next->ts_ns - v->ts_ns;
	}
}

void conn_timeline(const struct conn *c, struct timeline *tl)
{
	unsigned int missing = 0;

	tl->n = 0;
	for (size_t i = 0; i < c->nsteps; i++) {
		if (!c->step[i])
			missing++;
		else if (!conn_same_segment(c, i))
			add_step(c, tl, c->step[i], &missing);
	}
	if (!c->nsteps && c->first_old)
		add_visit(tl, state_shown(c->first_old), 0);
	if (missing)
		add_visit(tl, 0, 0)->missing = missing;
	/* It is over, though no step said so. */
	if ((c->end_ns || c->over_ns) && tl->n &&
	    tl->v[tl->n - 1].state != TCPTRAIL_CLOSE)
		add_visit(tl, TCPTRAIL_CLOSE, c->end_ns)->inferred = true;
	measure(tl);
}

bool conn_stay_before(const struct conn *c, const struct step *s,
		      uint64_t *length_ns)
{
	unsigned int old = state_shown(s->old);
	const struct step *began = NULL;

	for (size_t i = 0; i < c->nsteps && c->step[i] != s; i++) {
		const struct step *p = c->step[i];

		if (!p)
			began = NULL;
		else if (state_shown(p->new) != old)
			began = NULL;
		else if (state_shown(p->old) != old)
			began = p;
	}
	if (!began || !began->ts_ns || began->ts_ns > s->ts_ns)
		return false;
	*length_ns = s->ts_ns - began->ts_ns;
	return true;
}

/* ---- who ---- */

const struct tcptrail_task *conn_step_task(const struct conn *c,
					   const struct step *s)
{
	if (s->rec)
		return s->rec_size > offsetof(struct tcptrail_step, task) &&
		       s->rec->task.tgid ? &s->rec->task : NULL;
	if (c->opener.tgid && cause_opens(s->cause))
		return &c->opener;
	if (c->closer.tgid && cause_closes(s->cause))
		return &c->closer;
	return NULL;
}

bool conn_is_listener(const struct conn *c)
{
	for (size_t i = 0; i < c->nsteps; i++)
		if (c->step[i])
			return c->step[i]->new == TCPTRAIL_LISTEN ||
			       (c->step[i]->old == TCPTRAIL_LISTEN &&
				c->step[i]->new == TCPTRAIL_CLOSE);
	return false;
}

const char *conn_opener_how(const struct conn *c)
{
	if (conn_is_listener(c))
		return "listen";
	return conn_passive(c) ? "accept" : "connect";
}

const struct step *conn_closing(const struct conn *c)
{
	for (size_t i = 0; i < c->nsteps; i++)
		if (c->step[i] && cause_closes(c->step[i]->cause))
			return c->step[i];
	return NULL;
}

bool conn_passive(const struct conn *c)
{
	return c->who.flags & TCPTRAIL_F_PASSIVE;
}

static bool was_in(const struct conn *c, unsigned int state)
{
	if (c->first_old == state)
		return true;
	for (size_t i = 0; i < c->nsteps; i++)
		if (c->step[i] &&
		    (c->step[i]->old == state || c->step[i]->new == state))
			return true;
	return false;
}

bool conn_side_unknown(const struct conn *c)
{
	const uint16_t unborn = TCPTRAIL_F_LATE | TCPTRAIL_F_NO_TRAIL;

	return (c->who.flags & unborn) && !conn_passive(c) &&
	       !was_in(c, TCPTRAIL_SYN_SENT) && !was_in(c, TCPTRAIL_LISTEN);
}

const char *conn_arrow(const struct conn *c)
{
	if (conn_side_unknown(c))
		return "--";
	return conn_passive(c) ? "<-" : "->";
}

bool conn_accepted(const struct conn *c)
{
	return c->who.flags & TCPTRAIL_F_ACCEPTED;
}

/* MPTCP accepts its subflows itself, out of our sight. */
bool conn_accept_unknown(const struct conn *c)
{
	const uint16_t unknowable = TCPTRAIL_F_MPTCP | TCPTRAIL_F_LATE;

	if (conn_side_unknown(c))
		return true;
	return conn_passive(c) && !conn_accepted(c) &&
	       (c->no_accept_hook || (c->who.flags & unknowable));
}

bool conn_not_accepted(const struct conn *c)
{
	return conn_passive(c) && !conn_accepted(c) && !conn_accept_unknown(c) &&
	       conn_find(c, TCPTRAIL_ESTABLISHED);
}

uint64_t timeline_known(const struct timeline *tl, size_t i, uint64_t now_ns)
{
	for (i++; i < tl->n; i++)
		if (tl->v[i].ts_ns)
			return tl->v[i].ts_ns;
	return now_ns;
}

bool conn_accept_wait(const struct conn *c, uint64_t *ns)
{
	const struct step *made = conn_find(c, TCPTRAIL_ESTABLISHED);
	const struct step *got = conn_find_cause(c, TCPTRAIL_C_ACCEPT);

	/* The step of accept() itself says only that it was there already. */
	if (!got || !made || made->old == made->new ||
	    got->ts_ns < made->ts_ns)
		return false;
	*ns = got->ts_ns - made->ts_ns;
	return true;
}

bool conn_iss(const struct conn *c, uint32_t *iss)
{
	*iss = c->iss;
	return (c->who.flags & TCPTRAIL_F_ISS) &&
	       !(c->who.flags & TCPTRAIL_F_REDACTED);
}

bool conn_irs(const struct conn *c, uint32_t *irs)
{
	*irs = c->irs;
	return (c->who.flags & TCPTRAIL_F_IRS) &&
	       !(c->who.flags & TCPTRAIL_F_REDACTED);
}
