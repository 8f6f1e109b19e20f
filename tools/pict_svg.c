// SPDX-License-Identifier: GPL-2.0
/*
 * Written by hand, because cairo turns text into outlines: then a picture
 * cannot be searched, read aloud or compared, and is ten times the size.
 */
#include <inttypes.h>
#include <stdio.h>

#include "export.h"
#include "util.h"

#define FONT	"'DejaVu Sans Mono','Liberation Mono',Consolas,Menlo,monospace"

/* Control characters are not allowed in XML, not even escaped. */
static void add_escaped(struct text *t, const char *s)
{
	for (; *s; s++) {
		if (*s == '<')
			text_add(t, "&lt;");
		else if (*s == '>')
			text_add(t, "&gt;");
		else if (*s == '&')
			text_add(t, "&amp;");
		else if (*s == '"')
			text_add(t, "&quot;");
		else if ((unsigned char)*s >= ' ' && *s != 0x7f)
			text_add(t, "%c", *s);
		else
			text_add(t, "?");
	}
}

static void add_class(struct text *t, const struct shape *s, const char *more)
{
	text_add(t, " class=\"%s%s%s%s\"", more,
		 ink_style(s->ink)->name, s->dashed ? " dashed" : "",
		 s->bold ? " bold" : "");
}

static void add_title(struct text *t, const struct shape *s, const char *tag)
{
	if (!s->text) {
		text_add(t, "/>\n");
		return;
	}
	text_add(t, "><title>");
	add_escaped(t, s->text);
	text_add(t, "</title></%s>\n", tag);
}

static void add_rect(struct text *t, const struct shape *s)
{
	text_add(t, "<rect");
	add_class(t, s, "");
	text_add(t, " x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"",
		 s->x, s->y, s->w, s->h);
	if (s->ts_ns)
		text_add(t, " data-ts=\"%" PRIu64 "\"", s->ts_ns);
	if (s->has_length)
		text_add(t, " data-ns=\"%" PRIu64 "\"", s->length_ns);
	add_title(t, s, "rect");
}

static void add_line(struct text *t, const struct shape *s)
{
	text_add(t, "<line");
	add_class(t, s, "");
	text_add(t, " x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke-width=\"%.1f\"",
		 s->x, s->y, s->x + s->w, s->y + s->h, s->size);
	add_title(t, s, "line");
}

static void add_head(struct text *t, const struct shape *s)
{
	double bx = s->x - 9 * s->w, by = s->y - 9 * s->h;

	text_add(t, "<path");
	add_class(t, s, "head ");
	text_add(t, " d=\"M%.1f,%.1fL%.1f,%.1fL%.1f,%.1fZ\"", s->x, s->y,
		 bx - 4 * s->h, by + 4 * s->w, bx + 4 * s->h, by - 4 * s->w);
	add_title(t, s, "path");
}

/* Whatever font there is, it gets no more room than the layout gave it. */
static void add_text(struct text *t, const struct shape *s)
{
	text_add(t, "<text");
	add_class(t, s, "");
	text_add(t, " x=\"%.1f\" y=\"%.1f\" font-size=\"%.0f\" textLength=\"%.1f\" lengthAdjust=\"spacingAndGlyphs\">",
		 s->x, s->y + s->h * 0.5 + s->size * 0.35, s->size, s->w);
	add_escaped(t, s->text);
	text_add(t, "</text>\n");
}

static void add_styles(struct text *t)
{
	text_add(t, "<style>\ntext{font-family:" FONT ";white-space:pre}\n"
		 ".bold{font-weight:bold}\n.dashed{stroke-dasharray:4 3}\n");
	for (int ink = 0; ink < INK_END; ink++) {
		const struct ink_style *style = ink_style(ink);

		text_add(t, ".%s{fill:%s}\nline.%s{stroke:%s}\n", style->name,
			 style->color, style->name, style->color);
	}
	/* Where it is not known how long a state lasted. */
	text_add(t, "rect.dashed{fill-opacity:.45;stroke:#57606a}\n</style>\n");
}

static void add_shape(struct text *t, const struct shape *s)
{
	switch (s->kind) {
	case SHAPE_RECT:
		add_rect(t, s);
		break;
	case SHAPE_LINE:
		add_line(t, s);
		break;
	case SHAPE_HEAD:
		add_head(t, s);
		break;
	case SHAPE_TEXT:
		add_text(t, s);
		break;
	}
}

int pict_write_svg(const struct pict *p, const char *title, int fd)
{
	struct text t = { 0 };
	int error;

	text_add(&t, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		 "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\">\n<title>",
		 p->width, p->height, p->width, p->height);
	add_escaped(&t, title);
	text_add(&t, "</title>\n");
	add_styles(&t);
	text_add(&t, "<rect class=\"paper\" width=\"100%%\" height=\"100%%\"/>\n");
	for (size_t i = 0; i < p->n; i++)
		add_shape(&t, &p->shape[i]);
	text_add(&t, "</svg>\n");
	error = write_all(fd, t.s, t.len);
	text_free(&t);
	return error;
}
