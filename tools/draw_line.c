// SPDX-License-Identifier: GPL-2.0
/* A connection in a line, its owner in a cell. */
#include <stdio.h>
#include <string.h>

#include "draw.h"
#include "proc.h"
#include "state.h"

const char *task_text(char *buf, const struct tcptrail_task *task, bool live)
{
	bool exited = live && proc_life(task) == LIFE_EXITED;
	char *p = put_u64(buf, task->tgid);

	*p++ = ' ';
	/* 15 characters, of which each may become four. */
	format_comm(p, task->comm);
	if (exited)
		strcat(p, " (exited)");
	return buf;
}

void put_caller(char *p, const struct conn *c, const struct step *s, bool live)
{
	const struct tcptrail_task *task = conn_step_task(c, s);

	/* "close(): RST, linger 0" must not run into the number behind it. */
	if (task)
		task_text(stpcpy(p, p[-1] == ')' ? " " : ", "), task, live);
}

const char *cause_text(char *buf, const struct conn *c, const struct step *s,
		       bool live)
{
	put_caller(stpcpy(buf, cause_phrase(s->cause)), c, s, live);
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

static void add(struct text *t, const char *s)
{
	text_put(t, s, strlen(s));
}

/* "!2 SYN_SENT 1.4ms", one state of the path */
static void add_visit(struct text *t, const struct visit *v,
		      const struct visit *next, uint64_t now_ns, bool causes)
{
	bool end = v->state == TCPTRAIL_CLOSE && !next;
	char buf[FORMAT_MAX];

	if (t->len)
		add(t, " ");
	if (v->missing)
		text_add(t, "!%u ", v->missing);
	if (v->inferred)
		add(t, "~");
	add(t, state_short(v->state));
	if ((causes || end) && v->step) {
		add(t, " (");
		add(t, cause_phrase(v->cause));
		add(t, ")");
	}
	if (end || !(next || v->state))
		return;
	add(t, " ");
	if (next)
		add(t, v->has_length ? format_duration(buf, v->length_ns) : "?");
	else
		add(t, v->ts_ns && now_ns >= v->ts_ns ?
		    format_duration(buf, now_ns - v->ts_ns) : "?");
	if (!next)
		add(t, "+");
}

void draw_line(struct text *t, const struct timeline *tl, uint64_t now_ns,
	       bool causes)
{
	t->len = 0;
	for (size_t i = 0; i < tl->n; i++)
		add_visit(t, &tl->v[i], i + 1 < tl->n ? &tl->v[i + 1] : NULL,
			  now_ns, causes);
	text_put(t, "", 1);
	t->len--;
}
