/* SPDX-License-Identifier: GPL-2.0 */
/* How long a socket has been in its state, and how sure that is. */
#ifndef AGE_H
#define AGE_H

#include "diag.h"

struct fact;
struct netns_settings;

enum age_kind {
	AGE_UNKNOWN,
	AGE_ESTIMATE,	/* from the timers and counters of the socket: ~ */
	AGE_EXACT,	/* from its trail */
};

struct age {
	enum age_kind kind;
	uint64_t ns;
};

/* @fact, @set: may be NULL. No I/O. */
struct age age_of(const struct diag_sock *s, const struct fact *fact,
		  const struct netns_settings *set, uint64_t now_ns);
/* How long the @timer of retransmissions has been running in all. */
uint64_t age_of_backoff(const struct diag_sock *s);
/* "2h03m", "~2h03m", "?" */
const char *age_text(char *buf, const struct age *age);

#endif
