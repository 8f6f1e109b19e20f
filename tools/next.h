/* SPDX-License-Identifier: GPL-2.0 */
/* What to type next: commands that work on this machine. No I/O. */
#ifndef NEXT_H
#define NEXT_H

#include "group.h"

/**
 * struct next - a command
 * @kind: "look", "mend", "end": shows something, changes a setting or lets a
 *	process go on, ends sockets or a process
 * @cmd: for a shell
 * @does: what it does, in words
 */
struct next {
	const char *kind;
	struct text cmd, does;
};

/* At most MAX_ADVICE; returns how many. */
size_t next_of(const struct look *l, const struct group *g, struct next *next);
void next_free(struct next *next, size_t n);

#endif
