/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The textbook picture of one connection as a list of rows, in the order in
 * which they are drawn: two lanes, what happened in each, and the segments
 * between them. Printed as text by draw_ladder.c, laid out by pict_ladder.c. No I/O.
 */
#ifndef LADDER_H
#define LADDER_H

#include "draw.h"

enum { LEFT, RIGHT };

/* What a lane shows in a row of text. */
enum bar {
	BAR_NONE,
	BAR_LINE,
	BAR_DASHED,
	BAR_TICK,
	BAR_HOLE,
};

enum row_kind {
	ROW_TITLE,	/* of the lanes */
	ROW_SEGMENT,
	ROW_CAUSE,	/* of the visit that follows in its lane */
	ROW_HOLE,	/* steps are missing before what follows in its lane */
	ROW_VISIT,	/* a state begins */
	ROW_MARK,	/* happened within a state */
};

/**
 * struct row - one of them
 * @lane: whose it is; of a segment: that of the step that proves it
 * @ts_ns: 0: no time in this row
 * @side: texts beside the lanes
 * @label: of the segment
 * @to: lane that the segment points at, -1: none
 * @nowhere: and nobody is known to have got it
 * @got: step that its arrival caused, NULL: none is known
 * @sent: step that sent it, NULL: none is known
 * @visit: of ROW_VISIT
 * @last: it is the last of its lane
 */
struct row {
	enum row_kind kind;
	int lane;
	uint64_t ts_ns;
	struct text side[2];
	enum bar bar[2];
	struct text label;
	int to;
	bool nowhere;
	enum color color;
	const struct step *got, *sent;
	struct visit visit;
	bool last;
};

/**
 * struct ladder - the picture
 * @conn: of each lane, NULL: not on this machine
 * @alive: while it is made: the lane has begun and not ended
 */
struct ladder {
	const struct picture *p;
	const struct conn *conn[2];
	bool alive[2];
	struct row *row;
	size_t n, room;
};

/* @p: now_ns and live are used. The rows are good as long as the model. */
void ladder_build(struct ladder *l, const struct picture *p,
		  const struct conn *c);
void ladder_free(struct ladder *l);
/* First sequence number of the lane: x of the client, y of the server. */
bool ladder_isn(const struct ladder *l, int lane, uint32_t *isn);

#endif
