// SPDX-License-Identifier: GPL-2.0
/* stat: counts, times, latencies, loss, hooks. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "draw_stuck.h"
#include "prom.h"
#include "reader.h"
#include "state.h"
#include "tcptrail.h"

#define BAR	8

/**
 * struct report - all that is told
 * @src: NULL: no module
 * @live: the sockets of this machine were looked at
 * @oldest: of those that are in a state now
 */
struct report {
	const struct opts *opts;
	struct source *src;
	struct merge merge;
	struct stats stats;
	bool live;
	struct look look;
	struct groups groups;
	struct age oldest[STATS_STATES];
};

static bool chosen(const struct conn *c, const void *arg)
{
	return filter_match(((const struct opts *)arg)->filter, c, NULL);
}

/* ---- text ---- */

/* One character for each power of ten from 1 us to 1000 s. */
static const char *histogram(char *buf, const struct sample *s)
{
	static const char levels[] = " .:-=+*#";
	size_t below = 0;
	unsigned int i;

	for (i = 0; i < STATS_BUCKETS; i++) {
		size_t upto = i + 1 < STATS_BUCKETS ?
			      sample_upto(s, stats_bucket(i)) : s->n;
		size_t n = upto - below;

		buf[i] = n ? levels[1 + (n * (BAR - 2)) / s->n] : ' ';
		below = upto;
	}
	while (i > 0 && buf[i - 1] == ' ')
		i--;
	buf[i] = 0;
	return buf;
}

/* A line; @now: NULL if it is no state. */
static void put_sample(struct out *o, const char *name, const size_t *now,
		       const struct age *oldest, const struct sample *s)
{
	static const double quantiles[] = { 0.5, 0.9, 0.99, 1 };
	char buf[FORMAT_MAX];

	if (!s->n && !(now && *now))
		return;
	out_begin(o);
	out_str(o, NULL, name, NULL);
	snprintf(buf, sizeof(buf), "%zu", now ? *now : 0);
	out_str(o, NULL, now ? buf : "", NULL);
	out_str(o, NULL, now && *now && oldest ? age_text(buf, oldest) : "",
		NULL);
	snprintf(buf, sizeof(buf), "%zu", s->n);
	out_str(o, NULL, s->n ? buf : "", NULL);
	for (size_t i = 0; i < ARRAY_SIZE(quantiles); i++)
		out_str(o, NULL, s->n ? format_duration(buf,
			sample_quantile(s, quantiles[i])) : "", NULL);
	out_str(o, NULL, s->n ? histogram(buf, s) : "", NULL);
	out_end(o);
}

static size_t count_of(const struct report *r, unsigned int state)
{
	return r->live ? r->groups.by_state[state] : r->stats.now[state];
}

static void put_stuck(struct out *o, const struct report *r)
{
	struct text t = { 0 };

	if (!r->live || !r->groups.stuck)
		return;
	text_add(&t, "%zu stuck, see tcptrail stuck", r->groups.stuck);
	out_line(o, COLOR_RED, t.s);
	text_free(&t);
}

/* What is now, and how long it took before. */
static void put_times(struct out *o, const struct report *r)
{
	static const char *const columns[] = {
		"STATE", "NOW", "OLDEST", "STAYS", "P50", "P90", "P99", "MAX",
		"1us..1000s",
	};
	const struct stats *st = &r->stats;

	out_columns(o, columns, ARRAY_SIZE(columns));
	for (unsigned int s = 1; s < STATS_STATES; s++) {
		size_t now = count_of(r, s);

		put_sample(o, state_name(s), &now,
			   r->live ? &r->oldest[s] : NULL, &st->state[s]);
	}
	put_sample(o, "client handshake", NULL, NULL, &st->active);
	put_sample(o, "server handshake", NULL, NULL, &st->passive);
	put_sample(o, "accept() wait", NULL, NULL, &st->accept_wait);
}

static void put_module(struct out *o, const struct report *r)
{
	const struct tcptrail_info *info = &r->src->info;
	struct text t = { 0 };

	text_add(&t, "%" PRIu64 " connections remembered, %" PRIu64
		 " records lost, %" PRIu64 " found no room, %d of %d hooks active",
		 r->stats.connections, r->merge.lost,
		 (uint64_t)info->no_trail, __builtin_popcountll(info->hooks),
		 __builtin_popcountll(info->hooks_known));
	out_line(o, r->merge.lost || info->no_trail ||
		 info->hooks != info->hooks_known ? COLOR_YELLOW : COLOR_NONE,
		 t.s);
	text_free(&t);
}

static void print_text(struct out *o, const struct report *r)
{
	put_stuck(o, r);
	if (r->src)
		put_module(o, r);
	out_flush(o);
	put_times(o, r);
}

/* ---- JSON ---- */

static void json_sample(struct out *o, const char *key, const struct sample *s)
{
	out_open(o, key);
	out_u64(o, "count", NULL, s->n);
	if (s->n) {
		out_u64(o, "p50_ns", NULL, sample_quantile(s, 0.5));
		out_u64(o, "p90_ns", NULL, sample_quantile(s, 0.9));
		out_u64(o, "p99_ns", NULL, sample_quantile(s, 0.99));
		out_u64(o, "max_ns", NULL, s->ns[s->n - 1]);
		out_u64(o, "sum_ns", NULL, s->sum);
	}
	out_open_array(o, "histogram");
	for (unsigned int i = 0; s->n && i + 1 < STATS_BUCKETS; i++) {
		out_open(o, NULL);
		out_u64(o, "upto_ns", NULL, stats_bucket(i));
		out_u64(o, "count", NULL, sample_upto(s, stats_bucket(i)));
		out_close(o);
	}
	out_close(o);
	out_close(o);
}

static void json_module(struct out *o, const struct report *r)
{
	const struct tcptrail_info *info = &r->src->info;

	out_u64(o, "connections", NULL, r->stats.connections);
	out_u64(o, "written", NULL, info->written);
	out_u64(o, "lost", NULL, r->merge.lost);
	out_u64(o, "no_trail", NULL, info->no_trail);
	out_open_array(o, "hooks_active");
	for (unsigned int i = 0; i < TCPTRAIL_H_COUNT; i++)
		if (info->hooks >> i & 1)
			out_str(o, NULL, NULL, hook_name(i));
	out_close(o);
	out_open(o, "time_in_state");
	for (unsigned int s = 1; s < STATS_STATES; s++)
		if (r->stats.state[s].n)
			json_sample(o, state_name(s), &r->stats.state[s]);
	out_close(o);
	json_sample(o, "handshake_client", &r->stats.active);
	json_sample(o, "handshake_server", &r->stats.passive);
	json_sample(o, "accept_wait", &r->stats.accept_wait);
}

static void json_oldest(struct out *o, const struct report *r)
{
	out_u64(o, "stuck", NULL, r->groups.stuck);
	out_open(o, "oldest_ns");
	for (unsigned int s = 1; s < STATS_STATES; s++)
		if (r->oldest[s].kind != AGE_UNKNOWN)
			out_u64(o, state_name(s), NULL, r->oldest[s].ns);
	out_close(o);
	out_bool(o, "ages_estimated", NULL, !r->src);
}

static void print_json(struct out *o, const struct report *r)
{
	out_begin(o);
	out_bool(o, "module", NULL, r->src);
	out_open(o, "states");
	for (unsigned int s = 1; s < STATS_STATES; s++)
		if (count_of(r, s))
			out_u64(o, state_name(s), NULL, count_of(r, s));
	out_close(o);
	if (r->live)
		json_oldest(o, r);
	if (r->src)
		json_module(o, r);
	out_end(o);
}

/* ---- reading ---- */

static void find_oldest(struct report *r)
{
	const struct diag *d = &r->look.diag;

	for (size_t i = 0; i < d->n; i++) {
		struct age age = groups_age(&r->look, i);
		struct age *oldest = &r->oldest[d->sock[i].state];

		if (look_match(&r->look, r->opts->filter, i) &&
		    age.kind != AGE_UNKNOWN &&
		    (oldest->kind == AGE_UNKNOWN || age.ns > oldest->ns))
			*oldest = age;
	}
}

static void read_all(struct report *r)
{
	const struct opts *opts = r->opts;
	const char *why = opts->in ? NULL : facts_no_module();

	r->live = !opts->in;
	if (r->live) {
		look_take(&r->look, NULL);
		groups_make(&r->groups, &r->look, opts->filter,
			    opts->over_ns ? opts->over_ns : STUCK_OVER_NS);
		find_oldest(r);
	}
	if (why) {
		if (!opts->quiet)
			warnx("%s: only what is there now can be counted", why);
		return;
	}
	r->src = source_open(opts->in, ST_ERROR);
	reader_init(&r->merge, r->src);
	reader_catch_up(r->src, &r->merge);
	source_refresh(r->src);
	merge_settle_events(&r->merge);
	stats_make(&r->stats, &r->merge.conns, chosen, opts);
}

static void print(struct report *r, struct out *o)
{
	if (r->opts->prom)
		prom_print(&r->stats, r->live ? &r->groups : NULL,
			   r->src ? &r->src->info : NULL, r->merge.lost);
	else if (o->json)
		print_json(o, r);
	else
		print_text(o, r);
}

int cmd_stat(const struct opts *opts)
{
	struct report r = { .opts = opts };
	int status = ST_OK;
	struct out o;

	read_all(&r);
	out_init(&o, opts->json, opts->pretty, opts->color, opts->oneline);
	print(&r, &o);
	if (!out_finish(&o))
		err(ST_ERROR, "writing failed");
	if (r.src) {
		status = merge_incomplete(&r.merge) ? ST_INCOMPLETE : ST_OK;
		stats_free(&r.stats);
		merge_free(&r.merge);
		source_close(r.src);
	}
	if (r.live) {
		groups_free(&r.groups);
		look_free(&r.look);
	}
	return status;
}
