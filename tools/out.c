// SPDX-License-Identifier: GPL-2.0
#include <json.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "out.h"

/* A last column narrower than this gets lines of its own. */
#define MIN_LAST	24

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
}

void out_columns(struct out *o, const char *const *names, size_t n)
{
	o->column = names;
	o->ncolumns = n;
	o->header_done = o->json || o->no_header;
	for (size_t i = 0; i < n; i++)
		o->col_width[i] = strlen(names[i]);
}

/* ---- text ---- */

static const char *color_code(enum color color)
{
	static const char *const codes[] = {
		[COLOR_RED] = "\033[31m", [COLOR_YELLOW] = "\033[33m",
		[COLOR_GREEN] = "\033[32m", [COLOR_DIM] = "\033[2m",
		[COLOR_MAGENTA] = "\033[35m", [COLOR_INVERSE] = "\033[7m",
	};

	return codes[color];
}

static void put(const struct out *o, enum color color, const char *s, size_t n)
{
	bool colored = o->colors && color != COLOR_NONE;

	printf("%s%.*s%s", colored ? color_code(color) : "", (int)n, s,
	       colored ? "\033[0m" : "");
}

/* Columns of the screen: characters, not bytes. */
static size_t text_width(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

/* How much of @s goes on a line of @width, cut behind every second word. */
static size_t wrap_at(const char *s, size_t width)
{
	size_t fits = 0, words = 0;

	for (size_t i = 0;; i++) {
		if (s[i] && s[i] != ' ')
			continue;
		words++;
		if (i > width && fits)
			return fits;
		if (words % 2 == 0 || !s[i])
			fits = i;
		if (!s[i])
			return i;
	}
}

/* The last cell may be long: over several lines, each indented alike. */
static void put_last(const struct out *o, const struct out_cell *cell,
		     size_t column)
{
	size_t indent = column, room;
	const char *s = cell->text;

	if (!o->width || column + text_width(s) <= o->width) {
		put(o, cell->color, s, strlen(s));
		return;
	}
	if (column + MIN_LAST > o->width) {
		indent = 4;
		printf("\n%*s", (int)indent, "");
	}
	room = o->width > indent + 1 ? o->width - indent : 1;
	while (*s) {
		size_t n = wrap_at(s, room);

		put(o, cell->color, s, n);
		s += n;
		s += strspn(s, " ");
		if (*s)
			printf("\n%*s", (int)indent, "");
	}
}

static void put_row(const struct out *o, const struct out_cell *row, size_t n)
{
	size_t column = 0;

	/* No padding at the end of a line. */
	while (n > 1 && !*row[n - 1].text)
		n--;
	for (size_t i = 0; i < n; i++) {
		if (i + 1 == n) {
			put_last(o, &row[i], column);
			break;
		}
		put(o, row[i].color, row[i].text, strlen(row[i].text));
		printf("%*s", (int)(o->col_width[i] + 1 -
				    text_width(row[i].text)), "");
		column += o->col_width[i] + 1;
	}
	putchar('\n');
}

/* A line of its own is a row without second cell. */
static bool is_line(const struct out_cell *row)
{
	return !row[1].text;
}

static void put_line(const struct out *o, const struct out_cell *row)
{
	put(o, row->color, row->text, strlen(row->text));
	putchar('\n');
}

static void put_header(struct out *o)
{
	struct out_cell row[OUT_COLUMNS];

	if (o->header_done)
		return;
	for (size_t i = 0; i < o->ncolumns; i++)
		row[i] = (struct out_cell){ (char *)o->column[i], COLOR_NONE };
	put_row(o, row, o->ncolumns);
	o->header_done = true;
}

static void free_row(struct out_cell *row, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(row[i].text);
		row[i].text = NULL;
	}
}

void out_flush(struct out *o)
{
	if (!o->json && o->ncolumns)
		put_header(o);
	for (size_t i = 0; i < o->nrows; i++) {
		if (is_line(o->rows[i]))
			put_line(o, o->rows[i]);
		else
			put_row(o, o->rows[i], o->ncolumns);
		free_row(o->rows[i], OUT_COLUMNS);
	}
	o->nrows = 0;
	fflush(stdout);
}

bool out_finish(struct out *o)
{
	out_flush(o);
	free(o->rows);
	o->rows = NULL;
	return !ferror(stdout) && !fclose(stdout);
}

static void keep_row(struct out *o, const struct out_cell *row, size_t n)
{
	make_room(&o->rows, &o->rows_room, o->nrows, sizeof(*o->rows));
	memset(o->rows[o->nrows], 0, sizeof(*o->rows));
	memcpy(o->rows[o->nrows++], row, n * sizeof(*row));
	if (o->stream)
		out_flush(o);
}

static void end_row(struct out *o)
{
	while (o->ncells < o->ncolumns)
		o->row[o->ncells++] = (struct out_cell){ xstrdup(""), COLOR_NONE };
	for (size_t i = 0; i < o->ncells; i++)
		o->col_width[i] = max(o->col_width[i],
				      text_width(o->row[i].text));
	keep_row(o, o->row, o->ncells);
	o->ncells = 0;
}

static void add_cell(struct out *o, const char *text)
{
	if (!text || o->json || o->ncells == o->ncolumns)
		return;
	o->row[o->ncells++] = (struct out_cell){ xstrdup(text), o->next_color };
	o->next_color = COLOR_NONE;
}

void out_color(struct out *o, enum color color)
{
	o->next_color = color;
}

void out_line(struct out *o, enum color color, const char *line)
{
	struct out_cell cell = { .color = color };

	if (o->json)
		return;
	cell.text = xstrdup(line);
	keep_row(o, &cell, 1);
}

/* ---- JSON ---- */

static void add_member(struct out *o, const char *key, struct json_object *val)
{
	struct json_object *to = o->stack[o->depth - 1];

	if (json_object_is_type(to, json_type_array))
		json_object_array_add(to, val);
	else
		json_object_object_add(to, key, val);
}

static bool wants(const struct out *o, const char *key)
{
	return o->json && o->depth &&
	       (key || json_object_is_type(o->stack[o->depth - 1],
					   json_type_array));
}

void out_str(struct out *o, const char *key, const char *cell, const char *val)
{
	if (wants(o, key))
		add_member(o, key, val ? json_object_new_string(val) : NULL);
	add_cell(o, cell);
}

void out_u64(struct out *o, const char *key, const char *cell, uint64_t val)
{
	if (wants(o, key))
		add_member(o, key, json_object_new_uint64(val));
	add_cell(o, cell);
}

void out_bool(struct out *o, const char *key, const char *cell, bool val)
{
	if (wants(o, key))
		add_member(o, key, json_object_new_boolean(val));
	add_cell(o, cell);
}

void out_null(struct out *o, const char *key)
{
	if (wants(o, key))
		add_member(o, key, NULL);
}

static void open_member(struct out *o, const char *key, struct json_object *val)
{
	if (o->depth)
		add_member(o, key, val);
	o->stack[o->depth++] = val;
}

void out_open(struct out *o, const char *key)
{
	if (o->json)
		open_member(o, key, json_object_new_object());
}

void out_open_array(struct out *o, const char *key)
{
	if (o->json)
		open_member(o, key, json_object_new_array());
}

void out_close(struct out *o)
{
	if (o->json)
		o->depth--;
}

void out_begin(struct out *o)
{
	out_open(o, NULL);
}

void out_end(struct out *o)
{
	int flags = JSON_C_TO_STRING_NOSLASHESCAPE;

	if (!o->json) {
		end_row(o);
		return;
	}
	flags |= o->pretty ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED :
		 JSON_C_TO_STRING_PLAIN;
	puts(json_object_to_json_string_ext(o->stack[0], flags));
	json_object_put(o->stack[0]);
	o->depth = 0;
	if (o->stream)
		fflush(stdout);
}
