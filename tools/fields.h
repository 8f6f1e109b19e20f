/* SPDX-License-Identifier: GPL-2.0 */
/* Connections and steps as fields of the output. */
#ifndef FIELDS_H
#define FIELDS_H

#include "conn.h"
#include "merge.h"
#include "out.h"

/* All of a connection; cells too if the output is a table. */
struct fields {
	struct out *out;
	uint64_t now_ns;
	uint64_t hooks;	/* bits 1 << TCPTRAIL_H_*: those that were active */
	bool live;	/* /proc is about these processes */
	bool extended;
	bool wide;
};

/* The columns of fields_conn(). */
void fields_columns(struct out *o, bool extended);
void fields_conn(const struct fields *f, const struct conn *c);
/* id, cookie, birth, addresses, netns: what names a connection */
void fields_identity(const struct fields *f, const struct conn *c);
/* What the record of a step or an event holds. */
void fields_step(const struct fields *f, const struct conn *c,
		 const struct step *s);
/* {"summary":...}; JSON only */
void fields_summary(const struct fields *f, const struct merge *m,
		    uint64_t connections, const struct tcptrail_info *info);

#endif
