/* SPDX-License-Identifier: GPL-2.0 */
/* Sockets that are alike are one finding. */
#ifndef GROUP_H
#define GROUP_H

#include "look.h"

#define GROUP_EXAMPLES	3

/**
 * struct group - a finding
 * @first: its sockets, chained by groups.next (index plus 1)
 * @example: the oldest ones; @n or GROUP_EXAMPLES of them
 * @oldest, @newest: ages; unknown ones don't count unless all are
 * @unknown: how many ages are not known
 * @soonest_ms: when the first of their timers fires
 * @passive: the port they share is the local one
 * @same_local, @same_remote: so are the addresses
 * @actor: the process to act on: one that holds it, or its listener; index
 *	in holders.process, NO_HOLDER: none
 * @actor_fd: its descriptor of the oldest, or of the listener
 * @listening: that is what it does
 */
struct group {
	const struct rule *rule;
	size_t n;
	uint32_t first;
	uint32_t example[GROUP_EXAMPLES];
	struct age oldest, newest;
	size_t unknown;
	uint32_t soonest_ms;
	bool passive, same_local, same_remote;
	uint32_t actor;
	int actor_fd;
	bool listening;
};

struct groups {
	struct group *group;
	size_t n, room;
	uint32_t *next;
	/* Sockets by state, and those with which nothing is wrong. */
	size_t by_state[16], fine[16];
	size_t stuck, total;
};

void groups_make(struct groups *gs, const struct look *l,
		 const struct filter *filter, uint64_t over_ns);
size_t groups_failing(const struct groups *gs);
/* Age of socket @i for its line. */
struct age groups_age(const struct look *l, size_t i);
void groups_free(struct groups *gs);

#endif
