/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From the records of many rings to connections and an ordered list of what
 * is new. Knows about repeats, about loss, and about records that arrive out
 * of order. No I/O.
 */
#ifndef MERGE_H
#define MERGE_H

#include "conn.h"

enum item_kind {
	ITEM_STEP,
	ITEM_EVENT,
	ITEM_HOLE,	/* @missing steps before step @step are missing */
	ITEM_LOST,	/* @missing records of ring @cpu were lost */
};

struct item {
	enum item_kind kind;
	struct conn *conn;	/* NULL for ITEM_LOST, and events of nobody */
	struct step *step;
	uint64_t ts_ns;
	uint64_t missing;
	uint32_t cpu;
	size_t arrival;
};

struct merge_cpu {
	uint64_t last_seq;	/* records up to here have come, or are lost */
};

/**
 * struct merge - everything that is known
 * @conns: the connections
 * @accept_seen: the module can see accept()
 * @newest_ns: time of the newest record
 * @records: how many came, repeats not counted
 * @unknown: records of types this tool does not know
 * @lost: records lost, all together
 * @unrecovered: of those, the ones that no later SYNC made up for
 * @settled: a SYNC came without a loss before it: from here on it is live
 * @dirty: something was lost since the last SYNC
 * @synced: a SYNC came
 */
struct merge {
	struct conns conns;
	bool accept_seen;
	uint64_t newest_ns;
	uint64_t records;
	uint64_t unknown;
	uint64_t lost;
	uint64_t unrecovered;
	bool settled;
	bool dirty;
	bool synced;
	struct merge_cpu *cpu;
	size_t cpu_room;
	struct item *item;
	size_t nitems, item_room;
	struct step **stray;
	size_t nstrays, stray_room;
};

enum merge_event {
	MERGE_NOTHING,
	MERGE_SYNC,	/* things are now as they stand */
	MERGE_LOST,	/* a SYNC, but with a loss before: start over */
};

enum merge_event merge_add(struct merge *m, const struct tcptrail_hdr *hdr);

/*
 * A step is missing though a later one has come: it may still be on its way
 * in another ring. Only what came since the last merge_take() counts.
 */
bool merge_has_gap(const struct merge *m);

/*
 * All that is new since the last call, by time, but the steps of one
 * connection always by number. The caller frees the array.
 */
struct item *merge_take(struct merge *m, size_t *n);

/* Events that came before their connection find it now; before questions. */
void merge_settle_events(struct merge *m);

/* Forget connections that ended before @before_ns. After merge_take(). */
void merge_forget(struct merge *m, uint64_t before_ns);

/* Something is missing in the answer for good. */
bool merge_incomplete(const struct merge *m);

void merge_free(struct merge *m);

#endif
