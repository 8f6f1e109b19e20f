// SPDX-License-Identifier: GPL-2.0
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

static void *checked(void *p)
{
	if (!p)
		errx(ST_ERROR, "out of memory");
	return p;
}

void *xzalloc(size_t size)
{
	return checked(calloc(1, size));
}

void *xrealloc(void *p, size_t size)
{
	return checked(realloc(p, size));
}

char *xstrdup(const char *s)
{
	return checked(strdup(s));
}

void grow_room(void *p, size_t *room, size_t n, size_t size, bool zero)
{
	void **array = p;
	size_t want = *room ? *room : 8;

	while (want <= n)
		want *= 2;
	*array = xrealloc(*array, want * size);
	if (zero)
		memset((char *)*array + *room * size, 0, (want - *room) * size);
	*room = want;
}

void text_add(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	make_room(&t->s, &t->room, t->len + n + 1, 1);
	va_start(ap, fmt);
	vsnprintf(t->s + t->len, n + 1, fmt, ap);
	va_end(ap);
	t->len += n;
}

void text_grow(struct text *t, size_t n)
{
	size_t want = t->room ? t->room : 64;

	while (want < t->len + n)
		want *= 2;
	t->s = xrealloc(t->s, want);
	t->room = want;
}

void text_clear(struct text *t)
{
	t->len = 0;
	if (t->s)
		t->s[0] = 0;
}

void text_free(struct text *t)
{
	free(t->s);
	memset(t, 0, sizeof(*t));
}

/* Its decimal digits, by its binary ones: 1233 / 4096 is about log10(2). */
static size_t digits_of(uint64_t val)
{
	static const uint64_t power[U64_DIGITS] = {
		0, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000,
		1000000000, 10000000000, 100000000000, 1000000000000,
		10000000000000, 100000000000000, 1000000000000000,
		10000000000000000, 100000000000000000, 1000000000000000000,
		10000000000000000000U,
	};
	size_t n = (64 - __builtin_clzll(val | 1)) * 1233 >> 12;

	return n + (val >= power[n]);
}

/* 00 to 99 */
#define TEN(t)	#t "0" #t "1" #t "2" #t "3" #t "4" #t "5" #t "6" #t "7" #t "8" #t "9"
static const char two_digits[] =
	TEN(0) TEN(1) TEN(2) TEN(3) TEN(4) TEN(5) TEN(6) TEN(7) TEN(8) TEN(9);

char *put_u64(char *p, uint64_t val)
{
	char *end, *at;

	/* Most numbers are small, and a division by a constant is cheap. */
	if (val < 10) {
		*p = '0' + val;
		return p + 1;
	}
	end = at = p + digits_of(val);
	for (; val >= 100; val /= 100)
		memcpy(at -= 2, two_digits + val % 100 * 2, 2);
	if (val >= 10)
		memcpy(p, two_digits + val * 2, 2);
	else
		*p = '0' + val;
	return end;
}

char *put_hex(char *p, uint64_t val)
{
	int shift = val ? (63 - __builtin_clzll(val)) & ~3 : 0;

	for (; shift >= 0; shift -= 4)
		*p++ = "0123456789abcdef"[val >> shift & 15];
	return p;
}

bool parse_u64(const char *s, uint64_t *val)
{
	char *end;

	if (!isdigit((unsigned char)*s))
		return false;
	errno = 0;
	*val = strtoull(s, &end, 0);
	return !errno && !*end;
}

bool parse_duration(const char *s, uint64_t *ns)
{
	static const struct {
		const char *unit;
		double ns;
	} units[] = {
		{ "", 1e9 }, { "s", 1e9 }, { "ms", 1e6 }, { "us", 1e3 },
		{ "ns", 1 }, { "m", 60e9 }, { "min", 60e9 }, { "h", 3600e9 },
		{ "d", 86400e9 },
	};
	char *end;
	double val;

	if (!isdigit((unsigned char)*s))
		return false;
	val = strtod(s, &end);
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (strcmp(end, units[i].unit))
			continue;
		if (!(val * units[i].ns < 9e18))
			return false;
		*ns = val * units[i].ns;
		return true;
	}
	return false;
}
