/* SPDX-License-Identifier: GPL-2.0 */
/* Between a ladder and its picture: where each row is. */
#ifndef PLAN_H
#define PLAN_H

#include "ladder.h"
#include "pict.h"

#define EDGE	16.0	/* around the picture */
#define LANE	12.0	/* width of a lane */
#define END	20.0	/* and of the bar at its end */
#define BESIDE	8.0	/* between a lane and its texts */

/* How the time between a row and the one before with a time is drawn. */
enum axis {
	AXIS_NONE,
	AXIS_TRUE,
	AXIS_STRETCHED,
	AXIS_SHORTENED,
};

/**
 * struct place - where a row is
 * @ts_ns: 0: it has no time
 * @follows: it belongs to the row before
 * @extra: room above it, beside that of a line
 * @from_y: of its arrow: where it starts; @to_y: and ends
 * @t: where along the arrow its label is, 0 to 1
 */
struct place {
	uint64_t ts_ns;
	double y, extra, from_y, to_y, t;
	enum axis axis;
	bool follows;
};

/**
 * struct plan - where everything is
 * @place: of each row, and of "now"
 * @lane: middle of each lane
 * @address: below the heading of each lane
 */
struct plan {
	const struct ladder *l;
	struct place *place;
	bool has_now;
	double top, bottom, width, axis_x, lane[2];
	char address[2][FORMAT_MAX];
};

/* @address is set; rows begin below @top. */
void plan_make(struct plan *pl, const struct ladder *l, double top);
void plan_free(struct plan *pl);

#endif
