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
	ITEM_HOLE,	/* steps before @step are missing */
	ITEM_LOST,	/* records of a ring were lost */
};

/**
 * struct item - something new
 * @ts_ns: to sort by: not before that of an earlier step of the connection
 * @conn: and @step, of all but ITEM_LOST
 * @missing: of ITEM_HOLE; @lost and @cpu: of ITEM_LOST
 */
struct item {
	uint64_t ts_ns;
	union {
		struct {
			struct conn *conn;
			struct step *step;
		};
		struct {
			uint64_t lost;
			uint32_t cpu;
		};
	};
	uint32_t missing;
	enum item_kind kind;
};

/* An event that waits for its connection; @own: the record is a copy. */
struct stray {
	const struct tcptrail_step *rec;
	uint64_t came_at;	/* rings */
	bool own;
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
 * @no_items: nobody will ask what is new
 * @prune: forget while reading, items not yet taken included; else only in
 *	merge_prune()
 * @window: so many records of rings later nothing older can come
 * @rings: records of rings so far
 * @keep: asked once about each connection, when it is over and nothing can
 *	come about it any more: false: it is forgotten. NULL: all are kept
 * @ended: connections that have ended, in order, and @ended_last
 * @round: counts SYNCs and the first TRAIL before each: see add_sync()
 * @walking: a TRAIL came since the last SYNC
 * @dead: forgotten, but items may point to them
 */
struct merge {
	struct conns conns;
	bool accept_seen;
	bool no_items, prune;
	uint64_t window;
	uint64_t rings;
	bool (*keep)(const struct conn *c, void *arg);
	void *keep_arg;
	struct conn *ended, *ended_last;
	uint32_t round;
	bool walking;
	struct conn *dead;
	size_t ndead;
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
	struct stray *stray;
	size_t nstrays, stray_room, strays_done;
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

/* Forget what keep() does not want. After merge_take() and its items. */
void merge_prune(struct merge *m);

/* Something is missing in the answer for good. */
bool merge_incomplete(const struct merge *m);

void merge_free(struct merge *m);

#endif
