/* SPDX-License-Identifier: GPL-2.0 */
/* What show does, for other verbs that answer about connections. */
#ifndef SHOW_H
#define SHOW_H

#include "merge.h"
#include "source.h"
#include "tcptrail.h"

/* Read all of @src, find the pairs. Exits if there is no such connection. */
void show_read(const struct opts *opts, struct source *src, struct merge *m);
/* The connections that are asked for, by birth, pairs together; to be freed. */
const struct conn **show_choose(const struct opts *opts, const struct merge *m,
				uint64_t now_ns, size_t *n);
/* The first that is known of it and of its other end. */
uint64_t show_pair_birth(const struct conn *c);

#endif
