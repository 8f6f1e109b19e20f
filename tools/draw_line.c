// SPDX-License-Identifier: GPL-2.0
/* A connection in a line, its owner in a cell. */
#include <stdio.h>
#include <string.h>

#include "draw.h"
#include "proc.h"
#include "state.h"

const char *task_text(char *buf, const struct tcptrail_task *task, bool live)
{
	char comm[FORMAT_MAX];
	bool exited = live && proc_life(task) == LIFE_EXITED;

	sprintf(buf, "%u %.70s%s", task->tgid, format_comm(comm, task->comm),
		exited ? " (exited)" : "");
	return buf;
}

const char *owner_text(char *buf, const struct conn *c, bool live)
{
	if (c->opener.tgid)
		return task_text(buf, &c->opener, live);
	if (conn_not_accepted(c))
		return strcpy(buf, "not accepted");
	/* A request belongs to nobody yet. */
	if (conn_passive(c) && !conn_find(c, TCPTRAIL_ESTABLISHED))
		return strcpy(buf, "-");
	return strcpy(buf, "?");
}

enum color state_color(unsigned int state)
{
	switch (state_mover(state)) {
	case MOVE_PROGRAM:
		return COLOR_RED;
	case MOVE_PEER:
		return COLOR_YELLOW;
	case MOVE_BOTH:
		return COLOR_GREEN;
	default:
		return state == TCPTRAIL_LISTEN ? COLOR_NONE : COLOR_DIM;
	}
}

enum color conn_color(const struct conn *c)
{
	const struct step *last = conn_last(c);

	if (conn_ended(c))
		return last && cause_is_error(last->cause) ? COLOR_MAGENTA :
		       COLOR_DIM;
	return conn_not_accepted(c) ? COLOR_RED : state_color(conn_state(c));
}

/* "!2 SYN_SENT 1.4ms", one state of the path */
static void add_visit(struct text *t, const struct visit *v,
		      const struct visit *next, uint64_t now_ns, bool causes)
{
	bool end = v->state == TCPTRAIL_CLOSE && !next;
	char buf[FORMAT_MAX];

	text_add(t, "%s", t->len ? " " : "");
	if (v->missing)
		text_add(t, "!%u ", v->missing);
	text_add(t, "%s%s", v->inferred ? "~" : "", state_short(v->state));
	if ((causes || end) && v->step)
		text_add(t, " (%s)", cause_phrase(v->cause));
	if (end)
		return;
	if (next)
		text_add(t, " %s", v->has_length ?
			 format_duration(buf, v->length_ns) : "?");
	else if (v->state)
		text_add(t, " %s+", v->ts_ns && now_ns >= v->ts_ns ?
			 format_duration(buf, now_ns - v->ts_ns) : "?");
}

void draw_line(struct text *t, const struct conn *c, uint64_t now_ns,
	       bool causes)
{
	struct timeline tl;

	conn_timeline(c, &tl);
	text_clear(t);
	text_add(t, "%s", "");
	for (size_t i = 0; i < tl.n; i++)
		add_visit(t, &tl.v[i], i + 1 < tl.n ? &tl.v[i + 1] : NULL,
			  now_ns, causes);
}
