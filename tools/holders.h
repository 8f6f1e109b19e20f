/* SPDX-License-Identifier: GPL-2.0 */
/* Which processes hold which sockets: one walk over /proc. */
#ifndef HOLDERS_H
#define HOLDERS_H

#include "diag.h"

#define NO_HOLDER	UINT32_MAX

/**
 * struct process - one that holds at least one socket
 * @start_ticks: field 22 of its stat, modulo 2^32 as in records
 * @state: R, S, D, T ... of its first thread
 * @cgroup: its path in the unified hierarchy, safe to print, "" if not known
 */
struct process {
	uint32_t pid, ppid;
	uint32_t start_ticks;
	char state;
	char comm[17];
	char *cgroup;
};

/* A descriptor. @next: of the same socket, NO_HOLDER: none. */
struct holder {
	uint32_t process;
	int fd;
	uint32_t next;
};

/**
 * struct holders - who holds what
 * @first: of each socket of the diag, NO_HOLDER: none
 * @hidden: processes whose descriptors we may not see
 */
struct holders {
	struct process *process;
	size_t nprocesses, process_room;
	struct holder *holder;
	size_t nholders, holder_room;
	uint32_t *first;
	size_t hidden;
};

/*
 * @proc: "/proc", or a fixture. A process is looked at through one open
 * directory, so what is said of it is all about the same process, even if its
 * id is given to another one meanwhile. Sockets that nobody seems to hold are
 * looked for once more, in every thread: a descriptor may have been passed on
 * while the first walk was under way.
 */
void holders_find(struct holders *h, const struct diag *d, const char *proc);
/* Different processes that hold socket @i. */
unsigned int holders_count(const struct holders *h, size_t i);
/* Does that task hold it? */
bool holders_has(const struct holders *h, size_t i, uint32_t tgid,
		 uint32_t start_ticks);
void holders_free(struct holders *h);

/*
 * The name people know a cgroup by: "nginx.service", "container 0123456789ab";
 * NULL: it is none of these.
 */
const char *cgroup_name(char *buf, size_t size, const char *path);

#endif
