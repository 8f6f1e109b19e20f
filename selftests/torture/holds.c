// SPDX-License-Identifier: GPL-2.0
/* What must hold after torture; see torture.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "torture.h"

bool torture_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) >= 0;

	if (fd >= 0)
		close(fd);
	return ok;
}

const char *torture_sums(void)
{
	struct tt_reader *rd = tt_open(O_NONBLOCK);
	struct tcptrail_info info;
	const char *why = NULL;
	int ret;

	if (!rd)
		return "cannot open";
	do {
		ret = tt_drain(rd);
		if (!ret)
			ret = tt_info(rd->fd, &info);
	} while (!ret && info.written != tt_last(rd) && !rd->wrong[0]);
	if (ret)
		why = tt_why("error %d", ret);
	else if (rd->wrong[0])
		why = tt_why("%s", rd->wrong);
	else if (tt_delivered(rd) + tt_lost(rd) != tt_span(rd))
		why = "delivered and lost are not all";
	else if (info.delivered != tt_delivered(rd) || info.lost != tt_lost(rd))
		why = "info tells other sums";
	else if (info.trails > info.max_trails || info.requests > info.trails)
		why = "info tells more trails than there may be";
	tt_close(rd);
	return why;
}

/* ---- trails and sockets ---- */

struct cookies {
	uint64_t *at;
	size_t n, room;
};

static void cookies_add(struct cookies *c, uint64_t cookie)
{
	if (c->n == c->room) {
		c->room = c->room ? 2 * c->room : 256;
		c->at = realloc(c->at, c->room * sizeof(*c->at));
		if (!c->at)
			abort();
	}
	c->at[c->n++] = cookie;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* What the kernel itself has, in the namespaces of all processes. */
static void cookies_of_sockets(struct cookies *c)
{
	FILE *ss = popen("for pid in $(lsns -nt net -o PID); do "
			 "nsenter -t $pid -n ss -taneHO; done", "r");
	char line[1024];

	while (ss && fgets(line, sizeof(line), ss)) {
		const char *sk = strstr(line, " sk:");

		if (sk)
			cookies_add(c, strtoull(sk + 4, NULL, 16));
	}
	if (ss)
		pclose(ss);
	qsort(c->at, c->n, sizeof(*c->at), by_value);
}

static int cookies_of_trails(struct cookies *c)
{
	struct tt_reader *rd = tt_open(O_NONBLOCK);
	union tt_record rec;
	int ret;

	if (!rd)
		return -errno;
	while ((ret = tt_next(rd, &rec)) > 0 && !rd->syncs)
		if (rec.hdr.type == TCPTRAIL_TRAIL)
			cookies_add(c, rec.trail.conn.cookie);
	if (rd->wrong[0])
		ret = -EBADMSG;
	tt_close(rd);
	qsort(c->at, c->n, sizeof(*c->at), by_value);
	return ret < 0 ? ret : 0;
}

static bool has(const struct cookies *c, uint64_t cookie)
{
	return bsearch(&cookie, c->at, c->n, sizeof(*c->at), by_value);
}

/*
 * Sockets end between the looks, many in the time that ss takes on a slow kernel,
 * but none is made: what is there before and after has a trail, and what has a
 * trail was there before.
 */
static const char *differ(const struct cookies *before,
			  const struct cookies *trails,
			  const struct cookies *after)
{
	size_t i;

	for (i = 0; i < trails->n; i++)
		if (!has(before, trails->at[i]))
			return tt_why("trail without a socket: sk:%llx (%zu, ss: %zu)",
				      (unsigned long long)trails->at[i],
				      trails->n, before->n);
	for (i = 0; i < after->n; i++)
		if (has(before, after->at[i]) && !has(trails, after->at[i]))
			return tt_why("socket without a trail: sk:%llx (%zu trails, ss: %zu, then %zu)",
				      (unsigned long long)after->at[i],
				      trails->n, before->n, after->n);
	return NULL;
}

/* ss may miss a socket that becomes a minisocket while it looks: once more. */
const char *torture_compare(void)
{
	const char *why = "not compared";
	int try;

	for (try = 0; why && try < 5; try++) {
		struct cookies before = {}, trails = {}, after = {};
		int ret;

		cookies_of_sockets(&before);
		ret = cookies_of_trails(&trails);
		cookies_of_sockets(&after);
		why = ret ? tt_why("reading trails: %d", ret) :
			    differ(&before, &trails, &after);
		if (!why && !after.n)
			why = "ss shows no socket that stays";
		free(before.at);
		free(trails.at);
		free(after.at);
		if (why)
			usleep(200000);
	}
	return why;
}

const char *torture_quiet(void)
{
	int fd = open(TCPTRAIL_DEVICE, O_RDONLY | O_CLOEXEC);
	struct tcptrail_info info = {};
	int i;

	if (fd < 0)
		return "cannot open";
	/* Namespaces are taken down in the background. */
	for (i = 0; i < 60000 && !tt_info(fd, &info) && info.trails; i++)
		usleep(2000);
	close(fd);
	if (info.trails || info.requests)
		return tt_why("%llu trails and %llu requests are left",
			      (unsigned long long)info.trails,
			      (unsigned long long)info.requests);
	return NULL;
}

/* ---- after unloading ---- */

int torture_unload(void)
{
	int ret, i;

	for (i = 0; i < 20000; i++) {
		ret = tt_unload();
		if (ret != -EAGAIN)
			break;
		usleep(1000);
	}
	return ret;
}

const char *torture_gone(void)
{
	static const struct {
		const char *path, *text;
	} trace[] = {
		{ "/proc/slabinfo", "tcptrail" },
		{ "/proc/vmallocinfo", "[tcptrail]" },
		{ "/sys/kernel/tracing/enabled_functions", "tcptrail" },
		{ "/sys/kernel/debug/kprobes/list", "tcptrail" },
		{ "/proc/kallsyms", "[tcptrail]" },
		{ "/sys/devices/system/cpu/hotplug/states", "tcptrail" },
		{ "/proc/misc", "tcptrail" },
	};
	size_t i;

	if (tt_refcount() != -1)
		return "it is loaded";
	if (!access(TCPTRAIL_DEVICE, F_OK))
		return "its node is there";
	for (i = 0; i < sizeof(trace) / sizeof(trace[0]); i++)
		if (tt_exists_in(trace[i].path, trace[i].text))
			return tt_why("still in %s", trace[i].path);
	return NULL;
}
