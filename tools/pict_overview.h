/* SPDX-License-Identifier: GPL-2.0 */
/* The two halves of the overview: bars, and strips of groups. */
#ifndef PICT_OVERVIEW_H
#define PICT_OVERVIEW_H

#include "draw.h"
#include "pict.h"
#include "span.h"

#define EDGE		16.0
/* With more connections than this, groups. */
#define OVERVIEW_BARS	60
/* Room for what a group is called. */
#define GROUP_LABEL	260.0

/* Where time is drawn. */
struct strip {
	struct span span;
	double x, width, top, bottom;
};

void overview_groups(struct pict *pict, const struct overview *o,
		     struct strip *st);

#endif
