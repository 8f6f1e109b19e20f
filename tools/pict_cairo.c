// SPDX-License-Identifier: GPL-2.0
/* PNG and PDF. Without cairo the tool has everything but these. */
#include <errno.h>
#include <stdio.h>

#include "export.h"

#ifdef HAVE_CAIRO

#include <cairo.h>
#include <cairo-pdf.h>

/* Two pixels for each of the layout: sharp on paper and on dense screens. */
#define PNG_SCALE	2
/* cairo's images end at 32767 pixels. */
#define PNG_MAX		32000.0
/* Points of a PDF, 1/72 inch, for each pixel of 1/96. */
#define PDF_SCALE	0.75

const char *pict_no_cairo(void)
{
	return NULL;
}

static void set_ink(cairo_t *cr, enum ink ink, double alpha)
{
	unsigned int rgb = 0;

	sscanf(ink_style(ink)->color, "#%x", &rgb);
	cairo_set_source_rgba(cr, (rgb >> 16) / 255.0, (rgb >> 8 & 255) / 255.0,
			      (rgb & 255) / 255.0, alpha);
}

static void set_dash(cairo_t *cr, bool dashed)
{
	const double dashes[] = { 4, 3 };

	cairo_set_dash(cr, dashes, dashed ? 2 : 0, 0);
}

static void draw_rect(cairo_t *cr, const struct shape *s)
{
	cairo_rectangle(cr, s->x, s->y, s->w, s->h);
	set_ink(cr, s->ink, s->dashed ? 0.45 : 1);
	cairo_fill(cr);
	if (!s->dashed)
		return;
	cairo_rectangle(cr, s->x, s->y, s->w, s->h);
	set_ink(cr, INK_HOLE, 1);
	set_dash(cr, true);
	cairo_set_line_width(cr, 1);
	cairo_stroke(cr);
}

static void draw_stroke(cairo_t *cr, const struct shape *s)
{
	set_ink(cr, s->ink, 1);
	set_dash(cr, s->dashed);
	cairo_set_line_width(cr, s->size);
	cairo_move_to(cr, s->x, s->y);
	cairo_line_to(cr, s->x + s->w, s->y + s->h);
	cairo_stroke(cr);
}

static void draw_head(cairo_t *cr, const struct shape *s)
{
	double bx = s->x - 9 * s->w, by = s->y - 9 * s->h;

	set_ink(cr, s->ink, 1);
	cairo_move_to(cr, s->x, s->y);
	cairo_line_to(cr, bx - 4 * s->h, by + 4 * s->w);
	cairo_line_to(cr, bx + 4 * s->h, by - 4 * s->w);
	cairo_close_path(cr);
	cairo_fill(cr);
}

/* Fitted into its box, whatever font there is. */
static void draw_text(cairo_t *cr, const struct shape *s)
{
	cairo_text_extents_t extents;

	cairo_select_font_face(cr, "monospace", CAIRO_FONT_SLANT_NORMAL,
			       s->bold ? CAIRO_FONT_WEIGHT_BOLD :
			       CAIRO_FONT_WEIGHT_NORMAL);
	cairo_set_font_size(cr, s->size);
	cairo_text_extents(cr, s->text, &extents);
	set_ink(cr, s->ink, 1);
	cairo_save(cr);
	cairo_translate(cr, s->x, s->y + s->h * 0.5 + s->size * 0.35);
	if (extents.x_advance > s->w)
		cairo_scale(cr, s->w / extents.x_advance, 1);
	cairo_move_to(cr, 0, 0);
	cairo_show_text(cr, s->text);
	cairo_restore(cr);
}

static void draw(cairo_t *cr, const struct pict *p)
{
	cairo_font_options_t *font = cairo_font_options_create();

	/* As wide as the layout has it, not rounded to pixels. */
	cairo_font_options_set_hint_metrics(font, CAIRO_HINT_METRICS_OFF);
	cairo_font_options_set_hint_style(font, CAIRO_HINT_STYLE_NONE);
	cairo_set_font_options(cr, font);
	cairo_font_options_destroy(font);
	cairo_set_line_cap(cr, CAIRO_LINE_CAP_BUTT);
	set_ink(cr, INK_PAPER, 1);
	cairo_paint(cr);
	for (size_t i = 0; i < p->n; i++) {
		const struct shape *s = &p->shape[i];

		if (s->kind == SHAPE_RECT)
			draw_rect(cr, s);
		else if (s->kind == SHAPE_LINE)
			draw_stroke(cr, s);
		else if (s->kind == SHAPE_HEAD)
			draw_head(cr, s);
		else
			draw_text(cr, s);
	}
}

static cairo_status_t put(void *closure, const unsigned char *data,
			  unsigned int length)
{
	int error = write_all(*(int *)closure, (const char *)data, length);

	if (error) {
		errno = error;
		return CAIRO_STATUS_WRITE_ERROR;
	}
	return CAIRO_STATUS_SUCCESS;
}

/* Write errors keep their errno. */
static int error_of(cairo_status_t status)
{
	if (status == CAIRO_STATUS_SUCCESS)
		return 0;
	if (status == CAIRO_STATUS_WRITE_ERROR)
		return errno;
	return status == CAIRO_STATUS_NO_MEMORY ? ENOMEM : EOVERFLOW;
}

int pict_write_png(const struct pict *p, int fd)
{
	double longest = p->width > p->height ? p->width : p->height;
	double scale = longest * PNG_SCALE > PNG_MAX ? PNG_MAX / longest :
		       PNG_SCALE;
	cairo_surface_t *surface;
	cairo_status_t status;
	cairo_t *cr;

	surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24,
					     p->width * scale,
					     p->height * scale);
	cr = cairo_create(surface);
	cairo_scale(cr, scale, scale);
	draw(cr, p);
	status = cairo_status(cr);
	cairo_destroy(cr);
	if (!status)
		status = cairo_surface_write_to_png_stream(surface, put, &fd);
	cairo_surface_destroy(surface);
	return error_of(status);
}

int pict_write_pdf(const struct pict *p, int fd)
{
	cairo_surface_t *surface;
	cairo_status_t status;
	cairo_t *cr;

	surface = cairo_pdf_surface_create_for_stream(put, &fd,
						      p->width * PDF_SCALE,
						      p->height * PDF_SCALE);
	cr = cairo_create(surface);
	cairo_scale(cr, PDF_SCALE, PDF_SCALE);
	draw(cr, p);
	status = cairo_status(cr);
	cairo_destroy(cr);
	cairo_surface_finish(surface);
	if (!status)
		status = cairo_surface_status(surface);
	cairo_surface_destroy(surface);
	return error_of(status);
}

#else

const char *pict_no_cairo(void)
{
	return "this tcptrail was built without cairo (libcairo2-dev), which draws PNG and PDF; --svg and --html need none";
}

int pict_write_png(const struct pict *p, int fd)
{
	(void)p;
	(void)fd;
	return ENOSYS;
}

int pict_write_pdf(const struct pict *p, int fd)
{
	(void)p;
	(void)fd;
	return ENOSYS;
}

#endif
