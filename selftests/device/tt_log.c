// SPDX-License-Identifier: GPL-2.0
/* Records that are kept, and compared with one another; see tt.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tt.h"

void tt_log_reserve(struct tt_log *log, size_t room)
{
	void *more = realloc(log->rec, room * sizeof(*log->rec));

	if (!more)
		abort();
	log->rec = more;
	log->room = room;
	/* Also the pages, now. */
	memset(log->rec + log->n, 0, (room - log->n) * sizeof(*log->rec));
}

void tt_log_add(struct tt_log *log, const union tt_record *rec)
{
	if (log->n == log->room)
		tt_log_reserve(log, log->room ? log->room * 2 : 256);
	log->rec[log->n++] = *rec;
}

void tt_log_free(struct tt_log *log)
{
	free(log->rec);
	memset(log, 0, sizeof(*log));
}

int tt_log_drain(struct tt_log *log, struct tt_reader *rd)
{
	union tt_record rec;
	int ret;

	while ((ret = tt_next(rd, &rec)) > 0)
		tt_log_add(log, &rec);
	return ret;
}

static const struct tcptrail_conn *conn_of(const union tt_record *rec)
{
	return rec->hdr.type <= TCPTRAIL_TRAIL ? &rec->step.conn : NULL;
}

const union tt_record *tt_find(const struct tt_log *log, unsigned int type,
			       uint64_t cookie, unsigned int nth)
{
	size_t i;

	for (i = 0; i < log->n; i++) {
		const union tt_record *rec = &log->rec[i];
		const struct tcptrail_conn *conn = conn_of(rec);

		if (type && rec->hdr.type != type)
			continue;
		if (cookie && (!conn || conn->cookie != cookie))
			continue;
		if (!nth--)
			return rec;
	}
	return NULL;
}

const union tt_record *tt_find_step(const struct tt_log *log, uint64_t cookie,
				    unsigned int state)
{
	const union tt_record *rec;
	unsigned int i;

	for (i = 0; (rec = tt_find(log, TCPTRAIL_STEP, cookie, i)); i++)
		if (rec->step.new_state == state)
			break;
	return rec;
}

static const char *step_differs(const struct tcptrail_trail *trail,
				const struct tcptrail_step *step,
				unsigned int last_state)
{
	uint64_t packed;

	if (step->old_state != last_state)
		return tt_why("step %u starts from %u, not from %u", step->step,
			      step->old_state, last_state);
	if (memcmp(step->conn.saddr, trail->conn.saddr, 16) &&
	    step->conn.sport)
		return tt_why("step %u has another address", step->step);
	if (step->step >= TCPTRAIL_STEPS)
		return "";
	packed = trail->steps[step->step];
	if (step->new_state != TCPTRAIL_PACK_STATE(packed) ||
	    step->cause != TCPTRAIL_PACK_CAUSE(packed))
		return tt_why("step %u: state %u cause %u, the trail says %u %u",
			      step->step, step->new_state, step->cause,
			      TCPTRAIL_PACK_STATE(packed),
			      TCPTRAIL_PACK_CAUSE(packed));
	if (step->hdr.ts_ns - trail->conn.birth_ns != TCPTRAIL_PACK_NS(packed))
		return tt_why("step %u: another time", step->step);
	return "";
}

static const struct tcptrail_step *
find_step(const struct tt_log *log, const struct tcptrail_trail *trail,
	  unsigned int number, unsigned int *times)
{
	const struct tcptrail_step *found = NULL;
	size_t i;

	*times = 0;
	for (i = 0; i < log->n; i++) {
		const struct tcptrail_step *step = &log->rec[i].step;

		if (step->hdr.type == TCPTRAIL_STEP && step->step == number &&
		    step->conn.cookie == trail->conn.cookie &&
		    step->conn.birth_ns == trail->conn.birth_ns) {
			found = step;
			++*times;
		}
	}
	return found;
}

const char *tt_trail_differs(const struct tt_log *log,
			     const struct tcptrail_trail *trail)
{
	unsigned int i, times, state = trail->first_old;

	if (!trail->nsteps)
		return "a trail without steps";
	for (i = 0; i <= trail->nsteps; i++) {
		const struct tcptrail_step *step;
		const char *why;

		step = find_step(log, trail, i, &times);
		if (times != (i < trail->nsteps))
			return tt_why("%u times step %u of %u", times, i,
				      trail->nsteps);
		if (!step)
			continue;
		why = step_differs(trail, step, state);
		if (why[0])
			return why;
		state = step->new_state;
	}
	return "";
}
