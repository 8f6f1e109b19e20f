// SPDX-License-Identifier: GPL-2.0
/* The table, and what both shapes share. JSON is in out_json.c. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "out.h"
#include "out_json.h"

/* A last column narrower than this gets lines of its own. */
#define MIN_LAST	24
/* Of standard output, when it is no terminal. */
#define BUFFER_SIZE	(256 * 1024)

static bool want_colors(enum color_when when)
{
	const char *no = getenv("NO_COLOR");

	if (when != COLOR_AUTO)
		return when == COLOR_ALWAYS;
	return !(no && *no) && isatty(STDOUT_FILENO);
}

static unsigned int terminal_width(void)
{
	const char *env = getenv("COLUMNS");
	struct winsize ws;
	uint64_t width;

	if (env && parse_u64(env, &width) && width < 10000)
		return width;
	if (isatty(STDOUT_FILENO) && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws))
		return ws.ws_col;
	return 0;
}

void out_init(struct out *o, bool json, bool pretty, enum color_when when,
	      bool oneline)
{
	memset(o, 0, sizeof(*o));
	o->json = json;
	o->pretty = pretty;
	o->colors = !json && want_colors(when);
	o->width = oneline ? 0 : terminal_width();
	if (!isatty(STDOUT_FILENO))
		setvbuf(stdout, NULL, _IOFBF, BUFFER_SIZE);
}

void out_columns(struct out *o, const char *const *names, size_t n)
{
	o->column = names;
	o->ncolumns = n;
	o->header_done = o->json || o->no_header;
	for (size_t i = 0; i < n; i++)
		o->col_width[i] = strlen(names[i]);
}

/* ---- printing ---- */

static const char *color_code(enum color color)
{
	static const char *const codes[] = {
		[COLOR_RED] = "\033[31m", [COLOR_YELLOW] = "\033[33m",
		[COLOR_GREEN] = "\033[32m", [COLOR_DIM] = "\033[2m",
		[COLOR_MAGENTA] = "\033[35m", [COLOR_INVERSE] = "\033[7m",
	};

	return codes[color];
}

static void put(struct out *o, enum color color, const char *s, size_t n)
{
	bool colored = o->colors && color != COLOR_NONE;

	if (colored)
		text_put(&o->print, color_code(color),
			 strlen(color_code(color)));
	if (n)
		text_put(&o->print, s, n);
	if (colored)
		text_put(&o->print, "\033[0m", 4);
}

static void put_blanks(struct out *o, size_t n)
{
	text_room(&o->print, n);
	memset(o->print.s + o->print.len, ' ', n);
	o->print.len += n;
}

static void print(struct out *o)
{
	if (!o->print.len)
		return;
	fwrite_unlocked(o->print.s, 1, o->print.len, stdout);
	o->print.len = 0;
}

/* Columns of the screen: characters, not bytes; @n bytes of UTF-8. */
static size_t width_of(const char *s, size_t n)
{
	const uint64_t ones = 0x8080808080808080ULL;
	size_t width = n;
	uint64_t word;

	/* Behind its first byte each byte of a character begins with bits 10. */
	for (; n >= sizeof(word); s += sizeof(word), n -= sizeof(word)) {
		memcpy(&word, s, sizeof(word));
		if (word & ones)
			width -= __builtin_popcountll(word & ~(word << 1) & ones);
	}
	for (; n; s++, n--)
		width -= ((unsigned char)*s & 0xc0) == 0x80;
	return width;
}

/*
 * How much of @s goes on a line of @width: cut behind every second word, and
 * within parentheses, which belong to the word before, only if need be.
 */
static size_t wrap_at(const char *s, size_t width)
{
	size_t fits = 0, any = 0, words = 0;
	int depth = 0;

	for (size_t i = 0;; i++) {
		depth += (s[i] == '(') - (s[i] == ')');
		if (s[i] && s[i] != ' ')
			continue;
		if (i > width && (fits || any))
			return fits ? fits : any;
		if (!s[i])
			return i;
		any = i;
		if (depth <= 0 && s[i + 1] != '(' && ++words % 2 == 0)
			fits = i;
	}
}

size_t out_words(const char *s, size_t width)
{
	size_t fits = 0, i = 0;

	for (; s[i] && i <= width; i++)
		if (s[i] == ' ' && i && s[i - 1] != ' ')
			fits = i;
	if (!s[i] && i <= width)
		return i;
	return fits ? fits : width;
}

/* Where a line is, and where its next cell begins. */
struct cursor {
	size_t at, next;
};

#define INDENT	4

static void new_line(struct out *o, struct cursor *cur, size_t indent)
{
	text_put(&o->print, "\n", 1);
	cur->at = 0;
	cur->next = indent;
}

static void go_on(struct out *o, struct cursor *cur)
{
	if (cur->next > cur->at)
		put_blanks(o, cur->next - cur->at);
	cur->at = cur->next;
}

/* Bytes of the first @columns characters. */
static size_t bytes_of(const char *s, size_t columns)
{
	size_t n = 0;

	while (columns-- > 0 && s[n])
		for (n++; (s[n] & 0xc0) == 0x80; n++)
			;
	return n;
}

/* What is longer than a line goes on in the next one. */
static void put_cut(struct out *o, struct cursor *cur,
		    const struct out_cell *cell, const char *s)
{
	size_t left = cell->width;

	go_on(o, cur);
	while (o->width && cur->at + left > o->width && cur->at < o->width) {
		size_t room = o->width - cur->at, n = bytes_of(s, room);

		put(o, cell->color, s, n);
		s += n;
		left -= room;
		new_line(o, cur, INDENT);
		go_on(o, cur);
	}
	put(o, cell->color, s, strlen(s));
	cur->at += left;
}

/*
 * All but the last. Where it stands depends on the widths of the columns only:
 * those that do not fit go on the next line, alike in all rows.
 */
static void put_cell(struct out *o, struct cursor *cur,
		     const struct out_cell *cell, const char *s, size_t width)
{
	if (o->width && cur->next > INDENT && cur->next + width > o->width)
		new_line(o, cur, INDENT);
	if (cell->len)
		put_cut(o, cur, cell, s);
	cur->next += width + 1;
}

/* The last cell may be long: over several lines, each indented alike. */
static void put_last(struct out *o, struct cursor *cur,
		     const struct out_cell *cell, const char *s)
{
	size_t indent = cur->next, room;
	bool fits = !o->width || cur->next + cell->width <= o->width;

	/* Where the widths are known, all rows do alike. */
	if ((!fits || o->settled) && o->width && cur->next > INDENT &&
	    cur->next + MIN_LAST > o->width) {
		indent = INDENT;
		new_line(o, cur, indent);
		fits = indent + cell->width <= o->width;
	}
	if (fits) {
		go_on(o, cur);
		put(o, cell->color, s, cell->len);
		return;
	}
	room = o->width > indent + 1 ? o->width - indent : 1;
	while (*s) {
		size_t n = wrap_at(s, room);

		go_on(o, cur);
		put(o, cell->color, s, n);
		s += n;
		s += strspn(s, " ");
		if (*s)
			new_line(o, cur, indent);
	}
}

static void put_row(struct out *o, const struct out_cell *cell, size_t n,
		    const char *text)
{
	struct cursor cur = { 0 };

	/* No padding at the end of a line. */
	while (n > 1 && !cell[n - 1].len)
		n--;
	for (size_t i = 0; i + 1 < n; i++)
		put_cell(o, &cur, &cell[i], text + cell[i].at,
			 o->col_width[i]);
	put_last(o, &cur, &cell[n - 1], text + cell[n - 1].at);
	text_put(&o->print, "\n", 1);
}

/* A cell behind those of @t. Zeroes behind it make whole words of it. */
static struct out_cell add_cell(struct text *t, const char *s, enum color color)
{
	size_t len = strlen(s), at = t->len;
	size_t padded = (len + 7) & ~(size_t)7;

	text_room(t, len + sizeof(uint64_t));
	memcpy(t->s + at, s, len);
	memset(t->s + at + len, 0, sizeof(uint64_t));
	t->len += len + 1;
	return (struct out_cell){
		at, len, width_of(t->s + at, padded) - (padded - len), color };
}

static void put_header(struct out *o)
{
	struct out_cell cell[OUT_COLUMNS];
	struct text t = { 0 };

	if (o->header_done || !o->ncolumns)
		return;
	for (size_t i = 0; i < o->ncolumns; i++)
		cell[i] = add_cell(&t, o->column[i], COLOR_NONE);
	put_row(o, cell, o->ncolumns, t.s);
	text_free(&t);
	o->header_done = true;
}

static void put_any(struct out *o, const struct out_cell *cell, size_t ncells,
		    const char *text)
{
	put_header(o);
	if (ncells) {
		put_row(o, cell, ncells, text);
	} else {
		put(o, cell->color, text, cell->len);
		text_put(&o->print, "\n", 1);
	}
	print(o);
}

/* ---- rows ---- */

void out_flush(struct out *o)
{
	put_header(o);
	print(o);
	for (size_t i = 0; i < o->nrows; i++) {
		struct out_row *row = &o->rows[i];

		put_any(o, row->cell, row->ncells, row->text);
		free(row->text);
	}
	o->nrows = 0;
	text_free(&o->line);
	text_free(&o->print);
	fflush(stdout);
}

bool out_finish(struct out *o)
{
	out_flush(o);
	free(o->rows);
	o->rows = NULL;
	return !ferror(stdout) && !fclose(stdout);
}

static void keep_row(struct out *o, size_t ncells)
{
	struct out_row *row;

	make_room(&o->rows, &o->rows_room, o->nrows, sizeof(*o->rows));
	row = &o->rows[o->nrows++];
	memcpy(row->cell, o->cell, sizeof(row->cell));
	row->ncells = ncells;
	row->text = xzalloc(o->line.len);
	memcpy(row->text, o->line.s, o->line.len);
}

/* The row, or with no cells the line, that has been made is what now? */
static void row_done(struct out *o, size_t ncells)
{
	if (o->stream)
		put_any(o, o->cell, ncells, o->line.s);
	else if (!o->measure)
		keep_row(o, ncells);
	o->ncells = 0;
	o->line.len = 0;
}

void out_cell(struct out *o, const char *text)
{
	size_t i = o->ncells, width;

	if (i == o->ncolumns)
		return;
	if (o->measure) {
		width = width_of(text, strlen(text));
	} else {
		o->cell[i] = add_cell(&o->line, text, o->next_color);
		width = o->cell[i].width;
	}
	o->col_width[i] = max(o->col_width[i], width);
	o->next_color = COLOR_NONE;
	o->ncells++;
}

void out_skip(struct out *o, size_t n)
{
	o->ncells += n;
}

void out_line(struct out *o, enum color color, const char *line)
{
	if (o->json)
		return;
	o->cell[0] = add_cell(&o->line, line, color);
	row_done(o, 0);
}

void out_wrapped(struct out *o, enum color color, size_t indent,
		 const char *line)
{
	size_t room = o->width > indent + 1 ? o->width : 0, at = 0;
	struct text t = { 0 };

	while (room && at + width_of(line, strlen(line)) > room) {
		size_t n = out_words(line, room - at);

		text_clear(&t);
		text_add(&t, "%*s%.*s", (int)at, "", (int)n, line);
		out_line(o, color, t.s);
		line += n;
		line += strspn(line, " ");
		at = indent;
	}
	text_clear(&t);
	text_add(&t, "%*s%s", (int)at, "", line);
	out_line(o, color, t.s);
	text_free(&t);
}

void out_begin(struct out *o)
{
	out_open(o, NULL);
}

void out_end(struct out *o)
{
	if (o->json) {
		out_close(o);
		if (!o->measure)
			out_json_print(o);
		o->line.len = 0;
		return;
	}
	while (o->ncells < o->ncolumns)
		out_cell(o, "");
	row_done(o, o->ncells);
}
