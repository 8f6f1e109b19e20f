// SPDX-License-Identifier: GPL-2.0
/*
 * What the kernel says of now: netlink messages about sockets, /proc of a
 * process, settings; with a recording beside, or none. Then verdicts, holders,
 * what to type next, as text or JSON.
 *
 * An input: a byte of switches, two bytes length and the netlink messages, the
 * same for a recording, then texts that end with a zero byte: stat, cgroup,
 * what its descriptor is a link to, a setting.
 */
#include <dirent.h>
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../draw_stuck.h"
#include "../../proc.c"
#include "fuzz.h"

#define JSON	1
#define EXTENDED 2
#define TRAILS	4
#define COLORS	8

/* One process with one descriptor, and settings. */
static char top[64], proc[128], sys[128];

static void remove_all(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", top);
	if (system(command))
		fputs("fuzz: files are left behind\n", stderr);
}

static void make_folders(void)
{
	static const char *const names[] = {
		"", "/proc", "/proc/100", "/proc/100/fd", "/sys", "/sys/ipv4",
		"/sys/core",
	};
	char path[256];

	snprintf(top, sizeof(top), "/dev/shm/tcptrail-fuzz.XXXXXX");
	if (!mkdtemp(top))
		broken("%s", top);
	atexit(remove_all);
	for (size_t i = 1; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s%s", top, names[i]);
		mkdir(path, 0700);
	}
	snprintf(proc, sizeof(proc), "%s/proc", top);
	snprintf(sys, sizeof(sys), "%s/sys", top);
	unsetenv("COLUMNS");
	setenv("TZ", "UTC", 1);
	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		broken("no locale C.UTF-8");
}

static void put_file(const char *name, const struct bytes *b)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", top, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, b->at, b->left) < 0)
		broken("%s", path);
	close(fd);
}

static struct bytes take_text(struct bytes *b)
{
	size_t n = strnlen((const char *)b->at, b->left);
	struct bytes text = take_bytes(b, n);

	take_byte(b);
	return text;
}

static void put_link(const struct bytes *b)
{
	char path[256], to[64];

	snprintf(path, sizeof(path), "%s/proc/100/fd/3", top);
	snprintf(to, sizeof(to), "%.*s", (int)min(b->left, sizeof(to) - 1),
		 b->at);
	unlink(path);
	if (*to && symlink(to, path))
		broken("%s", path);
}

/* The parser of the other file that reads stat. */
static void judge_stat(const struct bytes *b)
{
	char *text = strndup((const char *)b->at, b->left);
	uint32_t ticks;

	start_of(text, &ticks);
	is_dead(text);
	free(text);
}

struct machine {
	struct look_from from;
	unsigned int switches;
};

static int look_at(void *arg)
{
	struct machine *m = arg;
	struct groups gs;
	struct look l;
	struct out o;

	out_init(&o, m->switches & JSON, false,
		 m->switches & COLORS ? COLOR_ALWAYS : COLOR_NEVER, false);
	look_take(&l, &m->from);
	groups_make(&gs, &l, NULL, STUCK_OVER_NS);
	draw_stuck(&o, &l, &gs, m->switches & EXTENDED);
	out_flush(&o);
	free(o.rows);
	groups_free(&gs);
	look_free(&l);
	return 0;
}

void fuzz_one(const uint8_t *data, size_t size)
{
	struct machine m = {
		.from.now_ns = 100000 * NSEC_PER_SEC,
		.from.release = "7.2.0",
		.from.version = "#1 SMP",
	};
	struct bytes b = { data, size }, part;
	const struct said *said;

	if (!*top)
		make_folders();
	m.switches = take_byte(&b);
	part = take_bytes(&b, take_u16(&b));
	m.from.diag = file_in_memory(0, part.at, part.left);
	part = take_bytes(&b, take_u16(&b));
	if (m.switches & TRAILS)
		m.from.trails = file_in_memory(1, part.at, part.left);
	part = take_text(&b);
	judge_stat(&part);
	put_file("proc/100/stat", &part);
	part = take_text(&b);
	put_file("proc/100/cgroup", &part);
	part = take_text(&b);
	put_link(&part);
	put_file("sys/ipv4/ip_local_port_range", &b);
	put_file("sys/ipv4/tcp_fin_timeout", &b);
	m.from.proc = proc;
	m.from.sys = sys;
	said = tool_run(look_at, &m, size);
	if (said->refused && !(m.switches & TRAILS))
		broken("refused: %s", said->err);
	must_be_text(said->out, said->len, m.switches & COLORS);
	must_be_text(said->err, said->err_len, false);
	if (m.switches & JSON && !said->refused)
		must_be_json(said->out);
}
