/* SPDX-License-Identifier: GPL-2.0 */
/* Which segments a step proves. No I/O. */
#ifndef SEGMENT_H
#define SEGMENT_H

#include "conn.h"

enum segment {
	SEG_NONE,
	SEG_SYN,
	SEG_SYNACK,
	SEG_ACK,	/* the last of the handshake */
	SEG_FIN,
	SEG_ACK_OF_FIN,
	SEG_FIN_ACK,	/* both at once */
	SEG_DATA,	/* that nobody wanted any more */
	SEG_RST,
	SEG_ICMP,
};

/* What arrived and so caused the step; what the step sent. */
enum segment segment_in(const struct step *s);
enum segment segment_out(const struct step *s);
/* That it arrived is the whole cause. */
bool segment_is_cause(const struct step *s);
/* Does @in, which arrived, contain @what? */
bool segment_is(enum segment in, enum segment what);
/* In which state the sender of what arrived must have been, 0: unknown. */
unsigned int segment_sender(const struct step *s);
/* "SYN+ACK" */
const char *segment_name(enum segment seg);

#endif
