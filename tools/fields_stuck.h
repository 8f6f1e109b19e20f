/* SPDX-License-Identifier: GPL-2.0 */
/* Findings as JSON. */
#ifndef FIELDS_STUCK_H
#define FIELDS_STUCK_H

#include "group.h"
#include "out.h"

void fields_finding(struct out *o, const struct look *l,
		    const struct groups *gs, const struct group *g, bool every);
void fields_stuck_summary(struct out *o, const struct look *l,
			  const struct groups *gs);

#endif
