// SPDX-License-Identifier: GPL-2.0
/*
 * The Trace Event Format that ui.perfetto.dev and chrome://tracing open. A
 * process is a track of processes, a connection a thread of its opener, a
 * state a slice, a segment an arrow from the step that sent it to the step
 * that its arrival caused.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export.h"
#include "json_text.h"
#include "ladder.h"
#include "state.h"

/* Beyond all process ids of Linux (2^22), since viewers mix them with threads. */
#define FIRST_THREAD	10000000
#define FIRST_STRANGER	20000000

/**
 * struct tracks - who is shown where
 * @task: processes in the order in which they came; tgid 0: nobody is known
 * @pid: of the process of each connection
 */
struct tracks {
	const struct export *e;
	struct text t;
	struct tcptrail_task *task;
	size_t ntasks, room;
	uint32_t *pid;
	uint64_t flows;
};

/* A process id can be used again: a second process of it gets another number. */
static uint32_t process_of(struct tracks *tr, const struct tcptrail_task *task)
{
	uint32_t pid = task->tgid ? task->tgid : FIRST_STRANGER;

	for (size_t i = 0; i < tr->ntasks; i++) {
		const struct tcptrail_task *other = &tr->task[i];

		if (other->tgid == task->tgid &&
		    other->start_ticks == task->start_ticks)
			return pid;
		if (other->tgid == task->tgid)
			pid = FIRST_STRANGER + 1 + i;
	}
	return pid;
}

static void begin(struct tracks *tr, const char *phase, const char *name,
		  uint32_t pid, size_t thread)
{
	text_add(&tr->t, "%s\n{\"ph\":\"%s\",\"name\":", tr->t.s[tr->t.len - 1] == '['
		 ? "" : ",", phase);
	json_add_string(&tr->t, name);
	text_add(&tr->t, ",\"pid\":%u,\"tid\":%zu", pid,
		 thread + FIRST_THREAD);
}

/* Microseconds with three decimals: every nanosecond is kept. */
static void add_time(struct tracks *tr, const char *key, uint64_t ns)
{
	text_add(&tr->t, ",\"%s\":%" PRIu64 ".%03" PRIu64, key, ns / 1000,
		 ns % 1000);
}

static bool is_known(const struct tracks *tr, const struct tcptrail_task *task)
{
	for (size_t i = 0; i < tr->ntasks; i++)
		if (tr->task[i].tgid == task->tgid &&
		    tr->task[i].start_ticks == task->start_ticks)
			return true;
	return false;
}

static void add_process(struct tracks *tr, const struct tcptrail_task *task,
			uint32_t pid)
{
	char buf[FORMAT_MAX] = "owner not known";

	if (is_known(tr, task))
		return;
	make_room(&tr->task, &tr->room, tr->ntasks, sizeof(*tr->task));
	tr->task[tr->ntasks++] = *task;
	if (task->tgid)
		task_text(buf, task, tr->e->p.live);
	begin(tr, "M", "process_name", pid, 0);
	text_add(&tr->t, ",\"args\":{\"name\":");
	json_add_string(&tr->t, buf);
	text_add(&tr->t, "}}");
}

static void add_thread(struct tracks *tr, const struct conn *c, size_t thread)
{
	char id[FORMAT_MAX], local[FORMAT_MAX], remote[FORMAT_MAX];
	uint32_t pid = tr->pid[thread];
	struct text name = { 0 };

	text_add(&name, "%s %s", format_id(id, c->cookie),
		 format_local(local, c));
	if (!conn_is_listener(c))
		text_add(&name, " %s %s", conn_arrow(c),
			 format_remote(remote, c));
	begin(tr, "M", "thread_name", pid, thread);
	text_add(&tr->t, ",\"args\":{\"name\":");
	json_add_string(&tr->t, name.s);
	text_add(&tr->t, "}}");
	begin(tr, "M", "thread_sort_index", pid, thread);
	text_add(&tr->t, ",\"args\":{\"sort_index\":%zu}}", thread);
	text_free(&name);
}

static void add_step_args(struct tracks *tr, const struct conn *c,
			  const struct step *s)
{
	const struct tcptrail_task *task = s ? conn_step_task(c, s) : NULL;
	char buf[FORMAT_MAX];

	text_add(&tr->t, ",\"cause\":");
	json_add_string(&tr->t, s ? cause_name(s->cause) : "unknown");
	if (!task)
		return;
	text_add(&tr->t, ",\"by\":");
	json_add_string(&tr->t, task_text(buf, task, tr->e->p.live));
}

/* A state; if it is not known when it began or ended, as far as it is. */
static void add_visit(struct tracks *tr, const struct conn *c, size_t thread,
		      const struct visit *v, uint64_t from, uint64_t to)
{
	char name[FORMAT_MAX];

	snprintf(name, sizeof(name), "%s%s", state_short(v->state),
		 v->ts_ns ? "" : " ?");
	begin(tr, "X", name, tr->pid[thread], thread);
	text_add(&tr->t, ",\"cat\":\"state\"");
	add_time(tr, "ts", from);
	add_time(tr, "dur", to > from ? to - from : 0);
	text_add(&tr->t, ",\"args\":{\"state\":");
	json_add_string(&tr->t, state_name(v->state));
	add_step_args(tr, c, v->step);
	if (v->ts_ns)
		text_add(&tr->t, ",\"since_ns\":%" PRIu64, v->ts_ns);
	if (v->has_length)
		text_add(&tr->t, ",\"length_ns\":%" PRIu64, v->length_ns);
	if (v->missing)
		text_add(&tr->t, ",\"missing_before\":%u", v->missing);
	if (v->inferred)
		text_add(&tr->t, ",\"inferred\":true");
	text_add(&tr->t, "}}");
}

static void add_instant(struct tracks *tr, const struct conn *c, size_t thread,
			const struct step *s)
{
	begin(tr, "i", cause_phrase(s->cause), tr->pid[thread], thread);
	text_add(&tr->t, ",\"cat\":\"event\",\"s\":\"t\"");
	add_time(tr, "ts", s->ts_ns);
	text_add(&tr->t, ",\"args\":{\"state\":");
	json_add_string(&tr->t, state_name(s->new));
	add_step_args(tr, c, s);
	text_add(&tr->t, "}}");
}

static void add_visits(struct tracks *tr, const struct conn *c, size_t thread)
{
	struct timeline *tl = xzalloc(sizeof(*tl));
	uint64_t at = 0;

	conn_timeline(c, tl);
	for (size_t i = 0; i < tl->n; i++) {
		const struct visit *v = &tl->v[i];
		uint64_t to = i + 1 < tl->n ? v[1].ts_ns : tr->e->p.now_ns;

		at = max(at, v->ts_ns);
		/* Nothing is known of when: no room on a line of time. */
		if (!at || (v->state == TCPTRAIL_CLOSE && i + 1 == tl->n))
			continue;
		add_visit(tr, c, thread, v, at, to);
	}
	free(tl);
}

static void add_instants(struct tracks *tr, const struct conn *c, size_t thread)
{
	for (size_t i = 0; i < c->nsteps; i++) {
		const struct step *s = c->step[i];

		if (s && s->ts_ns && (s->cause == TCPTRAIL_C_ACCEPT ||
				      s->new == TCPTRAIL_CLOSE))
			add_instant(tr, c, thread, s);
	}
	for (size_t i = 0; i < c->nevents; i++)
		if (c->event[i]->ts_ns)
			add_instant(tr, c, thread, c->event[i]);
}

/* ---- arrows ---- */

static size_t thread_of(const struct export *e, const struct conn *c)
{
	for (size_t i = 0; i < e->n; i++)
		if (e->conn[i] == c)
			return i;
	return e->n;
}

static void add_end(struct tracks *tr, const char *phase, const char *label,
		    size_t thread, const struct step *s)
{
	begin(tr, phase, label, tr->pid[thread], thread);
	text_add(&tr->t, ",\"cat\":\"segment\",\"id\":%" PRIu64, tr->flows);
	if (*phase == 'f')
		text_add(&tr->t, ",\"bp\":\"e\"");
	add_time(tr, "ts", s->ts_ns);
	text_add(&tr->t, "}");
}

/* Of a pair, once; pairs stand side by side. */
static void add_flows(struct tracks *tr, size_t thread)
{
	const struct conn *c = tr->e->conn[thread];
	size_t other = thread + 1 < tr->e->n && tr->e->conn[thread + 1] == c->peer
		       ? thread + 1 : tr->e->n;
	struct picture p;
	struct ladder l;

	if (!c->peer)
		return;
	if (other == tr->e->n)
		other = thread_of(tr->e, c->peer);
	if (other == tr->e->n || other < thread)
		return;
	p = export_picture(tr->e, c);
	ladder_build(&l, &p, c);
	for (size_t i = 0; i < l.n; i++) {
		const struct row *r = &l.row[i];

		if (!r->sent || !r->got || !r->sent->ts_ns || !r->got->ts_ns ||
		    r->sent->ts_ns > r->got->ts_ns)
			continue;
		tr->flows++;
		add_end(tr, "s", r->label.s,
			l.conn[!r->to] == c ? thread : other, r->sent);
		add_end(tr, "f", r->label.s,
			l.conn[r->to] == c ? thread : other, r->got);
	}
	ladder_free(&l);
}

int export_chrome(const struct export *e, int fd)
{
	struct tracks tr = { .e = e };
	int error;

	text_add(&tr.t, "{\"displayTimeUnit\":\"ns\",\"otherData\":{"
		 "\"source\":\"tcptrail\",\"clock\":\"CLOCK_BOOTTIME\","
		 "\"lost\":%" PRIu64 "},\"traceEvents\":[", e->m->unrecovered);
	tr.pid = xzalloc((e->n + 1) * sizeof(*tr.pid));
	for (size_t i = 0; i < e->n; i++) {
		tr.pid[i] = process_of(&tr, &e->conn[i]->opener);
		add_process(&tr, &e->conn[i]->opener, tr.pid[i]);
	}
	for (size_t i = 0; i < e->n; i++) {
		add_thread(&tr, e->conn[i], i);
		add_visits(&tr, e->conn[i], i);
		add_instants(&tr, e->conn[i], i);
		add_flows(&tr, i);
	}
	text_add(&tr.t, "\n]}\n");
	error = write_all(fd, tr.t.s, tr.t.len);
	text_free(&tr.t);
	free(tr.task);
	free(tr.pid);
	return error;
}
