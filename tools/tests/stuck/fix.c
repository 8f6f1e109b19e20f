// SPDX-License-Identifier: GPL-2.0
/*
 * Looks at a machine that is made up: a text describes its sockets and
 * processes, and what the tool says of them is printed.
 *
 * usage: fix TEXT FOLDER [RECORDING]     findings, as text and as JSON
 *        fix --mutate N TEXT FOLDER      N damaged versions of it: no crash
 *        fix --rules                     names of all rules
 *
 * Lines of a text:
 *   now SECONDS, over SECONDS
 *   kernel RELEASE VERSION (as uname -r and uname -v)
 *   setting ipv4/tcp_tw_reuse 2
 *   process PID PPID STATE START COMM CGROUP
 *   fd PID FD INODE
 *   sock STATE LOCAL:PORT REMOTE:PORT [KEY=VALUE]... [*COUNT]
 */
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../draw_stuck.h"
#include "../../state.h"

struct world {
	char dir[256], diag[300], proc[300], sys[300];
	FILE *messages;
	char release[64], version[128];
	uint64_t now_ns, over_ns;
	uint32_t cookie;
};

static void make_dirs(const char *path)
{
	char part[1024];

	for (size_t i = 1; path[i] && i < sizeof(part) - 1; i++) {
		if (path[i] != '/')
			continue;
		memcpy(part, path, i);
		part[i] = 0;
		mkdir(part, 0700);
	}
}

__attribute__((format(printf, 2, 3)))
static void write_file(const char *path, const char *fmt, ...)
{
	va_list ap;
	FILE *f;

	make_dirs(path);
	f = fopen(path, "w");
	if (!f)
		err(1, "%s", path);
	va_start(ap, fmt);
	vfprintf(f, fmt, ap);
	va_end(ap);
	fclose(f);
}

/* ---- sockets ---- */

struct sock {
	struct inet_diag_msg msg;
	struct tcp_info info;
	bool has_info;
	unsigned int count;
};

static void set_end(char *word, __be16 *port, __be32 *addr, uint8_t *family)
{
	char *colon = strrchr(word, ':');

	if (!colon)
		errx(1, "no port in %s", word);
	*colon = 0;
	*port = htons(atoi(colon + 1));
	*family = strchr(word, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(*family, word, addr) != 1)
		errx(1, "bad address %s", word);
}

static void set_key(struct sock *s, const char *word)
{
	char key[32] = "";
	unsigned int val = 0;
	const struct {
		const char *key;
		__u32 *val;
	} words[] = {
		{ "inode", &s->msg.idiag_inode }, { "uid", &s->msg.idiag_uid },
		{ "rq", &s->msg.idiag_rqueue }, { "wq", &s->msg.idiag_wqueue },
		{ "expires", &s->msg.idiag_expires },
		{ "cookie", &s->msg.id.idiag_cookie[0] },
		{ "rto", &s->info.tcpi_rto },
		{ "sent", &s->info.tcpi_last_data_sent },
		{ "recv", &s->info.tcpi_last_data_recv },
		{ "ack", &s->info.tcpi_last_ack_recv },
		{ "wnd", &s->info.tcpi_snd_wnd },
	};
	const struct {
		const char *key;
		__u8 *val;
	} bytes[] = {
		{ "timer", &s->msg.idiag_timer },
		{ "retrans", &s->msg.idiag_retrans },
		{ "rtx", &s->info.tcpi_retransmits },
		{ "backoff", &s->info.tcpi_backoff },
	};

	if (*word == '*') {
		s->count = atoi(word + 1);
		return;
	}
	sscanf(word, "%31[a-z]=%u", key, &val);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(key, words[i].key))
			*words[i].val = val;
	for (size_t i = 0; i < ARRAY_SIZE(bytes); i++)
		if (!strcmp(key, bytes[i].key))
			*bytes[i].val = val;
}

static void put_message(struct world *w, const struct sock *s, uint32_t n)
{
	char buf[1024] = { 0 };
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct inet_diag_msg *m = mnl_nlmsg_put_extra_header(nlh, sizeof(*m));

	*m = s->msg;
	if (!m->id.idiag_cookie[0])
		m->id.idiag_cookie[0] = ++w->cookie;
	/* Copies differ in the end that is not a service. */
	if (ntohs(m->id.idiag_sport) > 30000)
		m->id.idiag_sport = htons(ntohs(m->id.idiag_sport) + n);
	else
		m->id.idiag_dport = htons(ntohs(m->id.idiag_dport) + n);
	if (m->idiag_inode)
		m->idiag_inode += n;
	nlh->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	if (s->has_info)
		mnl_attr_put(nlh, INET_DIAG_INFO, sizeof(s->info), &s->info);
	fwrite(buf, nlh->nlmsg_len, 1, w->messages);
}

/* Requests and minisockets have no tcp_info. */
static void read_sock(struct world *w, char *line)
{
	char *word = strsep(&line, " ");
	struct sock s = { .count = 1 };
	uint32_t mask = state_mask(word);
	uint8_t family;

	s.msg.idiag_state = __builtin_ctz(mask);
	s.info.tcpi_snd_wnd = 65535;
	set_end(strsep(&line, " "), &s.msg.id.idiag_sport, s.msg.id.idiag_src,
		&s.msg.idiag_family);
	set_end(strsep(&line, " "), &s.msg.id.idiag_dport, s.msg.id.idiag_dst,
		&family);
	while ((word = strsep(&line, " ")))
		set_key(&s, word);
	s.has_info = s.msg.idiag_state != TCPTRAIL_SYN_RECV &&
		     s.msg.idiag_timer != DIAG_TIMER_TIMEWAIT;
	for (unsigned int i = 0; i < s.count; i++)
		put_message(w, &s, i);
}

/* ---- processes ---- */

static void read_process(struct world *w, const char *line)
{
	unsigned int pid, ppid;
	unsigned long long start;
	char path[400], state, comm[64], cgroup[256];

	if (sscanf(line, "%u %u %c %llu %63s %255s", &pid, &ppid, &state, &start,
		   comm, cgroup) != 6)
		errx(1, "bad process: %s", line);
	snprintf(path, sizeof(path), "%s/%u/stat", w->proc, pid);
	write_file(path, "%u (%s) %c %u 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 %llu 0 0\n",
		   pid, comm, state, ppid, start);
	snprintf(path, sizeof(path), "%s/%u/cgroup", w->proc, pid);
	write_file(path, "0::%s\n", cgroup);
	snprintf(path, sizeof(path), "%s/%u/fd/", w->proc, pid);
	make_dirs(path);
}

static void read_fd(struct world *w, const char *line)
{
	unsigned int pid, fd, inode, count = 1;
	char path[400], to[64];

	if (sscanf(line, "%u %u %u *%u", &pid, &fd, &inode, &count) < 3)
		errx(1, "bad fd: %s", line);
	for (; count--; fd++, inode++) {
		snprintf(path, sizeof(path), "%s/%u/fd/%u", w->proc, pid, fd);
		snprintf(to, sizeof(to), "socket:[%u]", inode);
		if (symlink(to, path))
			err(1, "%s", path);
	}
}

static void read_line(struct world *w, char *line)
{
	char path[600], name[128], val[128];

	line[strcspn(line, "\n")] = 0;
	if (!strncmp(line, "sock ", 5))
		read_sock(w, line + 5);
	else if (!strncmp(line, "process ", 8))
		read_process(w, line + 8);
	else if (!strncmp(line, "fd ", 3))
		read_fd(w, line + 3);
	else if (!strncmp(line, "now ", 4))
		w->now_ns = atoll(line + 4) * NSEC_PER_SEC;
	else if (!strncmp(line, "over ", 5))
		w->over_ns = atoll(line + 5) * NSEC_PER_SEC;
	else if (sscanf(line, "kernel %63s %127[^\n]", w->release, w->version) == 2)
		return;
	else if (sscanf(line, "setting %127s %127[^\n]", name, val) == 2) {
		snprintf(path, sizeof(path), "%s/%s", w->sys, name);
		write_file(path, "%s\n", val);
	}
}

static void make_world(struct world *w, const char *text, const char *dir)
{
	char *line = NULL;
	size_t size = 0;
	FILE *f = fopen(text, "r");

	if (!f)
		err(1, "%s", text);
	memset(w, 0, sizeof(*w));
	snprintf(w->dir, sizeof(w->dir), "%s", dir);
	snprintf(w->diag, sizeof(w->diag), "%s/diag", dir);
	snprintf(w->proc, sizeof(w->proc), "%s/proc", dir);
	snprintf(w->sys, sizeof(w->sys), "%s/sys", dir);
	strcpy(w->release, "7.2.0");
	strcpy(w->version, "#1 SMP");
	w->now_ns = 100000 * NSEC_PER_SEC;
	w->over_ns = STUCK_OVER_NS;
	w->cookie = 0x1000;
	make_dirs(w->diag);
	mkdir(w->proc, 0700);
	mkdir(w->sys, 0700);
	w->messages = fopen(w->diag, "w");
	while (getline(&line, &size, f) >= 0)
		read_line(w, line);
	free(line);
	fclose(f);
	fclose(w->messages);
}

/* ---- answers ---- */

static void say(const struct world *w, const char *trails, bool json)
{
	struct look_from from = {
		.diag = w->diag,
		.proc = w->proc,
		.sys = w->sys,
		.trails = trails,
		.release = w->release,
		.version = w->version,
		.now_ns = w->now_ns,
	};
	struct groups gs;
	struct look l;
	struct out o;

	out_init(&o, json, false, COLOR_NEVER, false);
	look_take(&l, &from);
	groups_make(&gs, &l, NULL, w->over_ns);
	draw_stuck(&o, &l, &gs, false);
	out_flush(&o);
	free(o.rows);
	groups_free(&gs);
	look_free(&l);
}

/* ---- damage ---- */

static void damage(const char *path, unsigned int seed)
{
	FILE *f = fopen(path, "r+");
	struct stat st;

	if (!f || fstat(fileno(f), &st) || !st.st_size) {
		if (f)
			fclose(f);
		return;
	}
	srand(seed);
	for (int n = 1 + rand() % 8; n--;) {
		fseek(f, rand() % st.st_size, SEEK_SET);
		fputc(rand() & 0xff, f);
	}
	fclose(f);
	if (rand() % 4 == 0 && truncate(path, rand() % st.st_size))
		err(1, "%s", path);
}

static void mutate(unsigned int n, const char *text, const char *dir)
{
	char path[512], sub[256];
	struct world w;

	if (!freopen("/dev/null", "w", stdout))
		err(1, "/dev/null");
	for (unsigned int seed = 1; seed <= n; seed++) {
		snprintf(sub, sizeof(sub), "%.200s/%u", dir, seed);
		make_world(&w, text, sub);
		damage(w.diag, seed);
		for (unsigned int pid = 100; pid < 130; pid++) {
			snprintf(path, sizeof(path), "%s/%u/stat", w.proc, pid);
			damage(path, seed + pid);
			snprintf(path, sizeof(path), "%s/%u/cgroup", w.proc, pid);
			damage(path, seed + pid);
		}
		say(&w, NULL, seed & 1);
	}
}

int main(int argc, char **argv)
{
	struct world w;

	if (argc == 2 && !strcmp(argv[1], "--rules")) {
		for (size_t i = 0; i < nrules; i++)
			puts(rules[i].name);
		return 0;
	}
	if (argc == 5 && !strcmp(argv[1], "--mutate")) {
		mutate(atoi(argv[2]), argv[3], argv[4]);
		return 0;
	}
	if (argc < 3)
		errx(2, "usage: fix TEXT FOLDER [RECORDING]");
	make_world(&w, argv[1], argv[2]);
	say(&w, argc > 3 ? argv[3] : NULL, false);
	puts("");
	say(&w, argc > 3 ? argv[3] : NULL, true);
	return 0;
}
