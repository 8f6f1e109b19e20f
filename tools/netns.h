/* SPDX-License-Identifier: GPL-2.0 */
/* The network namespaces of this machine, and their settings. */
#ifndef NETNS_H
#define NETNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Settings (net.*) that decide what becomes of a socket. -1: not known. */
struct netns_settings {
	int port_min, port_max;		/* ip_local_port_range */
	int tw_reuse;
	int timestamps;
	int fin_timeout;		/* seconds */
	int syncookies;
	int somaxconn;
	int syn_retries, synack_retries;
	int orphan_retries, retries2;
	int keepalive_time;		/* seconds */
};

/**
 * struct netns - one of them
 * @fd: keeps it, -1: it is our own
 * @pid: a process that is in it, 0: none is known
 * @name: of "ip netns", NULL: none
 */
struct netns {
	uint32_t ino;
	int fd;
	uint32_t pid;
	char *name;
	struct netns_settings set;
};

/**
 * struct netns_list - those that can be entered; our own is the first
 * @hidden: processes whose namespace we may not see
 */
struct netns_list {
	struct netns *net;
	size_t n, room;
	size_t hidden;
};

/* Our own, and with @others all that there are. */
void netns_find(struct netns_list *list, bool others);
/* This thread goes there; false: it is not allowed to, and stays. */
bool netns_enter(const struct netns_list *list, const struct netns *net);
/* Back to our own. */
void netns_leave(const struct netns_list *list);
/* Of the one this thread is in; @root: "/proc/sys/net", or a fixture. */
void netns_read_settings(struct netns_settings *set, const char *root);
void netns_free(struct netns_list *list);

#endif
