/* SPDX-License-Identifier: GPL-2.0 */
/* One look at this machine: sockets, holders, namespaces, trails, joined. */
#ifndef LOOK_H
#define LOOK_H

#include "age.h"
#include "diag.h"
#include "facts.h"
#include "filter.h"
#include "holders.h"
#include "netns.h"
#include "verdict.h"

/* Where to look instead of at this machine: fixtures. NULL: this machine. */
struct look_from {
	const char *diag;	/* netlink messages */
	const char *proc;	/* like /proc */
	const char *sys;	/* like /proc/sys/net */
	const char *trails;	/* a recording */
	const char *release, *version;	/* as uname(2) tells them */
	uint64_t now_ns;
};

/**
 * struct look - what was seen
 * @now_ns: CLOCK_BOOTTIME of the dump
 * @unseen: namespaces that could not be entered
 * @same_pids: ids of processes mean the same in /proc as in records
 * @live: it is this machine: /proc is about these processes
 * @own_only: without the right to enter others: only our own namespace
 */
struct look {
	uint64_t now_ns;
	struct netns_list nets;
	struct diag diag;
	struct holders holders;
	struct facts facts;
	struct index *index;
	size_t unseen;
	bool own_only;
	/* What commands need. */
	bool live, same_pids, root, can_destroy, has_ss, has_ip, has_sysctl, has_stack;
	bool ends_orphans;
};

void look_take(struct look *l, const struct look_from *from);
void look_free(struct look *l);

/* All that is known of socket @i, for verdicts. */
void look_evidence(const struct look *l, size_t i, uint64_t over_ns,
		   struct evidence *ev);
/* Its other end, if that is on this machine; NULL: no. Takes long. */
const struct diag_sock *look_peer(const struct look *l, size_t i);
/* Does the filter choose socket @i? */
bool look_match(const struct look *l, const struct filter *f, size_t i);
/*
 * Who opened socket @i; NULL: not known, or it can't be compared with what is
 * in /proc, which is that of another pid namespace.
 */
const struct tcptrail_task *look_opener(const struct look *l, size_t i);
/* Opened by the peer? With its trail that is known, else it follows. */
bool look_passive(const struct look *l, size_t i);
/* A connection that formats and filters as socket @i does. */
void look_conn(const struct look *l, size_t i, struct conn *c);

#endif
