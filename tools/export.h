/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of export share. */
#ifndef EXPORT_H
#define EXPORT_H

#include "draw.h"
#include "merge.h"
#include "pict.h"
#include "tcptrail.h"

/**
 * struct export - what is to be drawn
 * @conn: the connections asked for, by birth, pairs together
 * @one: the only one asked for, NULL: all
 * @over_ns: open and waiting for longer than that is stuck
 */
struct export {
	const struct merge *m;
	struct picture p;
	const struct conn **conn;
	size_t n;
	const struct conn *one;
	uint64_t over_ns;
};

/* Return 0 or an errno. */
int export_html(const struct export *e, int fd);
int export_chrome(const struct export *e, int fd);
int export_mermaid(const struct export *e, int fd);

/* All of it; 0 or an errno. */
int write_all(int fd, const char *s, size_t n);
/* The clock counts from the birth of @c or of its other end. */
struct picture export_picture(const struct export *e, const struct conn *c);

#endif
