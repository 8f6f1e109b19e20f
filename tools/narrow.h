/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Of a recording, only what may be shown is kept. Whether it will be shows only
 * at its end, and the other end of a connection, which is shown with it, may
 * not match the filter itself. So the recording is read twice: first to learn
 * which pairs of addresses and ports matter, then to keep those.
 */
#ifndef NARROW_H
#define NARROW_H

#include "merge.h"
#include "source.h"
#include "tally.h"
#include "tcptrail.h"

/* What is remembered of a connection in the first pass. */
struct candidate {
	uint64_t ends;		/* conn_ends_hash() */
	uint64_t first_ns;
	bool chosen;
};

/**
 * struct narrow - what to keep
 * @chosen: would this connection be shown, by all but --last?
 * @keys: conn_ends_hash() of those that matter
 */
struct narrow {
	bool (*chosen)(const void *opts, const struct conn *c, uint64_t now_ns);
	const struct opts *opts;
	uint64_t now_ns;
	struct candidate *cand;
	size_t n, room;
	struct tally keys;
};

/* Is there anything that need not be kept? */
bool narrow_wanted(const struct opts *opts);
/* Reads @src once; @m will then keep only what matters. */
void narrow_begin(struct narrow *nar, struct source *src, struct merge *m);
/* @m has been fed. */
void narrow_end(struct narrow *nar, struct merge *m);

#endif
