// SPDX-License-Identifier: GPL-2.0
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format.h"
#include "holders.h"
#include "util.h"

/* ---- sockets by inode ---- */

struct inodes {
	uint32_t *slot;		/* index of the socket plus 1 */
	size_t size;
	const struct diag *diag;
};

static size_t slot_of(const struct inodes *t, uint32_t inode)
{
	return inode * 0x9e3779b1U & (t->size - 1);
}

static void inodes_init(struct inodes *t, const struct diag *d)
{
	t->size = 1024;
	t->diag = d;
	while (t->size < 2 * d->n)
		t->size *= 2;
	t->slot = xzalloc(t->size * sizeof(*t->slot));
	for (size_t i = 0; i < d->n; i++) {
		size_t at = slot_of(t, d->sock[i].inode);

		if (!d->sock[i].inode)
			continue;
		while (t->slot[at])
			at = (at + 1) & (t->size - 1);
		t->slot[at] = i + 1;
	}
}

/* The socket with that inode, or -1. */
static ssize_t inodes_find(const struct inodes *t, uint32_t inode)
{
	size_t at = slot_of(t, inode);

	for (; t->slot[at]; at = (at + 1) & (t->size - 1))
		if (t->diag->sock[t->slot[at] - 1].inode == inode)
			return t->slot[at] - 1;
	return -1;
}

/* ---- processes ---- */

static size_t read_at(int dir, const char *name, char *buf, size_t size)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, buf, size - 1);

	if (fd >= 0)
		close(fd);
	n = max(n, 0);
	buf[n] = 0;
	return n;
}

/* "12 (a name) S 1 ..."; the name may hold anything, ')' too. */
static bool parse_stat(struct process *p, char *stat)
{
	char *open = strchr(stat, '('), *close = strrchr(stat, ')'), *s;

	if (!open || !close || close < open || strlen(close) < 4)
		return false;
	*close = 0;
	snprintf(p->comm, sizeof(p->comm), "%s", open + 1);
	p->state = close[2];
	p->ppid = strtoul(close + 4, NULL, 10);
	s = close;
	for (int field = 2; s && field < 22; field++)
		s = strchr(s + 1, ' ');
	if (!s)
		return false;
	p->start_ticks = strtoull(s + 1, NULL, 10);
	return true;
}

/* The unified hierarchy's line is "0::/path"; else systemd's own. */
static char *parse_cgroup(char *text)
{
	char *line, *found = NULL;

	while ((line = strsep(&text, "\n"))) {
		char *path = strstr(line, ":/");

		if (!path)
			continue;
		if (!strncmp(line, "0::", 3) && path[2])
			return format_path(path + 1);
		if (strstr(line, ":name=systemd:"))
			found = path + 1;
	}
	return format_path(found ? found : "");
}

static bool add_process(struct holders *h, int dir, uint32_t pid)
{
	char stat[1024], cgroup[4096];
	struct process *p;

	make_room(&h->process, &h->process_room, h->nprocesses,
		  sizeof(*h->process));
	p = &h->process[h->nprocesses];
	memset(p, 0, sizeof(*p));
	p->pid = pid;
	if (!read_at(dir, "stat", stat, sizeof(stat)) || !parse_stat(p, stat))
		return false;
	read_at(dir, "cgroup", cgroup, sizeof(cgroup));
	p->cgroup = parse_cgroup(cgroup);
	h->nprocesses++;
	return true;
}

/* The same one that was seen before, or -1. */
static ssize_t find_process(const struct holders *h, const struct process *p)
{
	for (size_t i = 0; i < h->nprocesses; i++)
		if (h->process[i].pid == p->pid &&
		    h->process[i].start_ticks == p->start_ticks)
			return i;
	return -1;
}

/* ---- descriptors ---- */

/**
 * struct scan - one walk over /proc
 * @thorough: the second walk: threads may have descriptors of their own, and
 *	a process whose first thread has ended shows none in its own folder
 * @wanted: of the second walk: only these sockets; NULL: all
 * @process: index of the process looked at, -1: it holds nothing yet
 * @dir: its folder, -1: not opened yet
 */
struct scan {
	struct holders *h;
	struct inodes inodes;
	bool thorough;
	const bool *wanted;
	ssize_t process;
	int dir;
};

/* Threads share descriptors, mostly. */
static bool have_holder(const struct holders *h, size_t sock, uint32_t process,
			int fd)
{
	uint32_t at;

	for (at = h->first[sock]; at != NO_HOLDER; at = h->holder[at].next)
		if (h->holder[at].process == process && h->holder[at].fd == fd)
			return true;
	return false;
}

static uint32_t pid_of(const struct holders *h, uint32_t holder)
{
	return h->process[h->holder[holder].process].pid;
}

static void add_holder(struct scan *sc, size_t sock, int fd)
{
	struct holders *h = sc->h;
	struct holder *new;
	uint32_t *link;

	if (sc->thorough && have_holder(h, sock, sc->process, fd))
		return;
	make_raw_room(&h->holder, &h->holder_room, h->nholders,
		      sizeof(*h->holder));
	new = &h->holder[h->nholders];
	new->process = sc->process;
	new->fd = fd;
	/* The highest pid first, in whatever order the folder tells them. */
	link = &h->first[sock];
	while (*link != NO_HOLDER &&
	       pid_of(h, *link) > h->process[sc->process].pid)
		link = &h->holder[*link].next;
	new->next = *link;
	*link = h->nholders++;
}

static uint32_t digits(const char *s)
{
	uint32_t n = 0;

	while (*s >= '0' && *s <= '9')
		n = 10 * n + *s++ - '0';
	return n;
}

static bool socket_inode(int dir, const char *name, uint32_t *inode)
{
	char link[64];
	ssize_t n = readlinkat(dir, name, link, sizeof(link) - 1);

	if (n < 9 || memcmp(link, "socket:[", 8))
		return false;
	link[n] = 0;
	*inode = digits(link + 8);
	return true;
}

/*
 * @fds: the folder of descriptors. Most processes have no socket, so theirs is all
 * that is opened; it is in the folder of the same process, whose number may belong
 * to another one by now.
 */
static bool know_process(struct scan *sc, int fds, uint32_t pid)
{
	struct holders *h = sc->h;

	if (sc->process >= 0)
		return true;
	if (sc->dir < 0)
		sc->dir = openat(fds, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (sc->dir < 0 || !add_process(h, sc->dir, pid))
		return false;
	sc->process = sc->thorough ?
		      find_process(h, &h->process[h->nprocesses - 1]) :
		      (ssize_t)h->nprocesses - 1;
	if ((size_t)sc->process < h->nprocesses - 1)
		free(h->process[--h->nprocesses].cgroup);
	return true;
}

static int open_dir(int dir, const char *name)
{
	return openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* @fds: of a process or of one of its threads */
static void scan_fds(struct scan *sc, int fds, uint32_t pid)
{
	/* No readdir(): opendir() would ask twice more about each process. */
	static _Alignas(struct dirent64) char buf[32768];
	const struct dirent64 *entry;
	ssize_t len, sock;
	uint32_t inode;

	while ((len = getdents64(fds, buf, sizeof(buf))) > 0) {
		for (char *p = buf; p < buf + len; p += entry->d_reclen) {
			entry = (const struct dirent64 *)p;
			if (!isdigit((unsigned char)entry->d_name[0]) ||
			    !socket_inode(fds, entry->d_name, &inode))
				continue;
			sock = inodes_find(&sc->inodes, inode);
			if (sock < 0 || (sc->wanted && !sc->wanted[sock]))
				continue;
			if (!know_process(sc, fds, pid))
				return;
			add_holder(sc, sock, digits(entry->d_name));
		}
	}
}

static void scan_threads(struct scan *sc, uint32_t pid)
{
	int fd = open_dir(sc->dir, "task"), fds;
	DIR *tasks = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	char path[32];

	if (fd >= 0 && !tasks)
		close(fd);
	while (tasks && (entry = readdir(tasks))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "%.20s/fd", entry->d_name);
		fds = open_dir(fd, path);
		if (fds < 0)
			continue;
		scan_fds(sc, fds, pid);
		close(fds);
	}
	if (tasks)
		closedir(tasks);
}

static void scan_process(struct scan *sc, int proc, const char *name)
{
	uint32_t pid = digits(name);
	char path[32];
	int fds;

	sc->process = -1;
	sc->dir = -1;
	snprintf(path, sizeof(path), "%.20s/fd", name);
	if (sc->thorough) {
		sc->dir = open_dir(proc, name);
		if (sc->dir >= 0)
			scan_threads(sc, pid);
	} else if ((fds = open_dir(proc, path)) >= 0) {
		scan_fds(sc, fds, pid);
		close(fds);
	} else if (errno == EACCES || errno == EPERM) {
		sc->h->hidden++;
	}
	if (sc->dir >= 0)
		close(sc->dir);
}

static void scan_all(struct scan *sc, const char *proc)
{
	DIR *dir = opendir(proc);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (isdigit((unsigned char)entry->d_name[0]))
			scan_process(sc, dirfd(dir), entry->d_name);
	if (dir)
		closedir(dir);
}

/* Sockets with a descriptor that nobody seems to have. */
static size_t find_missing(const struct holders *h, const struct diag *d,
			   bool *missing)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n; i++) {
		missing[i] = d->sock[i].inode && h->first[i] == NO_HOLDER;
		n += missing[i];
	}
	return n;
}

void holders_find(struct holders *h, const struct diag *d, const char *proc)
{
	struct scan sc = { .h = h };
	bool *missing = xzalloc(d->n + 1);

	memset(h, 0, sizeof(*h));
	h->first = xzalloc((d->n + 1) * sizeof(*h->first));
	memset(h->first, 0xff, (d->n + 1) * sizeof(*h->first));
	inodes_init(&sc.inodes, d);
	scan_all(&sc, proc);
	if (find_missing(h, d, missing)) {
		sc.thorough = true;
		sc.wanted = missing;
		scan_all(&sc, proc);
	}
	free(missing);
	free(sc.inodes.slot);
}

/* The descriptors of one process follow one another. */
unsigned int holders_count(const struct holders *h, size_t i)
{
	uint32_t last = NO_HOLDER, at;
	unsigned int n = 0;

	for (at = h->first[i]; at != NO_HOLDER; at = h->holder[at].next) {
		n += h->holder[at].process != last;
		last = h->holder[at].process;
	}
	return n;
}

bool holders_has(const struct holders *h, size_t i, uint32_t tgid,
		 uint32_t start_ticks)
{
	uint32_t at;

	for (at = h->first[i]; at != NO_HOLDER; at = h->holder[at].next) {
		const struct process *p = &h->process[h->holder[at].process];

		if (p->pid == tgid && p->start_ticks == start_ticks)
			return true;
	}
	return false;
}

void holders_free(struct holders *h)
{
	for (size_t i = 0; i < h->nprocesses; i++)
		free(h->process[i].cgroup);
	free(h->process);
	free(h->holder);
	free(h->first);
	memset(h, 0, sizeof(*h));
}

/* ---- names of cgroups ---- */

#define ID_MIN		32	/* digits of a container's id, at least */
#define ID_SHOWN	12

/* A run of hexadecimal digits that is long enough to be an id. */
static const char *find_id(const char *s, size_t len)
{
	size_t run = 0;

	for (size_t i = 0; i <= len; i++) {
		if (i < len && isxdigit((unsigned char)s[i])) {
			run++;
			continue;
		}
		if (run >= ID_MIN)
			return s + i - run;
		run = 0;
	}
	return NULL;
}

static bool ends_with(const char *s, size_t len, const char *end)
{
	size_t n = strlen(end);

	return len > n && !strncmp(s + len - n, end, n);
}

/* From the leaf up: a container, else a unit of systemd. */
const char *cgroup_name(char *buf, size_t size, const char *path)
{
	size_t end = strlen(path), start;
	const char *id;

	for (; end > 1; end = start ? start - 1 : 0) {
		for (start = end; start > 0 && path[start - 1] != '/';)
			start--;
		id = find_id(path + start, end - start);
		if (id) {
			snprintf(buf, size, "container %.*s", ID_SHOWN, id);
			return buf;
		}
		if (ends_with(path + start, end - start, ".service") ||
		    ends_with(path + start, end - start, ".scope")) {
			snprintf(buf, size, "%.*s", (int)(end - start),
				 path + start);
			return buf;
		}
	}
	return NULL;
}
