// SPDX-License-Identifier: GPL-2.0
#include <string.h>

#include "draw_stuck.h"
#include "fields_stuck.h"
#include "format.h"
#include "next.h"
#include "proc.h"
#include "state.h"

/* ---- processes ---- */

static void process_members(struct out *o, const struct process *p)
{
	char buf[128], comm[FORMAT_MAX];
	bool known = p->cgroup && *p->cgroup;

	out_u64(o, "pid", NULL, p->pid);
	out_u64(o, "ppid", NULL, p->ppid);
	out_str(o, "comm", NULL, format_comm_utf8(comm, p->comm));
	out_u64(o, "start_ticks", NULL, p->start_ticks);
	out_bool(o, "stopped", NULL, p->state == 'T');
	out_str(o, "cgroup", NULL, known ? p->cgroup : NULL);
	out_str(o, "unit", NULL, known ?
		cgroup_name(buf, sizeof(buf), p->cgroup) : NULL);
}

static void field_holders(struct out *o, const struct look *l, size_t i)
{
	uint32_t at = l->holders.first[i];

	out_open_array(o, "holders");
	for (; at != NO_HOLDER; at = l->holders.holder[at].next) {
		out_open(o, NULL);
		process_members(o, &l->holders.process[l->holders.holder[at]
						       .process]);
		out_u64(o, "fd", NULL, l->holders.holder[at].fd);
		out_close(o);
	}
	out_close(o);
}

static void field_actor(struct out *o, const struct look *l,
			const struct group *g)
{
	if (g->actor == NO_HOLDER) {
		out_null(o, "actor");
		return;
	}
	out_open(o, "actor");
	process_members(o, &l->holders.process[g->actor]);
	out_u64(o, "fd", NULL, g->actor_fd);
	out_bool(o, "listener", NULL, g->listening);
	out_close(o);
}

static void field_past(struct out *o, const struct look *l, const char *key,
		       const struct tcptrail_task *task)
{
	enum life life;
	char comm[FORMAT_MAX];

	if (!task->tgid) {
		out_null(o, key);
		return;
	}
	life = l->live ? proc_life(task) : LIFE_UNKNOWN;
	out_open(o, key);
	out_u64(o, "pid", NULL, task->tgid);
	out_str(o, "comm", NULL, format_comm_utf8(comm, task->comm));
	out_u64(o, "start_ticks", NULL, task->start_ticks);
	if (life == LIFE_UNKNOWN)
		out_null(o, "alive");
	else
		out_bool(o, "alive", NULL, life == LIFE_ALIVE);
	out_close(o);
}

/* ---- sockets ---- */

static void field_age(struct out *o, const char *key, const struct age *age)
{
	if (age->kind == AGE_UNKNOWN)
		out_null(o, key);
	else
		out_u64(o, key, NULL, age->ns);
}

static void socket_members(struct out *o, const struct look *l, size_t i)
{
	const struct diag_sock *s = &l->diag.sock[i];
	struct age age = groups_age(l, i);
	char buf[FORMAT_MAX];
	struct conn c;

	look_conn(l, i, &c);
	out_str(o, "id", NULL, format_id(buf, c.cookie));
	out_u64(o, "cookie", NULL, c.cookie);
	out_str(o, "state", NULL, state_name(s->state));
	out_str(o, "local", NULL, format_local(buf, &c));
	out_str(o, "remote", NULL, format_remote(buf, &c));
	out_u64(o, "netns", NULL, s->who.netns_ino);
	field_age(o, "age_ns", &age);
	out_bool(o, "age_estimated", NULL, age.kind == AGE_ESTIMATE);
	out_u64(o, "inode", NULL, s->inode);
	out_u64(o, "uid", NULL, s->uid);
	out_u64(o, "rqueue", NULL, s->rqueue);
	out_u64(o, "wqueue", NULL, s->wqueue);
	field_holders(o, l, i);
	field_past(o, l, "opener", &l->facts.fact[i].opener);
	field_past(o, l, "closer", &l->facts.fact[i].closer);
}

static void field_sockets(struct out *o, const struct look *l,
			  const struct groups *gs, const struct group *g,
			  bool every)
{
	out_open_array(o, every ? "sockets" : "examples");
	for (size_t k = 0; !every && k < min(g->n, GROUP_EXAMPLES); k++) {
		out_open(o, NULL);
		socket_members(o, l, g->example[k]);
		out_close(o);
	}
	for (uint32_t i = g->first; every && i; i = gs->next[i - 1]) {
		out_open(o, NULL);
		socket_members(o, l, i - 1);
		out_close(o);
	}
	out_close(o);
}

/* ---- findings ---- */

static const char *waits_name(enum waits waits)
{
	return waits == WAITS_PROGRAM ? "program" :
	       waits == WAITS_PEER ? "peer" : "timer";
}

static void field_next(struct out *o, const struct look *l,
		       const struct group *g)
{
	struct next next[MAX_ADVICE];
	size_t n = next_of(l, g, next);

	out_open_array(o, "next");
	for (size_t k = 0; k < n; k++) {
		out_open(o, NULL);
		out_str(o, "kind", NULL, next[k].kind);
		out_str(o, "cmd", NULL, next[k].cmd.s);
		out_str(o, "does", NULL, next[k].does.s);
		out_close(o);
	}
	out_close(o);
	next_free(next, n);
}

static void field_text(struct out *o, const char *key, const struct look *l,
		       const struct group *g,
		       void (*say)(struct text *, const struct look *,
				   const struct group *))
{
	struct text t = { 0 };

	say(&t, l, g);
	out_str(o, key, NULL, t.s);
	text_free(&t);
}

void fields_finding(struct out *o, const struct look *l,
		    const struct groups *gs, const struct group *g, bool every)
{
	const struct diag_sock *s = &l->diag.sock[g->example[0]];
	const struct rule *rule = g->rule;

	out_begin(o);
	out_str(o, "rule", NULL, rule->name);
	out_str(o, "severity", NULL, rule->severity == SEV_FAIL ? "failure" :
		"normal");
	out_str(o, "state", NULL, state_name(s->state));
	out_u64(o, "count", NULL, g->n);
	field_text(o, "title", l, g, finding_title);
	field_age(o, "oldest_ns", &g->oldest);
	field_age(o, "newest_ns", &g->newest);
	out_bool(o, "age_estimated", NULL, g->oldest.kind == AGE_ESTIMATE ||
		 g->newest.kind == AGE_ESTIMATE);
	out_u64(o, "age_unknown", NULL, g->unknown);
	out_u64(o, "port", NULL, g->passive ? s->who.sport : s->who.dport);
	out_bool(o, "local_port", NULL, g->passive);
	out_str(o, "waits_for", NULL, waits_name(rule->waits));
	if (g->soonest_ms != UINT32_MAX)
		out_u64(o, "timer_ns", NULL, g->soonest_ms * 1000000ULL);
	else
		out_null(o, "timer_ns");
	field_actor(o, l, g);
	field_text(o, "waits", l, g, finding_waits);
	field_text(o, "why", l, g, finding_why);
	out_str(o, "explain", NULL, rule->explain);
	field_next(o, l, g);
	field_sockets(o, l, gs, g, every);
	out_end(o);
}

void fields_stuck_summary(struct out *o, const struct look *l,
			  const struct groups *gs)
{
	out_begin(o);
	out_open(o, "summary");
	out_u64(o, "sockets", NULL, gs->total);
	out_u64(o, "stuck", NULL, gs->stuck);
	out_u64(o, "findings", NULL, groups_failing(gs));
	out_bool(o, "module", NULL, l->facts.module);
	out_u64(o, "netns_unseen", NULL, l->unseen);
	out_u64(o, "processes_unseen", NULL, l->holders.hidden);
	out_bool(o, "interrupted", NULL, l->diag.interrupted);
	out_u64(o, "lost", NULL, l->facts.lost);
	out_open(o, "states");
	for (unsigned int s = 1; s < ARRAY_SIZE(gs->by_state); s++)
		if (gs->by_state[s])
			out_u64(o, state_name(s), NULL, gs->by_state[s]);
	out_close(o);
	out_close(o);
	out_end(o);
}
