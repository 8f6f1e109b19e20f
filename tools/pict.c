// SPDX-License-Identifier: GPL-2.0
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <linux/tcptrail.h>

#include "pict.h"
#include "util.h"

/* DejaVu Sans Mono, Liberation Mono and Courier are all this wide. */
#define ADVANCE	0.6025

static const struct ink_style styles[INK_END] = {
	[INK_TEXT] = { "text", "#1f2328" },
	[INK_FAINT] = { "faint", "#656d76" },
	[INK_PAPER] = { "paper", "#ffffff" },
	[INK_AXIS] = { "axis", "#8c959f" },
	[INK_LANE] = { "lane", "#8c959f" },
	[INK_SEGMENT] = { "segment", "#1f2328" },
	[INK_RESET] = { "reset", "#a6218c" },
	[INK_LOST] = { "lost", "#a6218c" },
	[INK_HOLE] = { "hole", "#57606a" },
	[INK_STUCK] = { "stuck", "#cf222e" },
	/* Red: a program has to act, yellow: the peer, green: data flows. */
	[INK_STATE] = { "unknown", "#d0d7de" },
	[INK_STATE + TCPTRAIL_ESTABLISHED] = { "ESTABLISHED", "#4c9f64" },
	[INK_STATE + TCPTRAIL_SYN_SENT] = { "SYN_SENT", "#f5cf5b" },
	[INK_STATE + TCPTRAIL_SYN_RECV] = { "SYN_RECV", "#e9b44c" },
	[INK_STATE + TCPTRAIL_FIN_WAIT1] = { "FIN_WAIT1", "#d99136" },
	[INK_STATE + TCPTRAIL_FIN_WAIT2] = { "FIN_WAIT2", "#b9742b" },
	[INK_STATE + TCPTRAIL_TIME_WAIT] = { "TIME_WAIT", "#9fb3c8" },
	[INK_STATE + TCPTRAIL_CLOSE] = { "CLOSE", "#57606a" },
	[INK_STATE + TCPTRAIL_CLOSE_WAIT] = { "CLOSE_WAIT", "#d1383d" },
	[INK_STATE + TCPTRAIL_LAST_ACK] = { "LAST_ACK", "#c98b6b" },
	[INK_STATE + TCPTRAIL_LISTEN] = { "LISTEN", "#6c8ebf" },
	[INK_STATE + TCPTRAIL_CLOSING] = { "CLOSING", "#c2a33a" },
};

const struct ink_style *ink_style(enum ink ink)
{
	return &styles[ink < INK_END ? ink : INK_STATE];
}

enum ink ink_of_state(unsigned int state)
{
	return state < INK_END - INK_STATE ? INK_STATE + state : INK_STATE;
}

static struct shape *add(struct pict *p, enum shape_kind kind, enum ink ink)
{
	struct shape *s;

	make_room(&p->shape, &p->room, p->n, sizeof(*p->shape));
	s = &p->shape[p->n++];
	s->kind = kind;
	s->ink = ink;
	s->size = 1;
	return s;
}

struct shape *pict_rect(struct pict *p, enum ink ink, double x, double y,
			double w, double h)
{
	struct shape *s = add(p, SHAPE_RECT, ink);

	s->x = x;
	s->y = y;
	s->w = w;
	s->h = h;
	return s;
}

struct shape *pict_line(struct pict *p, enum ink ink, double x1, double y1,
			double x2, double y2)
{
	struct shape *s = add(p, SHAPE_LINE, ink);

	s->x = x1;
	s->y = y1;
	s->w = x2 - x1;
	s->h = y2 - y1;
	return s;
}

struct shape *pict_head(struct pict *p, enum ink ink, double x, double y,
			double dx, double dy)
{
	struct shape *s = add(p, SHAPE_HEAD, ink);
	double length = hypot(dx, dy);

	s->x = x;
	s->y = y;
	s->w = length ? dx / length : 1;
	s->h = length ? dy / length : 0;
	return s;
}

/* Characters, not bytes; all that is written here is one cell wide. */
double text_extent(const char *text, double size)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n * size * ADVANCE;
}

struct shape *pict_text(struct pict *p, enum ink ink, double size, double x,
			double y, enum align align, const char *text)
{
	struct shape *s = add(p, SHAPE_TEXT, ink);

	s->size = size;
	s->text = xstrdup(text);
	s->w = text_extent(text, size);
	s->h = size * 1.2;
	s->x = x - (align == ALIGN_RIGHT ? s->w :
		    align == ALIGN_CENTER ? s->w / 2 : 0);
	s->y = y - s->h / 2;
	return s;
}

void shape_say(struct shape *s, const char *text)
{
	free(s->text);
	s->text = xstrdup(text);
}

static int by_top(const void *a, const void *b)
{
	const struct shape *x = *(const struct shape *const *)a;
	const struct shape *y = *(const struct shape *const *)b;

	return x->y < y->y ? -1 : x->y > y->y;
}

static bool overlap(const struct shape *a, const struct shape *b)
{
	return a->x < b->x + b->w && b->x < a->x + a->w &&
	       a->y < b->y + b->h && b->y < a->y + a->h;
}

static size_t texts_of(const struct pict *p, const struct shape **list)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++)
		if (p->shape[i].kind == SHAPE_TEXT && p->shape[i].w > 0)
			list[n++] = &p->shape[i];
	qsort(list, n, sizeof(*list), by_top);
	return n;
}

bool pict_overlap(const struct pict *p, const struct shape **a,
		  const struct shape **b)
{
	const struct shape **list = xzalloc((p->n + 1) * sizeof(*list));
	size_t n = texts_of(p, list);
	bool found = false;

	for (size_t i = 0; i < n && !found; i++) {
		*a = list[i];
		for (size_t k = i + 1; k < n && !found; k++) {
			*b = list[k];
			if ((*b)->y >= (*a)->y + (*a)->h)
				break;
			found = overlap(*a, *b);
		}
	}
	free(list);
	return found;
}

void pict_free(struct pict *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->shape[i].text);
	free(p->shape);
	memset(p, 0, sizeof(*p));
}
