/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Why a socket is stuck and whose move it is. No I/O: evidence in, verdict
 * out. Every case is a row of a table, and explained there.
 */
#ifndef VERDICT_H
#define VERDICT_H

#include "age.h"
#include "diag.h"
#include "netns.h"
#include "util.h"

/**
 * struct evidence - what is known of one socket
 * @over_ns: it is stuck only if it has been in its state so long
 * @nholders: processes that hold it, as far as they can be seen
 * @hidden: there are processes whose descriptors can't be seen
 * @opener_known: who called connect() or accept() is known, and whether that
 *	process still holds it
 * @listener: that it belongs, or belonged, to; NULL: none is there
 * @nlisteners: more than one: it can't be told which
 * @passive: opened by the peer
 * @crowd: half-open requests of its listener that have been waiting for 1 s,
 *	or TIME_WAITs towards its destination, itself included
 * @flags: TCPTRAIL_F_* of its trail, 0: none is known
 * @steps_known: so are all of its steps
 * @crossed: both ends closed at once
 */
struct evidence {
	const struct diag_sock *s;
	struct age age;
	uint64_t over_ns;
	unsigned int nholders;
	bool hidden;
	bool opener_known, opener_holds;
	const struct diag_sock *listener;
	unsigned int nlisteners;
	bool passive;
	uint32_t crowd;
	uint16_t flags;
	bool steps_known, crossed;
	const struct netns_settings *set;
};

enum severity {
	SEV_FAIL,
	SEV_NORMAL,	/* nothing is wrong, the clock will end it */
};

enum waits {
	WAITS_PROGRAM,
	WAITS_PEER,
	WAITS_TIMER,
};

/* What can be typed next; next.c makes commands of them. */
enum advice {
	ADV_NONE,
	ADV_CONTINUE,		/* a stopped process */
	ADV_STACK,		/* where it hangs */
	ADV_DESCRIPTORS,	/* what it has open */
	ADV_KILL,		/* the only holder, if it is a forgotten child */
	ADV_DESTROY,		/* ss -K */
	ADV_ROUTE,		/* the way to the peer */
	ADV_FIN_TIMEOUT,
	ADV_RETRIES,		/* how long the kernel goes on */
	ADV_SYNCOOKIES,
	ADV_BACKLOG,
	ADV_TW_REUSE,
	ADV_LOOK,		/* ss about it */
};

#define MAX_ADVICE	3

/**
 * struct rule - one case
 * @name: in JSON and in the manual
 * @states: mask of the states it is about
 * @title: what to call such sockets
 * @explain: what it means and what mends it; in the manual too
 * @why: the evidence in words, for the oldest of a group
 */
struct rule {
	const char *name;
	uint32_t states;
	enum severity severity;
	enum waits waits;
	bool (*applies)(const struct evidence *ev);
	void (*why)(struct text *t, const struct evidence *ev);
	const char *title;
	const char *explain;
	enum advice next[MAX_ADVICE];
};

extern const struct rule rules[];
extern const size_t nrules;

/* NULL: there is nothing to say about it. */
const struct rule *verdict_of(const struct evidence *ev);
/*
 * No rule can be about it, whatever else is known: it need not be looked for.
 * True of most connections that are in use.
 */
bool verdict_quiet(const struct diag_sock *s);

/* Accept queue of a listener: more wait than it wanted. */
bool verdict_queue_full(const struct diag_sock *listener);
/* So many ports can connect() choose from; 0: not known. */
unsigned int verdict_ports(const struct netns_settings *set);

#endif
