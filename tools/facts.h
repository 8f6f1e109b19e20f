/* SPDX-License-Identifier: GPL-2.0 */
/* What the module remembers of the sockets that the kernel has now. */
#ifndef FACTS_H
#define FACTS_H

#include "diag.h"
#include "source.h"

/**
 * struct fact - of one socket
 * @known: the module has a trail of it; else all is zero
 * @since_ns: CLOCK_BOOTTIME when it came into the state that sock_diag told
 *	of, 0: not known
 * @opener: tgid 0: not known
 * @closer: the same
 */
struct fact {
	bool known, crossed;
	uint8_t state;
	uint16_t flags;
	uint8_t nsteps;
	uint8_t synack_rtx;
	uint64_t birth_ns, since_ns;
	struct tcptrail_task opener, closer;
};

/**
 * struct facts - one for each socket of the diag
 * @module: there is a module, and it may be read
 * @why: if not, why
 * @lost: records were lost, so some may be missing
 */
struct facts {
	struct fact *fact;
	bool module;
	const char *why;
	uint64_t lost;
};

/* Is there a module to ask? NULL: yes, else why not. */
const char *facts_no_module(void);
/* From the device; without a module nothing is known. */
void facts_read(struct facts *f, const struct diag *d);
/* The same from a source that has been opened; it is read to its SYNC. */
void facts_read_source(struct facts *f, const struct diag *d,
		       struct source *src);
void facts_free(struct facts *f);

#endif
