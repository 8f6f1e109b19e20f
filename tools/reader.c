// SPDX-License-Identifier: GPL-2.0
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "reader.h"
#include "util.h"

/* Losing records so often means that reading can't keep up at all. */
#define MAX_RESYNCS	8
/* So many records are read before a recording's memory is given back. */
#define DROP_RECORDS	16384
/* Records that are read before something is printed. */
#define MAX_BATCH	50000

void reader_init(struct merge *m, const struct source *src)
{
	memset(m, 0, sizeof(*m));
	m->accept_seen = src->info.hooks & 1ULL << TCPTRAIL_H_ACCEPT;
	m->no_items = !src->live;
	m->prune = !src->live;
	m->conns.records_stay = !src->live;
	m->window = max(2ULL * src->info.cpus * src->info.slots, 1024);
}

bool reader_catch_up(struct source *src, struct merge *m)
{
	const struct tcptrail_hdr *hdr;
	unsigned int resyncs = 0;
	enum merge_event event;

	for (;;) {
		hdr = source_next(src);
		if (!hdr && !src->live)
			break;
		if (!hdr && !source_wait(src))
			return false;
		if (!hdr)
			continue;
		event = merge_add(m, hdr);
		if (m->records % DROP_RECORDS == 0)
			source_drop(src);
		if (!src->live)
			continue;
		if (event == MERGE_SYNC)
			break;
		if (event == MERGE_LOST && ++resyncs <= MAX_RESYNCS)
			source_resync(src);
		else if (event == MERGE_LOST)
			break;
	}
	if (merge_has_gap(m))
		reader_drain(src, m);
	return true;
}

/* What there is, but not for ever. True: nothing is left. */
static bool drain_once(struct source *src, struct merge *m)
{
	const struct tcptrail_hdr *hdr;

	for (size_t i = 0; i < MAX_BATCH; i++) {
		hdr = source_next(src);
		if (!hdr)
			return true;
		merge_add(m, hdr);
	}
	return false;
}

/*
 * After a loss the source is started over, but only when all has been read: to
 * read the history again while records come faster than they are read would
 * lose still more.
 */
void reader_drain(struct source *src, struct merge *m)
{
	if (!src->live)
		return;
	if (drain_once(src, m) && m->dirty) {
		source_resync(src);
		drain_once(src, m);
	}
	if (merge_has_gap(m))
		drain_once(src, m);
}

uint64_t reader_now(const struct source *src, const struct merge *m)
{
	struct timespec ts;

	if (!src->live)
		return max(src->info.boot_ns, m->newest_ns);
	clock_gettime(CLOCK_BOOTTIME, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

void reader_complain(const struct source *src, const struct merge *m,
		     bool verbose)
{
	if (verbose)
		warnx("%" PRIu64 " records read, %" PRIu64 " lost", m->records,
		      m->lost);
	if (m->unknown)
		warnx("records skipped, of types that this version does not know: %" PRIu64,
		      m->unknown);
	if (m->unrecovered)
		warnx("the answer is incomplete, records lost before they were read: %" PRIu64,
		      m->unrecovered);
	else if (!m->synced)
		warnx("the answer is incomplete: %s ends before all open connections were told",
		      src->name);
}
