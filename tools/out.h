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

struct out_cell {
	char *text;
	enum color color;
};

#define OUT_COLUMNS	16
#define OUT_DEPTH	8

struct json_object;

/**
 * struct out - standard output, in one shape or the other
 * @stream: rows are printed as they come, columns only grow; else they fit
 * @width: columns of the terminal, 0: unlimited
 */
struct out {
	bool json, pretty, no_header, colors, stream, header_done;
	unsigned int width;
	const char *const *column;
	size_t ncolumns;
	unsigned int col_width[OUT_COLUMNS];
	struct out_cell row[OUT_COLUMNS];
	size_t ncells;
	struct out_cell (*rows)[OUT_COLUMNS];
	size_t nrows, rows_room;
	enum color next_color;
	struct json_object *stack[OUT_DEPTH];
	unsigned int depth;
};

void out_init(struct out *o, bool json, bool pretty, enum color_when when,
	      bool oneline);
/* The columns of the rows to come; the array must stay. */
void out_columns(struct out *o, const char *const *names, size_t n);
/* Print the rows that wait for the width of their columns. */
void out_flush(struct out *o);
/* Everything is written; false: it was not. */
bool out_finish(struct out *o);

/* A row of the table, a line of JSON. */
void out_begin(struct out *o);
void out_end(struct out *o);

/*
 * Fields. @key NULL: not in JSON; @cell NULL: no cell of the table. A NULL
 * @val of out_str() is null.
 */
void out_str(struct out *o, const char *key, const char *cell, const char *val);
void out_u64(struct out *o, const char *key, const char *cell, uint64_t val);
void out_bool(struct out *o, const char *key, const char *cell, bool val);
void out_null(struct out *o, const char *key);
/* Colour of the next cell. */
void out_color(struct out *o, enum color color);

/* Members that are objects or arrays; an element of an array has no key. */
void out_open(struct out *o, const char *key);
void out_open_array(struct out *o, const char *key);
void out_close(struct out *o);

/* A line of its own in text; nothing in JSON. */
void out_line(struct out *o, enum color color, const char *line);

#endif
