/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A picture as numbers: shapes, in the order in which they are drawn. Layouts
 * make it, the files pict_svg.c and pict_cairo.c and the HTML page draw it.
 * So what overlaps what can be asked without drawing. No I/O.
 *
 * Lengths are pixels of 1/96 inch; y grows downwards.
 */
#ifndef PICT_H
#define PICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conn;
struct picture;

/* What a shape means; one table in pict.c gives its name and colour. */
enum ink {
	INK_TEXT,
	INK_FAINT,	/* remarks */
	INK_PAPER,
	INK_AXIS,
	INK_LANE,
	INK_SEGMENT,
	INK_RESET,	/* a segment that is a reset */
	INK_LOST,	/* nobody is known to have got it */
	INK_HOLE,	/* something is missing */
	INK_STUCK,
	INK_STATE,	/* plus a state as shown, 0: unknown */
	INK_END = INK_STATE + 12,
};

enum shape_kind {
	SHAPE_RECT,
	SHAPE_LINE,	/* from (x, y) to (x + w, y + h) */
	SHAPE_HEAD,	/* of an arrow: at (x, y), pointing along (w, h) */
	SHAPE_TEXT,	/* in the box (x, y, w, h) */
};

/**
 * struct shape
 * @size: of a text: font size; of a line: its width
 * @text: SHAPE_TEXT; of others what to say when pointed at, or NULL
 * @ts_ns: of a state: when it began (CLOCK_BOOTTIME), 0: unknown
 * @length_ns: of a state, with @has_length
 */
struct shape {
	enum shape_kind kind;
	enum ink ink;
	bool dashed, bold, has_length;
	double x, y, w, h, size;
	char *text;
	uint64_t ts_ns, length_ns;
};

struct pict {
	double width, height;
	struct shape *shape;
	size_t n, room;
};

enum align {
	ALIGN_LEFT,
	ALIGN_CENTER,
	ALIGN_RIGHT,
};

#define PICT_FONT	12.0
#define PICT_SMALL	10.0
/* A line of text of PICT_FONT with what has to be around it. */
#define PICT_LINE	17.0

struct ink_style {
	const char *name;	/* class in SVG */
	const char *color;	/* "#rrggbb" */
};

const struct ink_style *ink_style(enum ink ink);
enum ink ink_of_state(unsigned int state);

/* Pointers are good until the next shape is added. */
struct shape *pict_rect(struct pict *p, enum ink ink, double x, double y,
			double w, double h);
struct shape *pict_line(struct pict *p, enum ink ink, double x1, double y1,
			double x2, double y2);
struct shape *pict_head(struct pict *p, enum ink ink, double x, double y,
			double dx, double dy);
/* @x: the left, middle or right of it, @y: its middle */
struct shape *pict_text(struct pict *p, enum ink ink, double size, double x,
			double y, enum align align, const char *text);
double text_extent(const char *text, double size);

/* What a shape says when pointed at; takes a copy. */
void shape_say(struct shape *s, const char *text);

/* The first two texts that overlap; false: none do. */
bool pict_overlap(const struct pict *p, const struct shape **a,
		  const struct shape **b);
void pict_free(struct pict *p);

/* ---- layouts ---- */

/* Two lanes and the segments between them. @p: now_ns, live, clock. */
void pict_ladder(struct pict *pict, const struct picture *p,
		 const struct conn *c);

/**
 * struct overview - what the overview is made of
 * @conn: connections, by birth
 * @over_ns: open and waiting for longer than that is stuck
 * @lost: records lost for good
 */
struct overview {
	const struct picture *p;
	const struct conn **conn;
	size_t n;
	uint64_t over_ns;
	uint64_t lost;
};

/* A bar for each connection, or for many a row for each group of them. */
void pict_overview(struct pict *pict, const struct overview *o);
/* It waits, for longer than @over_ns, for a program or a peer. */
bool conn_waits(const struct conn *c, uint64_t now_ns, uint64_t over_ns);

/* ---- files ---- */

/* Return 0 or an errno. */
int pict_write_svg(const struct pict *p, const char *title, int fd);
int pict_write_png(const struct pict *p, int fd);
int pict_write_pdf(const struct pict *p, int fd);
/* Why there are no PNG and PDF in this program, NULL: there are. */
const char *pict_no_cairo(void);

#endif
