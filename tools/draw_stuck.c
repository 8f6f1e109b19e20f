// SPDX-License-Identifier: GPL-2.0
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "draw.h"
#include "draw_stuck.h"
#include "fields_stuck.h"
#include "next.h"
#include "state.h"

#define INDENT		12
#define MS		1000000ULL
#define NO_TERMINAL	100
#define SHOWN_PROCESSES	4

/* ---- lines ---- */

static size_t width_of(const struct out *o)
{
	return max(o->width ? o->width : NO_TERMINAL, 40);
}

/* Over as many lines as it takes, words kept whole; @name goes before. */
static void put_text(struct out *o, enum color color, int indent,
		     const char *name, const char *val)
{
	size_t room = width_of(o) - indent;
	struct text line = { 0 };
	size_t n;

	while (*val) {
		n = strlen(val);
		if (n > room) {
			for (n = room; n > 0 && val[n] != ' ';)
				n--;
			n = n ? n : strcspn(val, " ");
		}
		text_clear(&line);
		if (indent)
			text_add(&line, "  %-*s", indent - 2, name);
		text_add(&line, "%.*s", (int)n, val);
		out_line(o, color, line.s);
		val += n + strspn(val + n, " ");
		name = "";
	}
	text_free(&line);
}

static void put_fact(struct out *o, enum color color, const char *name,
		     const char *val)
{
	put_text(o, color, INDENT, name, val);
}

static enum color rule_color(const struct rule *rule)
{
	if (rule->severity == SEV_NORMAL)
		return COLOR_DIM;
	return rule->waits == WAITS_PROGRAM ? COLOR_RED : COLOR_YELLOW;
}

/* ---- parts of a finding ---- */

static const struct diag_sock *oldest(const struct look *l,
				      const struct group *g)
{
	return &l->diag.sock[g->example[0]];
}

static void add_ages(struct text *t, const struct group *g)
{
	char a[FORMAT_MAX], b[FORMAT_MAX];

	age_text(a, &g->newest);
	age_text(b, &g->oldest);
	/* Of these it is not how long the trouble lasts. */
	if (g->rule->states == 1U << TCPTRAIL_ESTABLISHED &&
	    g->oldest.kind == AGE_EXACT)
		text_add(t, "open for ");
	if (!strcmp(a, b))
		text_add(t, "%s", a);
	else
		text_add(t, "%s to %s", a, b);
}

void finding_title(struct text *t, const struct look *l, const struct group *g)
{
	const struct diag_sock *s = oldest(l, g);

	if (s->state == TCPTRAIL_LISTEN) {
		text_add(t, "LISTEN on port %u", s->who.sport);
	} else {
		text_add(t, "%zu %s ", g->n, state_name(s->state));
		text_add(t, g->passive ? "on port %u, " : "to port %u, ",
			 g->passive ? s->who.sport : s->who.dport);
		add_ages(t, g);
	}
	text_add(t, ": %s", g->rule->title);
}

static void add_process(struct text *t, const struct process *p)
{
	char comm[FORMAT_MAX], name[128];

	text_add(t, "%u %s", p->pid, format_comm(comm, p->comm));
	if (p->state == 'T')
		text_add(t, " (stopped)");
	if (p->cgroup && cgroup_name(name, sizeof(name), p->cgroup))
		text_add(t, " [%s]", name);
}

/* Different processes of the whole group, the first ones by name. */
static size_t find_processes(const struct look *l, const struct groups *gs,
			     const struct group *g, uint32_t *list)
{
	size_t n = 0, k;

	for (uint32_t i = g->first; i; i = gs->next[i - 1]) {
		uint32_t at = l->holders.first[i - 1];

		for (; at != NO_HOLDER; at = l->holders.holder[at].next) {
			uint32_t p = l->holders.holder[at].process;

			for (k = 0; k < n && list[k] != p;)
				k++;
			if (k == n && n <= SHOWN_PROCESSES)
				list[n++] = p;
		}
	}
	return n;
}

static void draw_task(struct out *o, const struct look *l, const char *name,
		      const struct tcptrail_task *task, const char *how)
{
	struct text t = { 0 };
	char buf[FORMAT_MAX];

	if (!task->tgid)
		return;
	text_add(&t, "%s%s", task_text(buf, task, l->live), how);
	put_fact(o, COLOR_NONE, name, t.s);
	text_free(&t);
}

/* Holders; for what nobody holds, who would have to take it, or closed it. */
static void draw_who(struct out *o, const struct look *l,
		     const struct groups *gs, const struct group *g)
{
	const struct fact *fact = &l->facts.fact[g->example[0]];
	uint32_t list[SHOWN_PROCESSES + 1];
	size_t n = find_processes(l, gs, g, list);
	struct text t = { 0 };

	for (size_t k = 0; k < min(n, SHOWN_PROCESSES); k++) {
		if (k)
			text_add(&t, ", ");
		add_process(&t, &l->holders.process[list[k]]);
	}
	if (n > SHOWN_PROCESSES)
		text_add(&t, " and others");
	if (n)
		put_fact(o, COLOR_NONE, g->listening ? "listener" : "held by", t.s);
	text_clear(&t);
	if (!n && g->actor != NO_HOLDER) {
		add_process(&t, &l->holders.process[g->actor]);
		text_add(&t, ", fd %d", g->actor_fd);
		put_fact(o, COLOR_NONE, "listener", t.s);
	}
	text_free(&t);
	draw_task(o, l, "opened by", &fact->opener, "");
	draw_task(o, l, "closed by", &fact->closer, "");
}

void finding_waits(struct text *t, const struct look *l, const struct group *g)
{
	char buf[FORMAT_MAX];

	switch (g->rule->waits) {
	case WAITS_PROGRAM:
		text_add(t, "this machine's program");
		if (g->actor == NO_HOLDER)
			break;
		text_add(t, ", ");
		add_process(t, &l->holders.process[g->actor]);
		break;
	case WAITS_PEER:
		text_add(t, "the peer");
		if (g->soonest_ms != UINT32_MAX)
			text_add(t, "; the kernel tries again in %s",
				 format_duration(buf, g->soonest_ms * MS));
		break;
	case WAITS_TIMER:
		text_add(t, g->n > 1 ? "kernel timers" : "a kernel timer");
		if (g->soonest_ms != UINT32_MAX)
			text_add(t, g->n > 1 ? "; the next fires in %s" :
				 " that fires in %s",
				 format_duration(buf, g->soonest_ms * MS));
		break;
	}
}

void finding_why(struct text *t, const struct look *l, const struct group *g)
{
	struct evidence ev;

	look_evidence(l, g->example[0], 0, &ev);
	if (g->n > 1)
		text_add(t, "of the oldest: ");
	g->rule->why(t, &ev);
	if (g->actor != NO_HOLDER &&
	    l->holders.process[g->actor].state == 'T')
		text_add(t, "; the process is stopped");
}

/* The other end, if it is here too. */
static void draw_peer(struct out *o, const struct look *l, const struct group *g)
{
	const struct diag_sock *peer = look_peer(l, g->example[0]);
	struct text t = { 0 };
	char id[FORMAT_MAX];
	uint32_t at;

	if (!peer)
		return;
	text_add(&t, "on this machine: %s %s",
		 format_id(id, peer->who.cookie), state_name(peer->state));
	at = l->holders.first[peer - l->diag.sock];
	if (at != NO_HOLDER) {
		text_add(&t, ", held by ");
		add_process(&t, &l->holders.process[l->holders.holder[at].process]);
	}
	put_fact(o, COLOR_NONE, "peer", t.s);
	text_free(&t);
}

static void draw_example(struct out *o, const struct look *l, size_t i,
			 const char *name)
{
	char id[FORMAT_MAX], local[FORMAT_MAX], remote[FORMAT_MAX];
	struct age age = groups_age(l, i);
	uint32_t at = l->holders.first[i];
	struct text t = { 0 };
	struct conn c;

	look_conn(l, i, &c);
	text_add(&t, "%s %s", format_id(id, c.cookie), format_local(local, &c));
	if (l->diag.sock[i].state != TCPTRAIL_LISTEN)
		text_add(&t, " - %s", format_remote(remote, &c));
	if (l->diag.sock[i].state != TCPTRAIL_LISTEN || age.kind != AGE_UNKNOWN)
		text_add(&t, " %s", age_text(id, &age));
	for (; at != NO_HOLDER; at = l->holders.holder[at].next)
		text_add(&t, " %u/fd/%d",
			 l->holders.process[l->holders.holder[at].process].pid,
			 l->holders.holder[at].fd);
	put_fact(o, COLOR_NONE, name, t.s);
	text_free(&t);
}

static void draw_next(struct out *o, const struct look *l, const struct group *g)
{
	struct next next[MAX_ADVICE];
	size_t n = next_of(l, g, next);
	struct text t = { 0 };

	/* A command is never broken: it is there to be copied. */
	for (size_t k = 0; k < n; k++) {
		text_clear(&t);
		text_add(&t, "  %-*s%s", INDENT - 2, k ? "" : "next",
			 next[k].cmd.s);
		if (t.len + next[k].does.len + 3 <= width_of(o)) {
			text_add(&t, "  # %s", next[k].does.s);
			out_line(o, COLOR_GREEN, t.s);
			continue;
		}
		out_line(o, COLOR_GREEN, t.s);
		text_clear(&t);
		text_add(&t, "# %s", next[k].does.s);
		put_fact(o, COLOR_DIM, "", t.s);
	}
	text_free(&t);
	next_free(next, n);
}

static void draw_text(struct out *o, const struct look *l,
		      const struct groups *gs, const struct group *g)
{
	struct text t = { 0 };

	finding_title(&t, l, g);
	out_line(o, rule_color(g->rule), t.s);
	text_clear(&t);
	if (g->rule->severity == SEV_NORMAL) {
		text_free(&t);
		return;
	}
	draw_who(o, l, gs, g);
	finding_waits(&t, l, g);
	put_fact(o, COLOR_NONE, "waits for", t.s);
	text_clear(&t);
	finding_why(&t, l, g);
	text_add(&t, " (%s)", g->rule->name);
	put_fact(o, COLOR_NONE, "why", t.s);
	text_free(&t);
	draw_peer(o, l, g);
	for (size_t k = 0; k < min(g->n, GROUP_EXAMPLES); k++)
		draw_example(o, l, g->example[k], k ? "" : g->n > 1 ? "e.g." : "socket");
	draw_next(o, l, g);
}

void draw_finding(struct out *o, const struct look *l, const struct groups *gs,
		  const struct group *g, bool every)
{
	if (o->json)
		fields_finding(o, l, gs, g, every);
	else
		draw_text(o, l, gs, g);
}

/* ---- all ---- */

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

static void draw_summary(struct out *o, const struct groups *gs)
{
	size_t failing = groups_failing(gs), fine = gs->total - gs->stuck;
	struct text t = { 0 };
	const char *comma = ": ";

	if (failing)
		text_add(&t, "%zu stuck socket%s in %zu finding%s (each is explained in tcptrail-stuck(8)); %zu %s fine",
			 gs->stuck, plural(gs->stuck), failing, plural(failing),
			 fine, fine == 1 ? "is" : "are");
	else
		text_add(&t, "no socket is stuck; %zu %s fine", fine,
			 fine == 1 ? "is" : "are");
	for (unsigned int s = 1; fine && s < ARRAY_SIZE(gs->fine); s++) {
		if (!gs->fine[s])
			continue;
		text_add(&t, "%s%zu %s", comma, gs->fine[s], state_name(s));
		comma = ", ";
	}
	if (gs->n)
		out_line(o, COLOR_NONE, "");
	put_text(o, COLOR_DIM, 0, "", t.s);
	text_free(&t);
}

void draw_stuck(struct out *o, const struct look *l, const struct groups *gs,
		bool every)
{
	bool normal = false;

	for (size_t i = 0; i < gs->n; i++) {
		const struct group *g = &gs->group[i];

		/* A blank line behind each finding, none between normal ones. */
		if (i && !normal)
			out_line(o, COLOR_NONE, "");
		normal = g->rule->severity == SEV_NORMAL;
		draw_finding(o, l, gs, g, every);
	}
	if (o->json)
		fields_stuck_summary(o, l, gs);
	else
		draw_summary(o, gs);
}
