// SPDX-License-Identifier: GPL-2.0
/* Filter nodes and what can stand behind a filter word. */
#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "filter.h"
#include "util.h"

struct filter *filter_new(enum filter_op op, enum filter_compare cmp)
{
	struct filter *f = xzalloc(sizeof(*f));

	f->op = op;
	f->cmp = cmp;
	f->port = -1;
	return f;
}

struct filter *filter_and(struct filter *a, struct filter *b)
{
	struct filter *f;

	if (!a || !b)
		return a ? a : b;
	f = filter_new(FILTER_AND, CMP_EQ);
	f->a = a;
	f->b = b;
	return f;
}

void filter_free(struct filter *f)
{
	if (!f)
		return;
	filter_free(f->a);
	filter_free(f->b);
	free(f->text);
	free(f);
}

/* ---- values ---- */

static bool set_prefix(struct filter *f, const char *digits, unsigned int most)
{
	uint64_t bits = most;

	if (digits && (!parse_u64(digits, &bits) || bits > most))
		return false;
	f->bits = bits + 128 - most;
	return true;
}

/* "10.1" means 10.1.0.0 as in ip and ss. */
static bool set_v4(struct filter *f, const char *s)
{
	unsigned int byte[4] = { 0 };
	int used = 0, n;

	n = sscanf(s, "%3u%n.%3u%n.%3u%n.%3u%n", &byte[0], &used, &byte[1],
		   &used, &byte[2], &used, &byte[3], &used);
	if (n < 1 || s[used] || s[0] == '+' || s[0] == '-')
		return false;
	memset(f->addr, 0, 10);
	memset(f->addr + 10, 0xff, 2);
	for (int i = 0; i < 4; i++) {
		if (byte[i] > 255)
			return false;
		f->addr[12 + i] = byte[i];
	}
	return true;
}

static bool set_addr(struct filter *f, char *s)
{
	char *slash = strchr(s, '/');

	if (slash)
		*slash++ = 0;
	if (!strcmp(s, "*") || !*s)
		return !slash;
	if (strchr(s, ':'))
		return inet_pton(AF_INET6, s, f->addr) == 1 &&
		       set_prefix(f, slash, 128);
	return set_v4(f, s) && set_prefix(f, slash, 32);
}

bool filter_set_port(struct filter *f, const char *s)
{
	struct servent *service;
	uint64_t port;

	if (*s == ':')
		s++;
	if (!strcmp(s, "*"))
		return true;
	if (parse_u64(s, &port)) {
		f->port = port;
		return port <= 65535;
	}
	service = *s ? getservbyname(s, "tcp") : NULL;
	if (!service)
		return false;
	f->port = ntohs(service->s_port);
	return true;
}

/*
 * Cuts "[V6]:PORT", "[V6]/64:PORT", "HOST:PORT" in two; the port is NULL if
 * there is none. False: brackets that do not match.
 */
static bool cut_host(char *s, char **host, char **port)
{
	char *close = strchr(s, ']'), *colon = strchr(s, ':');

	*host = s;
	*port = NULL;
	if (*s == '[') {
		if (!close)
			return false;
		/* Without its brackets, so that a prefix follows directly. */
		memmove(close, close + 1, strlen(close));
		*host = s + 1;
		colon = strchr(close, ':');
		if (*close && *close != ':' && *close != '/')
			return false;
	} else if (colon != strrchr(s, ':')) {
		colon = NULL;
	}
	if (colon) {
		*colon = 0;
		*port = colon + 1;
	}
	return true;
}

/* HOST, HOST:PORT, :PORT, [V6], [V6]:PORT, V6, each host with /PREFIX */
static bool set_host(struct filter *f, const char *value)
{
	char *s = xstrdup(value), *host, *port;
	bool ok = cut_host(s, &host, &port) && set_addr(f, host) &&
		  (!port || filter_set_port(f, port));

	free(s);
	return ok;
}

bool filter_set_cookie(struct filter *f, const char *value)
{
	char *end;

	if (!strncasecmp(value, "sk:", 3))
		value += 3;
	f->num = strtoull(value, &end, 16);
	return *value && !*end && strspn(value, "0123456789abcdefABCDEFxX") ==
	       strlen(value) && f->num;
}

/* A name of ip-netns(8), an inode number, a pid, or a path. */
bool filter_set_netns(struct filter *f, const char *value, char *error,
		      size_t size)
{
	char path[4096];
	struct stat st;
	uint64_t num;

	if (parse_u64(value, &num) && num >= 0xf0000000ULL) {
		f->num = num;
		return true;
	}
	if (parse_u64(value, &num))
		snprintf(path, sizeof(path), "/proc/%s/ns/net", value);
	else
		snprintf(path, sizeof(path), "%s%s",
			 strchr(value, '/') ? "" : "/run/netns/", value);
	if (stat(path, &st)) {
		snprintf(error, size, "no network namespace \"%s\"", value);
		return false;
	}
	f->num = st.st_ino;
	return true;
}

static bool set_cgroup(struct filter *f, const char *value)
{
	char path[4096];
	struct stat st;

	if (parse_u64(value, &f->num))
		return true;
	snprintf(path, sizeof(path), "%s%s",
		 strncmp(value, "/sys/", 5) ? "/sys/fs/cgroup/" : "", value);
	if (stat(path, &st) && stat(value, &st))
		return false;
	f->num = st.st_ino;
	return true;
}

static bool set_dev(struct filter *f, const char *value)
{
	f->num = if_nametoindex(value);
	if (f->num)
		return true;
	if (!strncmp(value, "if", 2))
		value += 2;
	return parse_u64(value, &f->num);
}

static bool set_mark(struct filter *f, const char *value)
{
	char *s = xstrdup(value), *slash = strchr(s, '/');
	bool ok;

	f->mask = UINT32_MAX;
	if (slash)
		*slash++ = 0;
	ok = parse_u64(s, &f->num) && (!slash || parse_u64(slash, &f->mask));
	free(s);
	return ok;
}

bool filter_set(struct filter *f, const char *value, char *error, size_t size)
{
	switch (f->op) {
	case FILTER_SPORT:
	case FILTER_DPORT:
		return filter_set_port(f, value);
	case FILTER_SRC:
	case FILTER_DST:
		return set_host(f, value);
	case FILTER_DEV:
		return set_dev(f, value);
	case FILTER_MARK:
		return set_mark(f, value);
	case FILTER_CGROUP:
		return set_cgroup(f, value);
	case FILTER_PID:
		return parse_u64(value, &f->num);
	case FILTER_NETNS:
		return filter_set_netns(f, value, error, size);
	default:
		f->text = xstrdup(value);
		return true;
	}
}
