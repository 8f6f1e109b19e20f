// SPDX-License-Identifier: GPL-2.0
/* show, report: connections and their histories. */
#include <inttypes.h>
#include <langinfo.h>
#include <stdlib.h>
#include <string.h>

#include "draw.h"
#include "fields.h"
#include "narrow.h"
#include "pair.h"
#include "reader.h"
#include "show.h"

/* So many are printed before a recording's memory is given back. */
#define DROP_CONNS	2048

static bool chosen(const void *arg, const struct conn *c, uint64_t now_ns)
{
	const struct opts *opts = arg;
	uint64_t since;

	/* Events of sockets that no step tells of. */
	if (!c->nsteps && !c->first_old)
		return false;
	if (!filter_match(opts->filter, c, NULL))
		return false;
	if (opts->since_ns && c->seen_ns + opts->since_ns < now_ns)
		return false;
	if (!opts->over_ns)
		return true;
	since = conn_state_since(c);
	return !conn_ended(c) && (!since || since + opts->over_ns <= now_ns);
}

/* When the older end of its pair was born: keeps pairs together. */
uint64_t show_pair_birth(const struct conn *c)
{
	return c->peer ? min(conn_first(c), conn_first(c->peer)) : conn_first(c);
}

/* A connection that will be shown, and what to sort it by first. */
struct shown {
	uint64_t birth;
	const struct conn *conn;
};

/* Newest last; of a pair the end that connected first. */
static int by_birth(const void *a, const void *b)
{
	uint64_t bx = ((const struct shown *)a)->birth;
	uint64_t by = ((const struct shown *)b)->birth;
	const struct conn *x = ((const struct shown *)a)->conn;
	const struct conn *y = ((const struct shown *)b)->conn;

	if (bx != by)
		return bx < by ? -1 : 1;
	if (x->peer == y && conn_passive(x) != conn_passive(y))
		return conn_passive(x) ? 1 : -1;
	if (conn_first(x) != conn_first(y))
		return conn_first(x) < conn_first(y) ? -1 : 1;
	return x->cookie < y->cookie ? -1 : x->cookie > y->cookie;
}

static bool in_order(const struct shown *list, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (by_birth(&list[i - 1], &list[i]) > 0)
			return false;
	return true;
}

static struct shown *choose(const struct opts *opts, const struct merge *m,
			    uint64_t now_ns, size_t *n)
{
	struct shown *list = NULL;
	size_t room = 0;

	*n = 0;
	make_room(&list, &room, 0, sizeof(*list));
	for (size_t i = 0; i < m->conns.n; i++) {
		const struct conn *c = m->conns.all[i];

		if (!chosen(opts, c, now_ns))
			continue;
		make_room(&list, &room, *n, sizeof(*list));
		list[(*n)++] = (struct shown){ show_pair_birth(c), c };
	}
	/* They usually come in this order. */
	if (!in_order(list, *n))
		qsort(list, *n, sizeof(*list), by_birth);
	return list;
}

/* The widths of the columns first: to keep all rows takes more. */
static void print_list(struct fields *f, const struct shown *list, size_t n,
		       struct source *src)
{
	struct out *o = f->out;

	o->measure = !o->json;
	for (size_t i = 0; i < n && o->measure; i++)
		fields_conn(f, list[i].conn);
	o->measure = false;
	o->settled = true;
	o->stream = true;
	for (size_t i = 0; i < n; i++) {
		fields_conn(f, list[i].conn);
		if (i % DROP_CONNS == 0)
			source_drop(src);
	}
}

static void print_table(const struct opts *opts, struct source *src,
			struct merge *m, struct out *o)
{
	struct fields f = { .out = o, .now_ns = reader_now(src, m),
			    .hooks = src->info.hooks, .live = src->live, .extended = opts->extended,
			    .wide = opts->wide };
	struct shown *list;
	size_t n, first = 0;

	list = choose(opts, m, f.now_ns, &n);
	if (opts->last >= 0 && (size_t)opts->last < n)
		first = n - opts->last;
	fields_columns(o, opts->extended);
	print_list(&f, list + first, n - first, src);
	if (o->json)
		fields_summary(&f, m, n - first, &src->info);
	free(list);
}

/* All of one cookie: usually one connection. */
static void print_pictures(const struct opts *opts, const struct source *src,
			   struct merge *m, struct out *o)
{
	struct picture p = { .out = o, .now_ns = reader_now(src, m),
			     .live = src->live };
	struct shown *list;
	size_t n;

	p.utf8 = !opts->ascii && !strcmp(nl_langinfo(CODESET), "UTF-8");
	p.clock.mode = opts->time_given ? opts->time : TIME_REL;
	p.clock.real_ns = src->info.real_ns - src->info.boot_ns;
	list = choose(opts, m, p.now_ns, &n);
	for (size_t i = 0; i < n; i++) {
		if (i)
			out_line(o, COLOR_NONE, "");
		p.clock.first_ns = p.clock.last_ns = list[i].birth;
		draw_facts(&p, list[i].conn);
		out_line(o, COLOR_NONE, "");
		if (!conn_is_listener(list[i].conn))
			draw_ladder(&p, list[i].conn);
	}
	free(list);
}

const struct conn **show_choose(const struct opts *opts, const struct merge *m,
				uint64_t now_ns, size_t *n)
{
	struct shown *list = choose(opts, m, now_ns, n);
	const struct conn **conn = xzalloc((*n + 1) * sizeof(*conn));

	for (size_t i = 0; i < *n; i++)
		conn[i] = list[i].conn;
	free(list);
	return conn;
}

void show_read(const struct opts *opts, struct source *src, struct merge *m)
{
	struct narrow narrow = { .chosen = chosen, .opts = opts };

	reader_init(m, src);
	if (!src->live && narrow_wanted(opts))
		narrow_begin(&narrow, src, m);
	reader_catch_up(src, m);
	merge_settle_events(m);
	narrow_end(&narrow, m);
	if (!opts->no_pair)
		pair_all(&m->conns);
	if (opts->cookie && !conns_latest(&m->conns, opts->cookie, UINT64_MAX))
		errx(ST_ERROR, "no connection sk:%" PRIx64 " is known", opts->cookie);
}

int cmd_show(const struct opts *opts)
{
	struct source *src = source_open(opts->in, ST_ERROR);
	struct merge m;
	struct out o;
	int status;

	show_read(opts, src, &m);
	out_init(&o, opts->json, opts->pretty, opts->color, opts->oneline);
	o.no_header = opts->no_header;
	if (opts->cookie && !opts->json && !opts->oneline)
		print_pictures(opts, src, &m, &o);
	else
		print_table(opts, src, &m, &o);
	if (!out_finish(&o))
		err(ST_ERROR, "writing failed");
	if (!opts->quiet)
		reader_complain(src, &m, opts->verbose);
	status = merge_incomplete(&m) ? ST_INCOMPLETE : ST_OK;
	merge_free(&m);
	source_close(src);
	return status;
}
