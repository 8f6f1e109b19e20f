// SPDX-License-Identifier: GPL-2.0
/* show, report: connections and their histories. */
#include <inttypes.h>
#include <langinfo.h>
#include <stdlib.h>
#include <string.h>

#include "draw.h"
#include "fields.h"
#include "pair.h"
#include "reader.h"
#include "tcptrail.h"

static bool chosen(const struct opts *opts, const struct conn *c,
		   uint64_t now_ns)
{
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
/* Its birth or, if that is not known, the first that is known of it. */
static uint64_t first_ns(const struct conn *c)
{
	uint64_t first = UINT64_MAX;

	if (c->birth_ns)
		return c->birth_ns;
	for (size_t i = 0; i < c->nsteps; i++)
		if (c->step[i])
			first = min(first, c->step[i]->ts_ns);
	for (size_t i = 0; i < c->nevents; i++)
		first = min(first, c->event[i]->ts_ns);
	return first;
}

static uint64_t pair_birth(const struct conn *c)
{
	return c->peer ? min(first_ns(c), first_ns(c->peer)) : first_ns(c);
}

/* Newest last; of a pair the end that connected first. */
static int by_birth(const void *a, const void *b)
{
	const struct conn *x = *(const struct conn *const *)a;
	const struct conn *y = *(const struct conn *const *)b;
	uint64_t bx = pair_birth(x), by = pair_birth(y);

	if (bx != by)
		return bx < by ? -1 : 1;
	if (x->peer == y && conn_passive(x) != conn_passive(y))
		return conn_passive(x) ? 1 : -1;
	if (first_ns(x) != first_ns(y))
		return first_ns(x) < first_ns(y) ? -1 : 1;
	return x->cookie < y->cookie ? -1 : x->cookie > y->cookie;
}

static struct conn **choose(const struct opts *opts, const struct merge *m,
			    uint64_t now_ns, size_t *n)
{
	struct conn **list = xzalloc((m->conns.n + 1) * sizeof(*list));

	*n = 0;
	for (size_t i = 0; i < m->conns.n; i++)
		if (chosen(opts, m->conns.all[i], now_ns))
			list[(*n)++] = m->conns.all[i];
	qsort(list, *n, sizeof(*list), by_birth);
	return list;
}

static void print_table(const struct opts *opts, const struct source *src,
			struct merge *m, struct out *o)
{
	struct fields f = { .out = o, .now_ns = reader_now(src, m),
			    .hooks = src->info.hooks, .live = src->live, .extended = opts->extended,
			    .wide = opts->wide };
	struct conn **list;
	size_t n, first = 0;

	list = choose(opts, m, f.now_ns, &n);
	if (opts->last >= 0 && (size_t)opts->last < n)
		first = n - opts->last;
	fields_columns(o, opts->extended);
	for (size_t i = first; i < n; i++)
		fields_conn(&f, list[i]);
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
	struct conn **list;
	size_t n;

	p.utf8 = !opts->ascii && !strcmp(nl_langinfo(CODESET), "UTF-8");
	p.clock.mode = opts->time_given ? opts->time : TIME_REL;
	p.clock.real_ns = src->info.real_ns - src->info.boot_ns;
	list = choose(opts, m, p.now_ns, &n);
	for (size_t i = 0; i < n; i++) {
		if (i)
			out_line(o, COLOR_NONE, "");
		p.clock.first_ns = p.clock.last_ns = pair_birth(list[i]);
		draw_facts(&p, list[i]);
		out_line(o, COLOR_NONE, "");
		if (!conn_is_listener(list[i]))
			draw_ladder(&p, list[i]);
	}
	free(list);
}

static void read_all(const struct opts *opts, struct source *src,
		     struct merge *m)
{
	reader_init(m, src);
	reader_catch_up(src, m);
	merge_settle_events(m);
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

	read_all(opts, src, &m);
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
