/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Time on a line of limited length, for many connections at once: to scale,
 * but for long stretches in which nothing happens, which are shortened.
 */
#ifndef SPAN_H
#define SPAN_H

#include "conn.h"

#define SPAN_CUTS	6

/**
 * struct span
 * @cut_ns: where a shortened stretch begins; @cut_length_ns: how long it is
 * @per_ns: length of a nanosecond elsewhere
 */
struct span {
	uint64_t from_ns, to_ns;
	double length;
	uint64_t cut_ns[SPAN_CUTS], cut_length_ns[SPAN_CUTS];
	double cut_drawn;
	size_t ncuts;
	double per_ns;
};

/* All that is known of @conn, up to @now_ns if something is still open. */
void span_make(struct span *s, const struct conn *const *conn, size_t n,
	       uint64_t now_ns, double length);
/* Where @ts_ns is, 0 to length. */
double span_at(const struct span *s, uint64_t ts_ns);

#endif
