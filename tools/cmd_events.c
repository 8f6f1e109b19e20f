// SPDX-License-Identifier: GPL-2.0
/* events: one line for each transition. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "draw.h"
#include "fields.h"
#include "reader.h"
#include "signals.h"
#include "state.h"
#include "tcptrail.h"

/* So many are printed before a recording's memory is given back. */
#define DROP_ITEMS	16384

struct events {
	const struct opts *opts;
	struct source *src;
	struct merge m;
	struct out out;
	struct fields fields;
	struct clock clock;
	uint64_t printed;
};

static void set_columns(struct events *e)
{
	static const char *const brief[] = {
		"TIME", "ID", "LOCAL", "REMOTE", "OLD -> NEW", "AFTER", "CAUSE",
	};
	static const unsigned int least[] = { 12, 7, 15, 15, 22, 5, 0 };
	static const char *const all[] = {
		"TIME", "ID", "OWNER", "NETNS", "LOCAL", "REMOTE", "OLD -> NEW",
		"AFTER", "CAUSE",
	};

	if (e->opts->extended)
		out_columns(&e->out, all, ARRAY_SIZE(all));
	else
		out_columns(&e->out, brief, ARRAY_SIZE(brief));
	/* Lines that come one by one can't be measured before. */
	if (e->opts->follow && !e->opts->extended)
		for (size_t i = 0; i < ARRAY_SIZE(brief); i++)
			e->out.col_width[i] = max(e->out.col_width[i], least[i]);
}

/* ---- one line ---- */

static void field_change(struct events *e, const struct item *item)
{
	const struct step *s = item->step;
	char buf[FORMAT_MAX], *p = buf;

	if (item->kind != ITEM_EVENT && s->old != s->new)
		p = stpcpy(stpcpy(p, state_short(s->old)), " -> ");
	strcpy(p, state_short(s->new));
	out_str(&e->out, NULL, buf, NULL);
}

static void field_after(struct events *e, const struct item *item)
{
	char buf[FORMAT_MAX];
	uint64_t ns;

	if (item->kind == ITEM_EVENT || item->step->old == item->step->new) {
		out_str(&e->out, NULL, "", NULL);
	} else if (conn_stay_before(item->conn, item->step, &ns)) {
		out_u64(&e->out, "after_ns",
			e->out.json ? NULL : format_duration(buf, ns), ns);
	} else {
		bool birth = item->step->n == 0 &&
			     !(item->conn->who.flags & TCPTRAIL_F_LATE);

		out_str(&e->out, NULL, birth ? "" : "?", NULL);
		out_null(&e->out, "after_ns");
	}
}

/* "close() 2214 curl", "SYN+ACK again (2)" */
static void field_why(struct events *e, const struct item *item)
{
	const struct step *s = item->step;
	char buf[4 * FORMAT_MAX], *p = stpcpy(buf, cause_phrase(s->cause));
	char err_buf[FORMAT_MAX];

	if (s->rec && s->rec->count)
		p += sprintf(p, " (%u)", s->rec->count);
	if (s->rec && s->rec->reason)
		p += sprintf(p, " (reason %u)", s->rec->reason);
	if (s->rec && s->rec->conn.err && s->new == TCPTRAIL_CLOSE)
		p += sprintf(p, " %s", format_errno(err_buf, s->rec->conn.err));
	put_caller(p, item->conn, s, false);
	out_str(&e->out, NULL, buf, NULL);
}

static enum color item_color(const struct item *item)
{
	bool by_peer;

	if (cause_is_error(item->step->cause) ||
	    cause_is_reset(item->step->cause, &by_peer))
		return COLOR_MAGENTA;
	return state_color(item->step->new);
}

/* Steps of the same connection need columns as wide as the first of them. */
static void field_conn(struct events *e, struct conn *c)
{
	bool extended = e->opts->extended;
	struct out *o = &e->out;
	char buf[FORMAT_MAX];

	if (o->measure && c->measured) {
		out_skip(o, extended ? 5 : 3);
		return;
	}
	c->measured = true;
	out_str(o, NULL, format_id(buf, c->cookie), NULL);
	if (extended) {
		out_str(o, NULL, owner_text(buf, c, e->fields.live), NULL);
		sprintf(buf, "%u", c->who.netns_ino);
		out_str(o, NULL, buf, NULL);
	}
	out_str(o, NULL, format_local(buf, c), NULL);
	out_str(o, NULL, format_remote(buf, c), NULL);
}

static void print_text(struct events *e, const struct item *item)
{
	struct out *o = &e->out;
	char buf[FORMAT_MAX];

	out_begin(o);
	out_str(o, NULL, format_time(buf, &e->clock, item->step->ts_ns), NULL);
	field_conn(e, item->conn);
	out_color(o, item_color(item));
	field_change(e, item);
	field_after(e, item);
	/* The last column has no width. */
	if (!o->measure)
		field_why(e, item);
	out_end(o);
}

static void print_json(struct events *e, const struct item *item)
{
	const struct step *s = item->step;
	struct out *o = &e->out;

	out_begin(o);
	out_str(o, "type", NULL, item->kind == ITEM_STEP ? "step" : "event");
	fields_identity(&e->fields, item->conn);
	if (s->n == TCPTRAIL_NO_STEP)
		out_null(o, "n");
	else
		out_u64(o, "n", NULL, s->n);
	fields_step(&e->fields, item->conn, s);
	field_after(e, item);
	if (s->rec && s->rec->count)
		out_u64(o, "count", NULL, s->rec->count);
	if (s->rec && s->rec->reason)
		out_u64(o, "reason", NULL, s->rec->reason);
	out_end(o);
}

/* ---- what is missing ---- */

static void print_hole(struct events *e, const struct item *item)
{
	struct out *o = &e->out;
	char line[FORMAT_MAX];

	if (!o->json) {
		sprintf(line, "! sk:%" PRIx64 ": steps missing here: %u",
			item->conn->cookie, item->missing);
		out_line(o, COLOR_INVERSE, line);
		return;
	}
	out_begin(o);
	out_str(o, "type", NULL, "hole");
	fields_identity(&e->fields, item->conn);
	out_u64(o, "missing_steps", NULL, item->missing);
	out_u64(o, "before", NULL, item->step->n);
	out_end(o);
}

static void print_lost(struct events *e, const struct item *item)
{
	struct out *o = &e->out;
	char line[FORMAT_MAX];

	sprintf(line, "! records of CPU %u lost here: %" PRIu64, item->cpu,
		item->lost);
	if (!e->opts->quiet && e->opts->follow)
		warnx("%s", line + 2);
	out_line(o, COLOR_INVERSE, line);
	if (!o->json)
		return;
	out_begin(o);
	out_str(o, "type", NULL, "lost");
	out_u64(o, "ts_ns", NULL, item->ts_ns);
	out_u64(o, "cpu", NULL, item->cpu);
	out_u64(o, "lost", NULL, item->lost);
	out_end(o);
}

/* ---- batches ---- */

static bool wanted_step(const struct events *e, const struct conn *c,
			const struct step *s, uint64_t ts_ns)
{
	const struct opts *opts = e->opts;

	if (opts->since_ns && ts_ns + opts->since_ns < e->fields.now_ns)
		return false;
	return filter_match(opts->filter, c, s);
}

static bool wanted(const struct events *e, const struct item *item)
{
	return item->kind == ITEM_LOST ||
	       wanted_step(e, item->conn, item->step, item->ts_ns);
}

/* Of a recording: will a line about it be printed? */
static bool keep(const struct conn *c, void *arg)
{
	const struct events *e = arg;

	for (size_t i = 0; i < c->nsteps; i++)
		/* Sorted by when the connection was last heard of, at most. */
		if (c->step[i] && wanted_step(e, c, c->step[i], c->seen_ns))
			return true;
	for (size_t i = 0; i < c->nevents; i++)
		if (wanted_step(e, c, c->event[i], c->seen_ns))
			return true;
	return false;
}

/* When following: all that is over has been printed. */
static bool keep_none(const struct conn *c, void *arg)
{
	(void)c;
	(void)arg;
	return false;
}

static void print_item(struct events *e, const struct item *item)
{
	if (item->kind == ITEM_LOST)
		print_lost(e, item);
	else if (item->kind == ITEM_HOLE)
		print_hole(e, item);
	else if (e->out.json)
		print_json(e, item);
	else
		print_text(e, item);
}

/* Twice, for the widths of the columns: to keep all lines takes more. */
static void measure(struct events *e, const struct item *items, size_t n)
{
	const struct clock clock = e->clock;

	e->out.measure = true;
	e->out.stream = false;
	for (size_t i = 0; i < n; i++)
		if (items[i].kind == ITEM_STEP || items[i].kind == ITEM_EVENT)
			print_text(e, &items[i]);
	e->out.measure = false;
	e->out.settled = true;
	e->out.stream = true;
	e->clock = clock;
}

static void print_batch(struct events *e, int64_t last)
{
	size_t n, kept = 0, first = 0;
	struct item *items = merge_take(&e->m, &n);

	e->fields.now_ns = reader_now(e->src, &e->m);
	for (size_t i = 0; i < n; i++)
		if (wanted(e, &items[i]))
			items[kept++] = items[i];
	if (last >= 0 && (size_t)last < kept)
		first = kept - last;
	if (!e->out.json && kept)
		measure(e, items + first, kept - first);
	for (size_t i = first; i < kept; i++) {
		print_item(e, &items[i]);
		if (i % DROP_ITEMS == 0)
			source_drop(e->src);
	}
	e->printed += kept - first;
	free(items);
	out_flush(&e->out);
}

static void follow(struct events *e)
{
	while (!signals_stop()) {
		if (!source_wait(e->src))
			continue;
		reader_drain(e->src, &e->m);
		print_batch(e, -1);
		merge_prune(&e->m);
	}
	if (!e->opts->quiet)
		warnx("%" PRIu64 " lines, %" PRIu64 " records read, %" PRIu64 " lost",
		      e->printed, e->m.records, e->m.lost);
}

static void init(struct events *e, const struct opts *opts)
{
	struct tcptrail_info *info;

	e->opts = opts;
	e->src = source_open(opts->in, ST_ERROR);
	info = &e->src->info;
	reader_init(&e->m, e->src);
	e->m.no_items = false;
	e->m.keep_arg = e;
	if (opts->follow && e->src->live)
		e->m.keep = keep_none;
	else if (opts->filter || opts->since_ns)
		e->m.keep = keep;
	out_init(&e->out, opts->json, opts->pretty, opts->color, opts->oneline);
	e->out.no_header = opts->no_header;
	e->clock.mode = opts->time;
	e->clock.real_ns = info->real_ns - info->boot_ns;
	e->fields.out = &e->out;
	e->fields.live = e->src->live;
	set_columns(e);
}

static int finish(struct events *e)
{
	int status = merge_incomplete(&e->m) ? ST_INCOMPLETE : ST_OK;

	if (!out_finish(&e->out))
		err(ST_ERROR, "writing failed");
	if (!e->opts->quiet)
		reader_complain(e->src, &e->m, e->opts->verbose);
	merge_free(&e->m);
	source_close(e->src);
	return status;
}

int cmd_events(const struct opts *opts)
{
	struct events e = { 0 };

	init(&e, opts);
	if (opts->follow && e.src->live)
		signals_catch();
	/* As good as now, for what is forgotten while it is read. */
	e.fields.now_ns = e.src->info.boot_ns;
	if (reader_catch_up(e.src, &e.m))
		print_batch(&e, opts->last);
	if (opts->follow && e.src->live)
		follow(&e);
	return finish(&e);
}
