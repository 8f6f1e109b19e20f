/* SPDX-License-Identifier: GPL-2.0 */
/* The stream of records that an open file delivers. */
#ifndef _TCPTRAIL_READER_H
#define _TCPTRAIL_READER_H

#include <linux/mutex.h>
#include <linux/types.h>
#include "tcptrail.h"

enum reader_phase {
	READER_HISTORY,		/* the rings up to the heads at open */
	READER_TRAILS,		/* bucket by bucket */
	READER_CATCH_UP,	/* the rings up to the heads at the walk's end */
	READER_SYNC,		/* one SYNC record */
	READER_LIVE,
};

/**
 * struct ring_cursor - where a reader is in one ring
 * @next: position to read next
 * @until: where the present round ends
 */
struct ring_cursor {
	u64 next;
	u64 until;
};

/**
 * struct reader - an open file
 * @lock: guards everything here; reads of one file take turns
 * @phase: what is delivered now
 * @redact: may not see live sequence numbers
 * @cpu: ring that the present round is at
 * @bucket: bucket to copy next
 * @trails: copies of one bucket
 * @room: how many fit there
 * @copied: how many are there
 * @given: how many of them have been delivered
 * @delivered: records, of all kinds that come from a ring
 * @lost: records that were overwritten before they were read
 * @at: one cursor per possible CPU
 */
struct reader {
	struct mutex lock;	/* see above */
	enum reader_phase phase;
	bool redact;
	unsigned int cpu;
	unsigned int bucket;
	struct tcptrail_trail *trails;
	unsigned int room;
	unsigned int copied;
	unsigned int given;
	u64 delivered;
	u64 lost;
	struct ring_cursor at[];
};

struct reader *reader_create(bool redact);
void reader_destroy(struct reader *rd);
void reader_restart(struct reader *rd, bool new);
void reader_skip(struct reader *rd);
ssize_t reader_copy(struct reader *rd, char __user *buf, size_t len);
bool reader_ready(struct reader *rd);
bool reader_has_lost(struct reader *rd);

#endif /* _TCPTRAIL_READER_H */
