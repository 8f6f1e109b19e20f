/* SPDX-License-Identifier: GPL-2.0 */
/* Rows of two lanes with arrows between them, and how they are printed. */
#ifndef PAPER_H
#define PAPER_H

#include "draw.h"

enum { LEFT, RIGHT };

/* What a lane shows in a row. */
enum bar {
	BAR_NONE,
	BAR_LINE,
	BAR_DASHED,
	BAR_TICK,
	BAR_HOLE,
};

struct row {
	uint64_t ts_ns;		/* 0: no time in this row */
	struct text side[2];
	enum bar bar[2];
	struct text label;	/* of the arrow */
	int to;			/* lane that the arrow points at, -1: none */
	bool nowhere;		/* and nobody is known to have got it */
	enum color color;
};

struct paper {
	struct row *row;
	size_t n, room;
};

/* Another row, empty; the pointer is good until the next call. */
struct row *paper_row(struct paper *paper);
/* All rows; then they are gone. */
void paper_print(struct paper *paper, const struct picture *p);

#endif
