// SPDX-License-Identifier: GPL-2.0
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "format.h"

/* ---- time ---- */

/* Two numbers with their units, the second one of two digits. */
static void put_pair(char *buf, uint64_t a, char a_unit, uint64_t b, char b_unit)
{
	char *p = put_u64(buf, a);

	*p++ = a_unit;
	*p++ = '0' + b / 10;
	*p++ = '0' + b % 10;
	*p++ = b_unit;
	*p = 0;
}

/*
 * @ns in @unit, rounded to a whole number or to tenths, as printf() rounds.
 * The middle between two is left to printf().
 */
static void put_rounded(char *buf, uint64_t ns, uint64_t unit, bool tenths,
			const char *name)
{
	uint64_t step = tenths ? unit / 10 : unit, n = (ns + step / 2) / step;
	char *p;

	if (unit > 1 && ns % step == step / 2) {
		sprintf(buf, "%.*f%s", tenths, (double)ns / unit, name);
		return;
	}
	p = put_u64(buf, tenths ? n / 10 : n);
	if (tenths) {
		*p++ = '.';
		*p++ = '0' + n % 10;
	}
	strcpy(p, name);
}

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
		put_pair(buf, s / 86400, 'd', s / 3600 % 24, 'h');
	} else if (ns >= 3600 * NSEC_PER_SEC) {
		put_pair(buf, s / 3600, 'h', s / 60 % 60, 'm');
	} else if (s >= 60) {
		put_pair(buf, s / 60, 'm', s % 60, 's');
	} else {
		while (u + 1 < ARRAY_SIZE(units) &&
		       ns + units[u + 1].ns / 2000 >= units[u + 1].ns)
			u++;
		put_rounded(buf, ns, units[u].ns,
			    u && ns < units[u].ns * 9.95, units[u].name);
	}
	return buf;
}

/* @val in @n digits, leading zeroes included. Returns the end. */
static char *put_digits(char *p, unsigned int val, size_t n)
{
	for (size_t i = n; i-- > 0; val /= 10)
		p[i] = '0' + val % 10;
	return p + n;
}

static void format_seconds(char *buf, const char *sign, uint64_t ns)
{
	char *p = put_u64(stpcpy(buf, sign), ns / NSEC_PER_SEC);

	*p++ = '.';
	*put_digits(p, ns % NSEC_PER_SEC / 1000, 6) = 0;
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

/* Most lines are of the same second as the one before. */
static void format_day(char *buf, struct clock *clock, int64_t real_ns)
{
	int64_t s = real_ns / (int64_t)NSEC_PER_SEC;
	char *p;

	if (real_ns < 0 || s != clock->second || !*clock->day) {
		format_wall(buf, "%H:%M:%S", real_ns);
		clock->second = s;
		memcpy(clock->day, buf, 8);
		return;
	}
	p = stpcpy(buf, clock->day);
	*p++ = '.';
	*put_digits(p, real_ns % (int64_t)NSEC_PER_SEC / 1000000, 3) = 0;
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
		format_day(buf, clock, ts_ns + clock->real_ns);
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

static bool link_local(const uint8_t *addr)
{
	return addr[0] == 0xfe && (addr[1] & 0xc0) == 0x80;
}

/* The end is returned. */
static char *put_v4(char *p, const uint8_t *addr)
{
	for (size_t i = 0; i < 4; i++) {
		if (i)
			*p++ = '.';
		p = put_u64(p, addr[i]);
	}
	*p = 0;
	return p;
}

const char *format_addr(char *buf, const struct tcptrail_conn *who,
			const uint8_t *addr)
{
	if (addr_is_v4(addr)) {
		put_v4(buf, addr + 12);
		return buf;
	}
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
	char host[FORMAT_MAX], *p = buf;

	if (addr_is_v4(addr)) {
		p = put_v4(p, addr + 12);
	} else {
		format_addr(host, who, addr);
		p += sprintf(p, strchr(host, ':') ? "[%.64s]" : "%.64s", host);
	}
	*p++ = ':';
	if (port)
		*put_u64(p, port) = 0;
	else
		strcpy(p, no_port);
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
	if (!cookie)
		return strcpy(buf, "-");
	*put_hex(stpcpy(buf, "sk:"), cookie) = 0;
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
