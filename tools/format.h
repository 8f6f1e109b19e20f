/* SPDX-License-Identifier: GPL-2.0 */
/* Numbers, addresses and names as text. */
#ifndef FORMAT_H
#define FORMAT_H

#include <netinet/in.h>

#include "conn.h"
#include "util.h"

enum time_mode {
	TIME_WALL,	/* local time of day */
	TIME_REL,	/* since the first line */
	TIME_MONO,	/* CLOCK_BOOTTIME */
	TIME_DELTA,	/* since the line before */
};

/**
 * struct clock - how times are printed
 * @real_ns: CLOCK_REALTIME minus CLOCK_BOOTTIME
 * @first_ns: of the first line
 * @last_ns: of the line before
 * @second: since 1970, that @day tells: the last that was printed
 */
struct clock {
	enum time_mode mode;
	int64_t real_ns;
	uint64_t first_ns, last_ns;
	int64_t second;
	char day[12];
};

/* Long enough for any of the below. */
#define FORMAT_MAX	128

/* 1.4ms, 176ms, 58s, 2m05s, 3h12m, 5d03h */
const char *format_duration(char *buf, uint64_t ns);
const char *format_time(char *buf, struct clock *clock, uint64_t ts_ns);
/* With the date. */
const char *format_date(char *buf, const struct clock *clock, uint64_t ts_ns);

/* Is it an IPv4 address, written as IPv6? */
static inline bool addr_is_v4(const uint8_t *addr)
{
	static const uint8_t prefix[12] = { [10] = 0xff, 0xff };

	return !memcmp(addr, prefix, sizeof(prefix));
}

/* Nothing is bound or known: 0.0.0.0 and ::. */
static inline bool addr_is_any(const uint8_t *addr)
{
	static const uint8_t zero[16];

	return !memcmp(addr + 12, zero, 4) &&
	       (!memcmp(addr, zero, 12) || addr_is_v4(addr));
}

/* 10.0.0.1, fe80::1; IPv4 whenever it is IPv4. */
const char *format_addr(char *buf, const struct tcptrail_conn *who,
			const uint8_t *addr);
/* 10.0.0.1:80, [fe80::1%2]:80, *:80, 10.0.0.1:* */
const char *format_local(char *buf, const struct conn *c);
const char *format_remote(char *buf, const struct conn *c);

/* sk:1a; -: none */
const char *format_id(char *buf, uint64_t cookie);

/* A name that a user chose, safe to print: other bytes are written \xNN. */
const char *format_comm(char *buf, const char *comm);
/* The same for JSON, which can hold all of UTF-8. */
const char *format_comm_utf8(char *buf, const char *comm);

/*
 * The same for a path, which the caller frees; a backslash stays, as systemd
 * writes \xNN itself.
 */
char *format_path(const char *path);

/* "ECONNREFUSED"; NULL: no error */
const char *format_errno(char *buf, unsigned int err);

#endif
