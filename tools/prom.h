/* SPDX-License-Identifier: GPL-2.0 */
/* Prometheus, text format 0.0.4. */
#ifndef PROM_H
#define PROM_H

#include "source.h"
#include "stats.h"

/* What is there now, by state and by rule; NULL: it was not looked at. */
struct groups;

void prom_print(const struct stats *st, const struct groups *gs,
		const struct tcptrail_info *info, uint64_t lost);

#endif
