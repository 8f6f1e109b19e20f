/* SPDX-License-Identifier: GPL-2.0 */
/* Reads a source into a merge: the loop that all reading verbs share. */
#ifndef READER_H
#define READER_H

#include "merge.h"
#include "source.h"

/* A merge that is right for @src. */
void reader_init(struct merge *m, const struct source *src);

/*
 * Until things are as they stand: the SYNC of the device (after a loss: of a
 * second attempt), the end of a recording. False: a signal came first.
 */
bool reader_catch_up(struct source *src, struct merge *m);

/*
 * What there is now, without waiting; starts the source over after a loss.
 * Steps that are still on their way get their second chance here.
 */
void reader_drain(struct source *src, struct merge *m);

/* Now, by the clock of the records. */
uint64_t reader_now(const struct source *src, const struct merge *m);

/* Once, on stderr: what was not understood, what was lost. */
void reader_complain(const struct source *src, const struct merge *m,
		     bool verbose);

#endif
