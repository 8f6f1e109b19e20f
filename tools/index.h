/* SPDX-License-Identifier: GPL-2.0 */
/* Finds sockets that belong together. No I/O. */
#ifndef INDEX_H
#define INDEX_H

#include <sys/types.h>

#include "diag.h"
#include "netns.h"

struct index;

struct index *index_new(const struct diag *d, const struct netns_list *nets);
/*
 * The listener that socket @i came from, or, for a SYN_SENT, that it goes to;
 * -1: none. @n: how many it could be.
 */
ssize_t index_listener(const struct index *ix, size_t i, unsigned int *n);
/*
 * The other end of its connection, if it is on this machine too; -1: no. Looks
 * at all sockets: for the few that are shown.
 */
ssize_t index_peer(const struct index *ix, size_t i);
/* It looks as if the peer had opened it. */
bool index_passive(const struct index *ix, size_t i);
/* evidence.crowd */
uint32_t index_crowd(const struct index *ix, size_t i);
void index_free(struct index *ix);

#endif
