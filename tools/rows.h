/* SPDX-License-Identifier: GPL-2.0 */
/* Sockets counted by state, port and owner. No I/O. */
#ifndef ROWS_H
#define ROWS_H

#include "group.h"
#include "tally.h"

struct row_key {
	char owner[16];		/* comm of a holder, "" */
	uint16_t port;
	uint8_t passive;	/* the port is the local one */
	uint8_t state;
};

/**
 * struct row - a line of top
 * @pid: of the owner, 0: there are several
 * @before: how many there were the last time
 * @oldest_sock: index of the oldest one, @oldest its age
 * @rule: worst verdict on one of them, NULL: none
 * @stuck: how many are stuck
 */
struct row {
	struct row_key key;
	size_t n, before, stuck;
	uint32_t oldest_sock, pid;
	struct age oldest;
	const struct rule *rule;
};

enum row_order {
	ROWS_BY_FINDING,
	ROWS_BY_COUNT,
	ROWS_BY_AGE,
	ROWS_BY_STATE,
	ROWS_ORDERS,
};

struct rows {
	struct row *row;
	size_t n, room;
};

void rows_make(struct rows *rs, const struct look *l,
	       const struct filter *filter, uint64_t over_ns);
/* Take from @old how many there were. */
void rows_compare(struct rows *rs, const struct rows *old);
void rows_sort(struct rows *rs, enum row_order order);
void rows_free(struct rows *rs);

#endif
