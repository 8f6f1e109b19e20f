// SPDX-License-Identifier: GPL-2.0
/* check: an assertion about sockets, for scripts. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "child.h"
#include "draw_stuck.h"
#include "expr.h"
#include "reader.h"
#include "signals.h"
#include "state.h"
#include "tcptrail.h"

#define SAMPLE_MS	100
#define SHOWN		3

/**
 * struct check - one run
 * @violated: the assertion does not hold, or did not for a moment
 * @count: sockets at the moment it was worst
 * @seen: some of them, one line each
 * @src: the device, NULL: there is none
 * @start_ns: CLOCK_BOOTTIME when it began
 */
struct check {
	const struct opts *opts;
	struct expr expr;
	bool violated, incomplete;
	uint64_t count;
	struct text seen[SHOWN];
	size_t nseen;
	struct source *src;
	struct merge merge;
	uint64_t start_ns;
};

static uint64_t boot_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

/* ---- now ---- */

static bool counts(const struct check *ck, const struct look *l, size_t i)
{
	const struct rule *rule;
	struct evidence ev;

	if (!look_match(l, ck->expr.filter, i))
		return false;
	look_evidence(l, i, ck->expr.over_ns ? ck->expr.over_ns : STUCK_OVER_NS,
		      &ev);
	if (ck->expr.stuck) {
		rule = verdict_of(&ev);
		return rule && rule->severity == SEV_FAIL;
	}
	return !ck->expr.over_ns || ev.age.kind == AGE_UNKNOWN ||
	       ev.age.ns >= ck->expr.over_ns;
}

static void forget_seen(struct check *ck)
{
	for (size_t k = 0; k < ck->nseen; k++)
		text_free(&ck->seen[k]);
	ck->nseen = 0;
}

static void keep_seen(struct check *ck, const struct look *l, size_t i)
{
	char local[FORMAT_MAX], remote[FORMAT_MAX], buf[FORMAT_MAX];
	struct age age = groups_age(l, i);
	uint32_t at = l->holders.first[i];
	struct text *t;
	struct conn c;

	if (ck->nseen == SHOWN)
		return;
	t = &ck->seen[ck->nseen++];
	look_conn(l, i, &c);
	text_add(t, "%s %s %s - %s", state_name(c.first_old),
		 format_id(buf, c.cookie), format_local(local, &c),
		 format_remote(remote, &c));
	text_add(t, " for %s", age_text(buf, &age));
	if (at == NO_HOLDER)
		return;
	text_add(t, ", held by %u %s fd %d",
		 l->holders.process[l->holders.holder[at].process].pid,
		 format_comm(buf, l->holders.process[l->holders.holder[at].process].comm),
		 l->holders.holder[at].fd);
}

/* Does it hold now? Remembers what speaks against it. */
static bool holds_now(struct check *ck)
{
	uint64_t n = 0;
	struct look l;

	look_take(&l, NULL);
	ck->incomplete |= (l.unseen && !l.own_only) || l.diag.interrupted;
	for (size_t i = 0; i < l.diag.n; i++) {
		if (!counts(ck, &l, i))
			continue;
		if (!n++ && ck->count < ck->expr.most + 1)
			forget_seen(ck);
		keep_seen(ck, &l, i);
	}
	ck->count = max(ck->count, n);
	look_free(&l);
	return n <= ck->expr.most;
}

/* ---- the past ---- */

static void keep_visit(struct check *ck, const struct conn *c,
		       const struct visit *v, uint64_t length_ns)
{
	char local[FORMAT_MAX], remote[FORMAT_MAX], buf[FORMAT_MAX];
	struct text *t;

	if (ck->nseen == SHOWN)
		return;
	t = &ck->seen[ck->nseen++];
	text_add(t, "%s %s %s - %s", state_name(v->state),
		 format_id(buf, c->cookie), format_local(local, c),
		 format_remote(remote, c));
	text_add(t, " for %s", format_duration(buf, length_ns));
}

/* Was it ever so while the command ran? */
static bool was_so(struct check *ck, const struct conn *c, uint64_t now_ns)
{
	struct timeline tl;

	conn_timeline(c, &tl);
	for (size_t i = 0; i < tl.n; i++) {
		const struct visit *v = &tl.v[i];
		uint64_t end = v->has_length ? v->ts_ns + v->length_ns : now_ns;

		if (!v->step || !v->ts_ns || end < ck->start_ns ||
		    v->state == TCPTRAIL_CLOSE ||
		    (i + 1 < tl.n && !v->has_length))
			continue;
		if (end - v->ts_ns < ck->expr.over_ns ||
		    !filter_match(ck->expr.filter, c, v->step))
			continue;
		keep_visit(ck, c, v, end - v->ts_ns);
		return true;
	}
	return false;
}

/* Nothing that was recorded can have been too short to be noticed. */
static void judge_past(struct check *ck)
{
	uint64_t n = 0, now_ns = boot_now();

	if (!ck->src || ck->expr.stuck || ck->violated)
		return;
	reader_drain(ck->src, &ck->merge);
	forget_seen(ck);
	for (size_t i = 0; i < ck->merge.conns.n; i++)
		n += was_so(ck, ck->merge.conns.all[i], now_ns);
	ck->incomplete |= merge_incomplete(&ck->merge);
	ck->count = max(ck->count, n);
	/* More than one was allowed: but were they there at the same time? */
	if (!ck->expr.most)
		ck->violated = n > 0;
}

/* ---- running ---- */

static void open_device(struct check *ck)
{
	if (facts_no_module()) {
		if (!ck->opts->quiet)
			warnx("%s: what lasts less than %d ms may go unnoticed",
			      facts_no_module(), SAMPLE_MS);
		return;
	}
	ck->src = source_open(NULL, ST_ERROR);
	reader_init(&ck->merge, ck->src);
	reader_catch_up(ck->src, &ck->merge);
}

static void run_command(struct check *ck, struct child *child)
{
	bool judge = !ck->opts->within_ns;

	if (judge)
		open_device(ck);
	ck->start_ns = boot_now();
	child_start(child, ck->opts->command);
	while (!child_over(child)) {
		if (judge && !ck->violated)
			ck->violated = !holds_now(ck);
		if (ck->src)
			reader_drain(ck->src, &ck->merge);
		child_wait(SAMPLE_MS);
	}
	if (judge && !ck->violated)
		ck->violated = !holds_now(ck);
	if (judge)
		judge_past(ck);
}

static void wait_for_it(struct check *ck)
{
	uint64_t end = boot_now() + ck->opts->within_ns;

	for (;;) {
		ck->count = 0;
		if (holds_now(ck))
			return;
		if (boot_now() >= end || signals_stop())
			break;
		child_wait(SAMPLE_MS);
	}
	ck->violated = true;
}

static void tell(struct check *ck, struct out *o)
{
	struct text t = { 0 };

	out_begin(o);
	out_str(o, "check", NULL, ck->opts->expr);
	out_bool(o, "holds", NULL, !ck->violated);
	out_u64(o, "count", NULL, ck->count);
	out_u64(o, "allowed", NULL, ck->expr.most);
	out_bool(o, "incomplete", NULL, ck->incomplete);
	out_open_array(o, "examples");
	for (size_t k = 0; ck->violated && k < ck->nseen; k++)
		out_str(o, NULL, NULL, ck->seen[k].s);
	out_close(o);
	if (o->json) {
		out_end(o);
		return;
	}
	if (!ck->violated)
		return;
	text_add(&t, "check failed: %s: found %" PRIu64 ", allowed %" PRIu64,
		 ck->opts->expr, ck->count, ck->expr.most);
	out_line(o, COLOR_RED, t.s);
	for (size_t k = 0; k < ck->nseen; k++) {
		text_clear(&t);
		text_add(&t, "  %s", ck->seen[k].s);
		out_line(o, COLOR_NONE, t.s);
	}
	text_free(&t);
}

static void parse(struct check *ck)
{
	char error[512];

	if (!ck->opts->expr)
		errx(ST_USAGE, "check wants an assertion such as \"no CLOSE_WAIT over 5s on :8080\"");
	if (!expr_parse(&ck->expr, ck->opts->expr, error, sizeof(error)))
		errx(ST_USAGE, "%s", error);
}

int cmd_check(const struct opts *opts)
{
	struct check ck = { .opts = opts };
	struct child child = { 0 };
	struct out o;

	parse(&ck);
	signals_catch();
	if (opts->command)
		run_command(&ck, &child);
	if (!opts->command || opts->within_ns)
		wait_for_it(&ck);
	out_init(&o, opts->json, opts->pretty, opts->color, opts->oneline);
	tell(&ck, &o);
	if (!out_finish(&o))
		err(ST_ERROR, "writing failed");
	if (ck.incomplete && !ck.violated && !opts->quiet)
		warnx("records were lost meanwhile: what was short may have gone unnoticed");
	forget_seen(&ck);
	filter_free(ck.expr.filter);
	if (ck.src) {
		merge_free(&ck.merge);
		source_close(ck.src);
	}
	return ck.violated ? ST_FOUND : ck.incomplete ? ST_INCOMPLETE :
	       child.status;
}
