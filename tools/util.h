/* SPDX-License-Identifier: GPL-2.0 */
/* Small things that every file needs. */
#ifndef UTIL_H
#define UTIL_H

#include <err.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Exit statuses, see EXIT STATUS in tcptrail(8). */
enum {
	ST_OK = 0,
	ST_ERROR = 1,		/* no device, no permission, a bad recording */
	ST_USAGE = 2,		/* wrong command line */
	ST_FOUND = 3,		/* stuck, check: there is something */
	ST_INCOMPLETE = 4,	/* records were lost for good */
	ST_RECORD = 125,	/* record -- CMD: tcptrail itself failed */
	ST_CANNOT_RUN = 126,	/* ... the command could not be run */
	ST_NOT_FOUND = 127,	/* ... the command was not found */
};

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define NSEC_PER_SEC	1000000000ULL

#define max(a, b)	((a) > (b) ? (a) : (b))
#define min(a, b)	((a) < (b) ? (a) : (b))

void *xzalloc(size_t size);
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *s);

/*
 * Room for element number @n in an array: *@p holds *@room elements of
 * @size bytes and is enlarged, with zeroes, if @n is beyond.
 */
void grow_room(void *p, size_t *room, size_t n, size_t size, bool zero);

static inline void make_room(void *p, size_t *room, size_t n, size_t size)
{
	if (n >= *room)
		grow_room(p, room, n, size, true);
}

/* Without the zeroes, for who fills all of it. */
static inline void make_raw_room(void *p, size_t *room, size_t n, size_t size)
{
	if (n >= *room)
		grow_room(p, room, n, size, false);
}

/* A growing text. Starts all zero; the text is NUL-terminated. */
struct text {
	char *s;
	size_t len, room;
};

void text_add(struct text *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void text_grow(struct text *t, size_t n);

/* Room for @n more bytes at s + len; s may move. */
static inline void text_room(struct text *t, size_t n)
{
	if (t->len + n > t->room)
		text_grow(t, n);
}

/* @n bytes as they are; no NUL is put behind them. */
static inline void text_put(struct text *t, const char *s, size_t n)
{
	text_room(t, n);
	memcpy(t->s + t->len, s, n);
	t->len += n;
}

void text_clear(struct text *t);
void text_free(struct text *t);

/* The digits of @val to @p, at most U64_DIGITS, no NUL. Returns their end. */
#define U64_DIGITS	20
char *put_u64(char *p, uint64_t val);
char *put_hex(char *p, uint64_t val);

/* Whole text as an unsigned number (0x, 0 prefixes as in C)? */
bool parse_u64(const char *s, uint64_t *val);
/* "90", "1.5s", "250ms", "10m", "2h", "3d" to nanoseconds. */
bool parse_duration(const char *s, uint64_t *ns);

#endif
