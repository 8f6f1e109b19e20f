/* SPDX-License-Identifier: GPL-2.0 */
/* How long things took, over many connections. No I/O. */
#ifndef STATS_H
#define STATS_H

#include "conn.h"

#define STATS_STATES	13
/* Powers of ten from 1 us on, and the rest. */
#define STATS_BUCKETS	10

/**
 * struct sample - lengths of time
 * @ns: sorted once stats_make() is over
 */
struct sample {
	uint64_t *ns;
	size_t n, room;
	double sum;
};

/**
 * struct stats - what many connections took
 * @state: completed stays in each state, as shown
 * @active: connect() to ESTABLISHED
 * @passive: SYN to ESTABLISHED, at the listener's side
 * @accept_wait: ESTABLISHED to accept()
 * @now: connections that are open, by state
 * @open_unknown: and those whose state is not known
 */
struct stats {
	struct sample state[STATS_STATES];
	struct sample active, passive, accept_wait;
	size_t now[STATS_STATES];
	size_t open_unknown;
	uint64_t connections;
};

void stats_make(struct stats *st, const struct conns *cs,
		bool (*chosen)(const struct conn *c, const void *arg),
		const void *arg);
/* @q: 0 to 1; of a sample that is not empty. */
uint64_t sample_quantile(const struct sample *s, double q);
/* How many are at most that long. */
size_t sample_upto(const struct sample *s, uint64_t ns);
/* Upper ends of the buckets. */
uint64_t stats_bucket(unsigned int i);
void stats_free(struct stats *st);

#endif
