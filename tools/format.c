// SPDX-License-Identifier: GPL-2.0
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "format.h"

/* ---- time ---- */

const char *format_duration(char *buf, uint64_t ns)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = { { "ns", 1 }, { "us", 1000 }, { "ms", 1000000 },
		      { "s", NSEC_PER_SEC } };
	uint64_t s = (ns + NSEC_PER_SEC / 2) / NSEC_PER_SEC;
	size_t u = 0;

	if (ns >= 86400 * NSEC_PER_SEC) {
		sprintf(buf, "%" PRIu64 "d%02" PRIu64 "h", s / 86400,
			s / 3600 % 24);
	} else if (ns >= 3600 * NSEC_PER_SEC) {
		sprintf(buf, "%" PRIu64 "h%02" PRIu64 "m", s / 3600, s / 60 % 60);
	} else if (s >= 60) {
		sprintf(buf, "%" PRIu64 "m%02" PRIu64 "s", s / 60, s % 60);
	} else {
		while (u + 1 < ARRAY_SIZE(units) &&
		       ns + units[u + 1].ns / 2000 >= units[u + 1].ns)
			u++;
		sprintf(buf, "%.*f%s",
			u && ns < units[u].ns * 9.95 ? 1 : 0,
			(double)ns / units[u].ns, units[u].name);
	}
	return buf;
}

static void format_seconds(char *buf, const char *sign, uint64_t ns)
{
	sprintf(buf, "%s%llu.%06llu", sign, ns / NSEC_PER_SEC,
		ns % NSEC_PER_SEC / 1000);
}

static void format_wall(char *buf, const char *fmt, int64_t real_ns)
{
	time_t t = real_ns / (int64_t)NSEC_PER_SEC;
	struct tm tm;

	localtime_r(&t, &tm);
	strftime(buf, FORMAT_MAX / 2, fmt, &tm);
	sprintf(buf + strlen(buf), ".%03d",
		(int)(real_ns % (int64_t)NSEC_PER_SEC / 1000000));
}

const char *format_time(char *buf, struct clock *clock, uint64_t ts_ns)
{
	uint64_t from = clock->mode == TIME_REL ? clock->first_ns :
			clock->mode == TIME_DELTA ? clock->last_ns : 0;

	if (!clock->first_ns)
		from = clock->first_ns = clock->last_ns = ts_ns;
	if (clock->mode == TIME_MONO)
		from = 0;
	if (!ts_ns)
		strcpy(buf, "?");
	else if (clock->mode == TIME_WALL)
		format_wall(buf, "%H:%M:%S", ts_ns + clock->real_ns);
	else if (ts_ns >= from)
		format_seconds(buf, "", ts_ns - from);
	else
		format_seconds(buf, "-", from - ts_ns);
	clock->last_ns = ts_ns;
	return buf;
}

const char *format_date(char *buf, const struct clock *clock, uint64_t ts_ns)
{
	if (ts_ns)
		format_wall(buf, "%F %H:%M:%S", ts_ns + clock->real_ns);
	else
		strcpy(buf, "?");
	return buf;
}

/* ---- addresses ---- */

bool addr_is_v4(const uint8_t *addr)
{
	return IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)addr);
}

bool addr_is_any(const uint8_t *addr)
{
	static const uint8_t zero[16];

	return !memcmp(addr, zero, 16) ||
	       (addr_is_v4(addr) && !memcmp(addr + 12, zero, 4));
}

static bool link_local(const uint8_t *addr)
{
	return addr[0] == 0xfe && (addr[1] & 0xc0) == 0x80;
}

const char *format_addr(char *buf, const struct tcptrail_conn *who,
			const uint8_t *addr)
{
	if (addr_is_v4(addr))
		return inet_ntop(AF_INET, addr + 12, buf, FORMAT_MAX);
	if (addr_is_any(addr) && !(who->flags & TCPTRAIL_F_IPV6))
		return strcpy(buf, "0.0.0.0");
	inet_ntop(AF_INET6, addr, buf, FORMAT_MAX);
	if (link_local(addr) && who->ifindex)
		sprintf(buf + strlen(buf), "%%%u", who->ifindex);
	return buf;
}

static void format_endpoint(char *buf, const struct tcptrail_conn *who,
			    const uint8_t *addr, unsigned int port,
			    const char *no_port)
{
	char host[FORMAT_MAX], digits[16];

	sprintf(digits, "%u", port);
	format_addr(host, who, addr);
	sprintf(buf, strchr(host, ':') ? "[%.64s]:%s" : "%.64s:%s", host,
		port ? digits : no_port);
}

const char *format_local(char *buf, const struct conn *c)
{
	format_endpoint(buf, &c->who, c->who.saddr, c->who.sport, "?");
	return buf;
}

const char *format_remote(char *buf, const struct conn *c)
{
	format_endpoint(buf, &c->who, c->who.daddr, c->who.dport,
			conn_is_listener(c) ? "*" : "?");
	return buf;
}

/* ---- names ---- */

const char *format_id(char *buf, uint64_t cookie)
{
	sprintf(buf, cookie ? "sk:%" PRIx64 : "-", cookie);
	return buf;
}

/* Length of a valid UTF-8 sequence that is no control character, else 0. */
static size_t utf8_length(const unsigned char *s)
{
	uint32_t c = s[0];
	size_t n = c >= 0xf0 && c < 0xf5 ? 4 : c >= 0xe0 && c < 0xf0 ? 3 :
		   c >= 0xc2 && c < 0xe0 ? 2 : 0;

	if (!n)
		return c >= ' ' && c < 0x7f;
	c &= 0xff >> (n + 1);
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if ((n == 3 && c < 0x800) || (n == 4 && (c < 0x10000 || c > 0x10ffff)) ||
	    (c >= 0xd800 && c < 0xe000) || (c >= 0x80 && c < 0xa0))
		return 0;
	return n;
}

static const char *escape(char *buf, const char *comm, bool utf8)
{
	const unsigned char *s = (const void *)comm;
	char *p = buf;

	while (*s) {
		size_t n = utf8_length(s);

		if (!n || *s == '\\' || (n > 1 && !utf8)) {
			p += sprintf(p, "\\x%02x", *s++);
			continue;
		}
		memcpy(p, s, n);
		p += n;
		s += n;
	}
	*p = 0;
	return buf;
}

const char *format_comm(char *buf, const char *comm)
{
	return escape(buf, comm, false);
}

const char *format_comm_utf8(char *buf, const char *comm)
{
	return escape(buf, comm, true);
}

char *format_path(const char *path)
{
	char *safe = xzalloc(4 * strlen(path) + 1), *p = safe;

	for (; *path; path++) {
		unsigned char c = *path;

		p += sprintf(p, c > ' ' && c < 0x7f ? "%c" : "\\x%02x", c);
	}
	return safe;
}

const char *format_errno(char *buf, unsigned int err)
{
	const char *name = err ? strerrorname_np(err) : NULL;

	if (!err)
		return NULL;
	if (name)
		strcpy(buf, name);
	else
		sprintf(buf, "E%u", err);
	return buf;
}
