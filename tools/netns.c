// SPDX-License-Identifier: GPL-2.0
#include <ctype.h>
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "netns.h"
#include "util.h"

#define NAMED	"/run/netns"

/* ---- which there are ---- */

static struct netns *find_ino(const struct netns_list *list, uint32_t ino)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->net[i].ino == ino)
			return &list->net[i];
	return NULL;
}

static struct netns *add(struct netns_list *list, uint32_t ino, int fd)
{
	struct netns *net;

	make_room(&list->net, &list->room, list->n, sizeof(*list->net));
	net = &list->net[list->n++];
	net->ino = ino;
	net->fd = fd;
	return net;
}

/* Opens it only if it is new; the open file keeps it from going away. */
static struct netns *take(struct netns_list *list, const char *path)
{
	struct netns *net;
	struct stat st;
	int fd;

	if (stat(path, &st))
		return NULL;
	net = find_ino(list, st.st_ino);
	if (net)
		return net;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) || find_ino(list, st.st_ino)) {
		close(fd);
		return NULL;
	}
	return add(list, st.st_ino, fd);
}

static struct netns *take_path(struct netns_list *list, const char *path)
{
	struct netns *net;

	errno = 0;
	net = take(list, path);
	if (!net)
		list->hidden += errno == EACCES || errno == EPERM;
	return net;
}

/* The first thread has ended: any other one will do. */
static struct netns *take_threads(struct netns_list *list, const char *pid)
{
	struct netns *net = NULL;
	struct dirent *entry;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%.20s/task", pid);
	dir = opendir(path);
	while (dir && !net && (entry = readdir(dir))) {
		if (!strcmp(entry->d_name, pid) ||
		    !isdigit((unsigned char)entry->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%.20s/task/%.20s/ns/net",
			 pid, entry->d_name);
		net = take_path(list, path);
	}
	if (dir)
		closedir(dir);
	return net;
}

static void take_process(struct netns_list *list, const char *pid)
{
	struct netns *net;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%.20s/ns/net", pid);
	net = take_path(list, path);
	if (!net && errno == ENOENT)
		net = take_threads(list, pid);
	else if (net && !net->pid)
		net->pid = strtoul(pid, NULL, 10);
}

static void take_named(struct netns_list *list)
{
	DIR *dir = opendir(NAMED);
	struct dirent *entry;
	struct netns *net;
	char path[300];

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), NAMED "/%s", entry->d_name);
		net = take(list, path);
		if (net && !net->name)
			net->name = xstrdup(entry->d_name);
	}
	if (dir)
		closedir(dir);
}

static void take_own(struct netns_list *list)
{
	struct stat st;
	int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st))
		err(ST_ERROR, "/proc/self/ns/net");
	add(list, st.st_ino, fd)->pid = getpid();
}

static void take_processes(struct netns_list *list)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (isdigit((unsigned char)entry->d_name[0]))
			take_process(list, entry->d_name);
	if (dir)
		closedir(dir);
}

void netns_find(struct netns_list *list, bool others)
{
	memset(list, 0, sizeof(*list));
	take_own(list);
	if (!others)
		return;
	take_processes(list);
	take_named(list);
}

bool netns_enter(const struct netns_list *list, const struct netns *net)
{
	return net == &list->net[0] || !setns(net->fd, CLONE_NEWNET);
}

void netns_leave(const struct netns_list *list)
{
	if (list->n > 1 && setns(list->net[0].fd, CLONE_NEWNET) &&
	    errno != EPERM)
		err(ST_ERROR, "can't return to the own network namespace");
}

void netns_free(struct netns_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		close(list->net[i].fd);
		free(list->net[i].name);
	}
	free(list->net);
	memset(list, 0, sizeof(*list));
}

/* ---- settings ---- */

/* Up to two numbers; -1 for those that are not there. */
static void read_numbers(const char *root, const char *name, int *a, int *b)
{
	char path[256];
	FILE *f;

	*a = *b = -1;
	snprintf(path, sizeof(path), "%s/%s", root, name);
	f = fopen(path, "re");
	if (!f)
		return;
	if (fscanf(f, "%d %d", a, b) < 1)
		*a = -1;
	fclose(f);
}

void netns_read_settings(struct netns_settings *set, const char *root)
{
	const struct {
		const char *name;
		int *val;
	} one[] = {
		{ "ipv4/tcp_tw_reuse", &set->tw_reuse },
		{ "ipv4/tcp_timestamps", &set->timestamps },
		{ "ipv4/tcp_fin_timeout", &set->fin_timeout },
		{ "ipv4/tcp_syncookies", &set->syncookies },
		{ "core/somaxconn", &set->somaxconn },
		{ "ipv4/tcp_syn_retries", &set->syn_retries },
		{ "ipv4/tcp_synack_retries", &set->synack_retries },
		{ "ipv4/tcp_orphan_retries", &set->orphan_retries },
		{ "ipv4/tcp_retries2", &set->retries2 },
		{ "ipv4/tcp_keepalive_time", &set->keepalive_time },
	};
	int none;

	read_numbers(root, "ipv4/ip_local_port_range", &set->port_min,
		     &set->port_max);
	for (size_t i = 0; i < ARRAY_SIZE(one); i++)
		read_numbers(root, one[i].name, one[i].val, &none);
}
