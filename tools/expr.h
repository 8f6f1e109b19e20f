/* SPDX-License-Identifier: GPL-2.0 */
/* What check asserts: "no CLOSE_WAIT older than 5s on :8080". No I/O. */
#ifndef EXPR_H
#define EXPR_H

#include "filter.h"

/**
 * struct expr - at most so many sockets are like this
 * @most: 0: none
 * @stuck: only those that tcptrail stuck calls a failure
 * @over_ns: only those that have been in their state so long
 */
struct expr {
	uint64_t most;
	bool stuck;
	uint64_t over_ns;
	struct filter *filter;
};

/* False: @error says what is wrong with it. */
bool expr_parse(struct expr *e, const char *text, char *error, size_t size);

#endif
