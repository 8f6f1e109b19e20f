/* SPDX-License-Identifier: GPL-2.0 */
/* Findings as text and as JSON. */
#ifndef DRAW_STUCK_H
#define DRAW_STUCK_H

#include "group.h"
#include "out.h"

/* What --over is if it is not given. */
#define STUCK_OVER_NS	(5 * NSEC_PER_SEC)

/* All of them and a summary. @every: JSON has every socket, not examples. */
void draw_stuck(struct out *o, const struct look *l, const struct groups *gs,
		bool every);
/* One finding. */
void draw_finding(struct out *o, const struct look *l, const struct groups *gs,
		  const struct group *g, bool every);
/* "400 CLOSE_WAIT of port 8080: not closed by the program" */
void finding_title(struct text *t, const struct look *l, const struct group *g);

/* Whom it waits for, and the evidence, in words. */
void finding_waits(struct text *t, const struct look *l, const struct group *g);
void finding_why(struct text *t, const struct look *l, const struct group *g);

#endif
