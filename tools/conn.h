/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The model: connections and what happened to them. No I/O, no kernel; fed
 * with records by merge.c.
 *
 * A connection is (cookie, birth). Its steps have numbers; a step can be known
 * from its own record, with all numbers, or only from a trail: time, state
 * and cause. A step that neither told of is missing, and is never made up.
 */
#ifndef CONN_H
#define CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/tcptrail.h>

#include "pool.h"

/**
 * struct step - a transition, or an event
 * @ts_ns: when; 0: unknown (longer than a trail can tell)
 * @rec: its own record; NULL: from a trail. What is beyond the fields of a
 *	request may be asked for if step_is_full(), the task never: that is
 *	what conn_step_task() is for. It may end there
 * @rec_size: bytes of it
 * @n: its number; TCPTRAIL_NO_STEP for events, and without a trail
 * @own_rec: @rec is a copy
 */
struct step {
	uint64_t ts_ns;
	const struct tcptrail_step *rec;
	uint16_t rec_size;
	uint8_t n;
	uint8_t old;
	uint8_t new;
	uint8_t cause;
	bool own_rec;
};

/* Longer histories than this are rare. */
#define CONN_FEW	8

/**
 * struct conn - a connection
 * @next: in its hash chain
 * @who: the best knowledge of addresses and flags; flags are those of all
 *	records together
 * @step: its steps by number, NULL: missing. Without a trail: by time
 * @nsteps: how many there are at least
 * @event: what happened beside the steps, by time
 * @opener: tgid 0: not known
 * @end_ns: time of its END record, 0: none seen
 * @seen_ns: time of the newest record about it
 * @told: steps below this one have been handed out (merge.c)
 * @few: room for @step
 * @at: its place among all
 * @ended_next: the next one that ended, @ended_at: how many records of rings
 *	had come by then (merge.c)
 * @gone: it is forgotten, and only still here because items point to it
 * @round: when it was last heard of, see merge_add()
 * @over_ns: it was not open any more at this time, though nothing told of its
 *	end; 0: not so
 * @peer: the other end, if it is on this machine too (pair.c)
 * @peer_proven: by sequence numbers, not only by addresses
 * @no_accept_hook: whether it was accepted can't be known
 * @measured: the columns of events are wide enough for it (cmd_events.c)
 */
struct conn {
	struct conn *next;
	uint64_t cookie;
	uint64_t birth_ns;
	struct tcptrail_conn who;
	struct step **step;
	uint32_t nsteps, step_room;
	struct step **event;
	uint32_t nevents, event_room;
	struct step *few[CONN_FEW];
	uint8_t first_old;
	uint8_t synack_rtx;
	uint8_t tw_restarts;
	uint32_t iss, irs;
	struct tcptrail_task opener;
	struct tcptrail_task closer;
	uint64_t end_ns;
	uint64_t seen_ns;
	uint32_t told;
	uint32_t at;
	struct conn *ended_next;
	uint64_t ended_at;
	uint64_t over_ns;
	uint32_t round;
	struct conn *peer;
	bool peer_proven;
	bool no_accept_hook;
	bool gone;
	bool measured;
};

/**
 * struct conns - all connections, and a hash of them by cookie
 * @records_stay: the records that it is fed with stay where they are as long
 *	as it exists, so they need not be copied
 */
struct conns {
	struct conn **hash;
	size_t hash_size;
	struct conn **all;
	size_t n, room;
	bool records_stay;
	struct pool conn_pool, step_pool;
};

struct conn *conns_get(struct conns *cs, uint64_t cookie, uint64_t birth_ns);
/* The one with this cookie that was born last by then, NULL: none. */
struct conn *conns_latest(const struct conns *cs, uint64_t cookie,
			  uint64_t ts_ns);
/* Take it out; conn_bury() must follow. The last one gets its place. */
void conns_remove(struct conns *cs, struct conn *c);
void conn_bury(struct conns *cs, struct conn *c);
void conns_free(struct conns *cs);

/* Feed one record. Returns the step or event if it was new. */
struct step *conn_add_step(struct conns *cs, struct conn *c,
			   const struct tcptrail_step *rec);
/* @rec_stays: as records_stay, of this one */
struct step *conn_add_event(struct conns *cs, struct conn *c,
			    const struct tcptrail_step *rec, bool rec_stays);
/* TRAIL and END; what is new in it appears in @c. */
void conn_add_trail(struct conns *cs, struct conn *c,
		    const struct tcptrail_trail *rec);

/* ---- questions ---- */

/* Visits of the timeline: one state, however many objects and steps it took. */
struct visit {
	uint64_t ts_ns;		/* 0: it is not known when it began */
	uint64_t length_ns;	/* with @has_length */
	uint32_t missing;	/* steps that are missing before it */
	uint8_t state;		/* as shown */
	uint8_t cause;
	bool has_length;	/* it is known when it began and ended */
	bool inferred;		/* that it ended follows, no step said so */
	const struct step *step;	/* the one that began it, or NULL */
};

struct timeline {
	struct visit v[2 * 256];
	size_t n;
};

void conn_timeline(const struct conn *c, struct timeline *tl);
/* When something is known again after visit @i. */
uint64_t timeline_known(const struct timeline *tl, size_t i, uint64_t now_ns);

enum completeness {
	CONN_COMPLETE,
	CONN_LATE,
	CONN_HOLE,
};

enum completeness conn_completeness(const struct conn *c);
const char *completeness_name(enum completeness c);
unsigned int conn_missing(const struct conn *c);

/* Last step that is known; NULL: none. */
const struct step *conn_last(const struct conn *c);
bool conn_ended(const struct conn *c);
/* As shown; 0: unknown. */
unsigned int conn_state(const struct conn *c);
/* When it came into that state; 0: unknown. */
uint64_t conn_state_since(const struct conn *c);
/* Its birth or, if that is not known, the first that is known of it. */
uint64_t conn_first(const struct conn *c);
/* It can't have been after this. Those that are open: UINT64_MAX. */
uint64_t conn_end(const struct conn *c);
/* Step @i came with the next one in a single segment: no state of its own. */
bool conn_same_segment(const struct conn *c, size_t i);
/* The first step into @state (as shown), NULL: none is known. */
const struct step *conn_find(const struct conn *c, unsigned int state);
const struct step *conn_find_cause(const struct conn *c, unsigned int cause);
/* How long it waited for accept(): false if either end of that was not seen. */
bool conn_accept_wait(const struct conn *c, uint64_t *ns);

/*
 * How long it had been in the state that step @s left: false if a step is
 * missing there, or it began before anything was recorded.
 */
bool conn_stay_before(const struct conn *c, const struct step *s,
		      uint64_t *length_ns);

/* Task of a system call of step @s, NULL: none was recorded. */
const struct tcptrail_task *conn_step_task(const struct conn *c,
					   const struct step *s);
/* "connect", "accept", "listen" */
const char *conn_opener_how(const struct conn *c);
/* The step in which a process closed it first; NULL: none is known. */
const struct step *conn_closing(const struct conn *c);

bool conn_is_listener(const struct conn *c);
/* The peer connected. Of one that was there before the module it may not be known. */
bool conn_passive(const struct conn *c);
bool conn_side_unknown(const struct conn *c);
/* Who connected: "->" this end, "<-" the peer, "--" not known */
const char *conn_arrow(const struct conn *c);
bool conn_accepted(const struct conn *c);
/* A program may have been given it, out of our sight. */
bool conn_accept_unknown(const struct conn *c);
/* The handshake is over but no program has been given it. */
bool conn_not_accepted(const struct conn *c);
bool conn_iss(const struct conn *c, uint32_t *iss);
bool conn_irs(const struct conn *c, uint32_t *irs);
/* "request", "full", "mini": which object of the kernel made the step */
const char *conn_step_object(const struct step *s);
/* It has the fields of a full socket. */
bool step_is_full(const struct step *s);

#endif
