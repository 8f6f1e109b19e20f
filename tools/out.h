/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where answers go: a table for people or JSON for programs. A field is given
 * by one call that knows both, so the two can't drift apart.
 */
#ifndef OUT_H
#define OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "util.h"

enum color {
	COLOR_NONE,
	COLOR_RED,	/* this machine's program has to act */
	COLOR_YELLOW,	/* the peer has to act */
	COLOR_GREEN,
	COLOR_DIM,
	COLOR_MAGENTA,	/* reset, error */
	COLOR_INVERSE,	/* something is missing */
};

enum color_when {
	COLOR_AUTO,
	COLOR_ALWAYS,
	COLOR_NEVER,
};

#define OUT_COLUMNS	16
#define OUT_DEPTH	8

/**
 * struct out_cell - a cell of the row that is being made
 * @at: where its text begins in that row's text; @len: bytes of it
 * @width: columns of the screen
 */
struct out_cell {
	uint32_t at, len, width;
	enum color color;
};

/* A row that waits for the width of its columns. */
struct out_row {
	struct out_cell cell[OUT_COLUMNS];
	size_t ncells;		/* 0: a line of its own */
	char *text;
};

/**
 * struct out - standard output, in one shape or the other
 * @stream: rows are printed as they come, columns only grow; else they fit
 * @measure: rows only widen their columns, nothing is printed: a first pass
 *	over an answer that is too long to be kept
 * @settled: the widths of the columns are those of all rows, so the last cell
 *	of each is put where those of the others are
 * @width: columns of the terminal, 0: unlimited
 * @line: the row that is being made: its cells, or JSON
 * @print: what goes to standard output at once
 * @in_array: bit N: level N of the JSON is an array
 */
struct out {
	bool json, pretty, no_header, colors, stream, measure, settled, header_done;
	unsigned int width;
	const char *const *column;
	size_t ncolumns;
	unsigned int col_width[OUT_COLUMNS];
	struct text line, print;
	struct out_cell cell[OUT_COLUMNS];
	size_t ncells;
	struct out_row *rows;
	size_t nrows, rows_room;
	enum color next_color;
	unsigned int depth, in_array;
};

void out_init(struct out *o, bool json, bool pretty, enum color_when when,
	      bool oneline);
/* The columns of the rows to come; the array must stay. */
void out_columns(struct out *o, const char *const *names, size_t n);
/* Print the rows that wait for the width of their columns, and flush. */
void out_flush(struct out *o);
/* Everything is written; false: it was not. */
bool out_finish(struct out *o);

/* A row of the table, a line of JSON. */
void out_begin(struct out *o);
void out_end(struct out *o);

/* Colour of the next cell. */
static inline void out_color(struct out *o, enum color color)
{
	o->next_color = color;
}

/* The halves of a field. Use out_str() and so on. */
void out_cell(struct out *o, const char *text);
/* When measuring: the next @n cells are no wider than their columns. */
void out_skip(struct out *o, size_t n);
void out_json_str(struct out *o, const char *val);
void out_json_u64(struct out *o, uint64_t val);
void out_json_open(struct out *o, bool array);

/* What comes before a value, behind the one before it. */
static inline __attribute__((always_inline))
void out_json_key(struct out *o, const char *key)
{
	size_t len = key ? strlen(key) : 0;
	char last, *p;

	text_room(&o->line, len + 4);
	p = o->line.s + o->line.len;
	last = o->line.len ? p[-1] : 0;
	/* No value ends in one of these. */
	if (last && last != '{' && last != '[')
		*p++ = ',';
	if (key && !(o->in_array >> o->depth & 1)) {
		*p++ = '"';
		memcpy(p, key, len);
		p += len;
		*p++ = '"';
		*p++ = ':';
	}
	o->line.len = p - o->line.s;
}

static inline bool out_wants(const struct out *o, const char *key)
{
	return o->json && o->depth && (key || o->in_array >> o->depth & 1);
}

/*
 * Fields. @key NULL: not in JSON; @cell NULL: no cell of the table. A NULL
 * @val of out_str() is null. Inline, so that the lengths of keys are known.
 */
static inline void out_str(struct out *o, const char *key, const char *cell,
			   const char *val)
{
	if (out_wants(o, key)) {
		out_json_key(o, key);
		out_json_str(o, val);
	}
	if (cell && !o->json)
		out_cell(o, cell);
}

/* A string of JSON only, that has nothing to escape. */
static inline void out_word(struct out *o, const char *key, const char *val)
{
	size_t len;
	char *p;

	if (!out_wants(o, key))
		return;
	out_json_key(o, key);
	len = strlen(val);
	text_room(&o->line, len + 2);
	p = o->line.s + o->line.len;
	*p = '"';
	memcpy(p + 1, val, len);
	p[len + 1] = '"';
	o->line.len += len + 2;
}

static inline void out_u64(struct out *o, const char *key, const char *cell,
			   uint64_t val)
{
	if (out_wants(o, key)) {
		out_json_key(o, key);
		out_json_u64(o, val);
	}
	if (cell && !o->json)
		out_cell(o, cell);
}

static inline void out_bool(struct out *o, const char *key, const char *cell,
			    bool val)
{
	if (out_wants(o, key)) {
		out_json_key(o, key);
		text_put(&o->line, val ? "true" : "false", val ? 4 : 5);
	}
	if (cell && !o->json)
		out_cell(o, cell);
}

static inline void out_null(struct out *o, const char *key)
{
	if (out_wants(o, key)) {
		out_json_key(o, key);
		text_put(&o->line, "null", 4);
	}
}

/* Members that are objects or arrays; an element of an array has no key. */
static inline void out_open(struct out *o, const char *key)
{
	if (o->json) {
		out_json_key(o, key);
		out_json_open(o, false);
	}
}

static inline void out_open_array(struct out *o, const char *key)
{
	if (o->json) {
		out_json_key(o, key);
		out_json_open(o, true);
	}
}

void out_close(struct out *o);

/* A line of its own in text; nothing in JSON. */
void out_line(struct out *o, enum color color, const char *line);
/* The same in as many lines as it takes, all but the first indented; ASCII. */
void out_wrapped(struct out *o, enum color color, size_t indent,
		 const char *line);

/* How many bytes of @s fill a line of @width: whole words, or what fits; ASCII. */
size_t out_words(const char *s, size_t width);

#endif
