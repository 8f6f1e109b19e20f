// SPDX-License-Identifier: GPL-2.0
#include <linux/tcptrail.h>

#include "segment.h"

enum segment segment_in(const struct step *s)
{
	switch (s->cause) {
	case TCPTRAIL_C_SYN_IN:
	case TCPTRAIL_C_FASTOPEN:
		return SEG_SYN;
	case TCPTRAIL_C_SYNACK_IN:
		return SEG_SYNACK;
	case TCPTRAIL_C_ACK_IN:
		return SEG_ACK;
	case TCPTRAIL_C_FIN_IN:
		return SEG_FIN;
	case TCPTRAIL_C_ACK_OF_FIN:
		return SEG_ACK_OF_FIN;
	case TCPTRAIL_C_FIN_ACK_IN:
		return SEG_FIN_ACK;
	case TCPTRAIL_C_DATA_AFTER_CLOSE:
		return SEG_DATA;
	case TCPTRAIL_C_RST_IN:
	case TCPTRAIL_C_REFUSED:
	case TCPTRAIL_C_TW_RST:
		return SEG_RST;
	case TCPTRAIL_C_TW_NEW_SYN:
		return SEG_SYN;
	case TCPTRAIL_C_UNREACHABLE:
		return SEG_ICMP;
	default:
		return SEG_NONE;
	}
}

enum segment segment_out(const struct step *s)
{
	switch (s->cause) {
	case TCPTRAIL_C_CONNECT:
		return SEG_SYN;
	case TCPTRAIL_C_SYN_IN:
	case TCPTRAIL_C_FASTOPEN:
		return SEG_SYNACK;
	case TCPTRAIL_C_SYNACK_IN:
		return SEG_ACK;
	case TCPTRAIL_C_CLOSE:
	case TCPTRAIL_C_SHUTDOWN:
	case TCPTRAIL_C_EXIT:
		return s->new == TCPTRAIL_FIN_WAIT1 ||
		       s->new == TCPTRAIL_LAST_ACK ? SEG_FIN : SEG_NONE;
	case TCPTRAIL_C_FIN_IN:
	case TCPTRAIL_C_FIN_ACK_IN:
		return SEG_ACK_OF_FIN;
	case TCPTRAIL_C_LINGER0:
	case TCPTRAIL_C_UNREAD:
	case TCPTRAIL_C_DATA_AFTER_CLOSE:
		return SEG_RST;
	default:
		return SEG_NONE;
	}
}

bool segment_is_cause(const struct step *s)
{
	return segment_in(s) != SEG_NONE &&
	       s->cause != TCPTRAIL_C_FASTOPEN &&
	       s->cause != TCPTRAIL_C_TW_NEW_SYN;
}

bool segment_is(enum segment in, enum segment what)
{
	return in == what || (in == SEG_FIN_ACK && (what == SEG_FIN ||
						    what == SEG_ACK_OF_FIN));
}

unsigned int segment_sender(const struct step *s)
{
	switch (segment_in(s)) {
	case SEG_SYN:
		return TCPTRAIL_SYN_SENT;
	case SEG_SYNACK:
		return TCPTRAIL_SYN_RECV;
	case SEG_ACK:
		return TCPTRAIL_ESTABLISHED;
	case SEG_FIN:
		return s->old == TCPTRAIL_ESTABLISHED ||
		       s->old == TCPTRAIL_FIN_WAIT1 ? TCPTRAIL_FIN_WAIT1 :
		       TCPTRAIL_LAST_ACK;
	case SEG_FIN_ACK:
		return TCPTRAIL_LAST_ACK;
	case SEG_ACK_OF_FIN:
		return s->old == TCPTRAIL_FIN_WAIT1 ? TCPTRAIL_CLOSE_WAIT :
		       TCPTRAIL_TIME_WAIT;
	case SEG_RST:
		return TCPTRAIL_CLOSE;
	default:
		return 0;
	}
}

const char *segment_name(enum segment seg)
{
	static const char *const names[] = {
		[SEG_SYN] = "SYN", [SEG_SYNACK] = "SYN+ACK", [SEG_ACK] = "ACK",
		[SEG_FIN] = "FIN", [SEG_ACK_OF_FIN] = "ACK",
		[SEG_FIN_ACK] = "FIN+ACK", [SEG_DATA] = "data",
		[SEG_RST] = "RST", [SEG_ICMP] = "ICMP error (from ?)",
	};

	return names[seg];
}
