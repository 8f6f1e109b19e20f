// SPDX-License-Identifier: GPL-2.0
/*
 * One page that needs nothing else: html/page.css and html/page.js, which the
 * build turns into strings, and the data as JSON. The ladders in it are the
 * shapes that the other pictures are made of, so the page lays nothing out.
 *
 * Names that processes chose are in the JSON only, where json_add_string()
 * leaves no way out, and the page puts them into the document as text.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "export.h"
#include "json_text.h"
#include "state.h"

static const char style[] =
#include "page.css.inc"
;

static const char script[] =
#include "page.js.inc"
;

static void add_shape(struct text *t, const struct shape *s)
{
	text_add(t, "[%d,%d,%.4g,%.5g,%.4g,%.5g,%.4g,%d", s->kind, s->ink,
		 s->x, s->y, s->w, s->h, s->size, s->dashed | s->bold << 1);
	if (s->text) {
		text_add(t, ",");
		json_add_string(t, s->text);
	}
	text_add(t, "]");
}

static void add_pict(struct text *t, const struct pict *p)
{
	text_add(t, "{\"w\":%.0f,\"h\":%.0f,\"s\":[", p->width, p->height);
	for (size_t i = 0; i < p->n; i++) {
		text_add(t, "%s", i ? "," : "");
		add_shape(t, &p->shape[i]);
	}
	text_add(t, "]}");
}

static void add_member(struct text *t, const char *key, const char *val)
{
	text_add(t, "\"%s\":", key);
	json_add_string(t, val);
	text_add(t, ",");
}

/* [state, when, how long or null, cause, by]; times from the first of all */
static void add_visit(struct text *t, const struct export *e,
		      const struct conn *c, const struct visit *v)
{
	const struct tcptrail_task *task = v->step ?
					   conn_step_task(c, v->step) : NULL;
	char buf[FORMAT_MAX];

	text_add(t, "[%u,%" PRIu64 ",", v->state, v->ts_ns);
	if (v->has_length)
		text_add(t, "%" PRIu64 ",", v->length_ns);
	else
		text_add(t, "null,");
	json_add_string(t, v->missing ? "! steps missing before" :
			v->step ? cause_phrase(v->cause) : "");
	text_add(t, ",");
	json_add_string(t, task ? task_text(buf, task, e->p.live) : "");
	text_add(t, "]");
}

static void add_visits(struct text *t, const struct export *e,
		       const struct conn *c)
{
	struct timeline *tl = xzalloc(sizeof(*tl));

	conn_timeline(c, tl);
	text_add(t, "\"visits\":[");
	for (size_t i = 0; i < tl->n; i++) {
		text_add(t, "%s", i ? "," : "");
		add_visit(t, e, c, &tl->v[i]);
	}
	text_add(t, "]");
	free(tl);
}

static void add_conn(struct text *t, const struct export *e,
		     const struct conn *c, size_t ladder)
{
	char buf[FORMAT_MAX];

	text_add(t, "{");
	add_member(t, "id", format_id(buf, c->cookie));
	add_member(t, "local", format_local(buf, c));
	add_member(t, "remote", conn_is_listener(c) ? "" :
		   format_remote(buf, c));
	add_member(t, "owner", owner_text(buf, c, e->p.live));
	add_member(t, "history", completeness_name(conn_completeness(c)));
	add_member(t, "arrow", conn_arrow(c));
	text_add(t, "\"state\":%u,\"open\":%d,\"stuck\":%d,",
		 conn_state(c), !conn_ended(c),
		 conn_waits(c, e->p.now_ns, e->over_ns));
	if (ladder != SIZE_MAX)
		text_add(t, "\"ladder\":%zu,", ladder);
	add_visits(t, e, c);
	text_add(t, "}");
}

/* Which ladder shows connection @i: that of its other end, if it came first. */
static size_t *number_ladders(const struct export *e, size_t *n)
{
	size_t *of = xzalloc((e->n + 1) * sizeof(*of));

	*n = 0;
	for (size_t i = 0; i < e->n; i++) {
		const struct conn *c = e->conn[i];

		if (conn_is_listener(c))
			of[i] = SIZE_MAX;
		else if (i && c->peer && e->conn[i - 1] == c->peer)
			of[i] = of[i - 1];
		else
			of[i] = (*n)++;
	}
	return of;
}

static void add_ladders(struct text *t, const struct export *e,
			const size_t *of)
{
	size_t next = 0;

	text_add(t, ",\n\"ladders\":[");
	for (size_t i = 0; i < e->n; i++) {
		struct picture p = export_picture(e, e->conn[i]);
		struct pict pict;

		if (of[i] != next)
			continue;
		text_add(t, "%s\n", next++ ? "," : "");
		pict_ladder(&pict, &p, e->conn[i]);
		add_pict(t, &pict);
		pict_free(&pict);
	}
	text_add(t, "]");
}

static void add_states(struct text *t)
{
	text_add(t, ",\n\"inks\":[");
	for (int ink = 0; ink < INK_END; ink++)
		text_add(t, "%s[\"%s\",\"%s\"]", ink ? "," : "",
			 ink_style(ink)->name, ink_style(ink)->color);
	text_add(t, "],\"firstState\":%d", INK_STATE);
}

static void add_data(struct text *t, const struct export *e)
{
	struct overview o = { .p = &e->p, .conn = e->conn, .n = e->n,
			      .over_ns = e->over_ns,
			      .lost = e->m->unrecovered };
	struct pict pict;
	size_t nladders, *of = number_ladders(e, &nladders);

	pict_overview(&pict, &o);
	text_add(t, "{\"now\":%" PRIu64 ",\"offset\":%" PRId64 ",\"live\":%d,\"lost\":%" PRIu64,
		 e->p.now_ns, e->p.clock.real_ns, e->p.live, e->m->unrecovered);
	add_states(t);
	text_add(t, ",\n\"summary\":");
	add_pict(t, &pict);
	pict_free(&pict);
	text_add(t, ",\n\"conns\":[");
	for (size_t i = 0; i < e->n; i++) {
		text_add(t, "%s\n", i ? "," : "");
		add_conn(t, e, e->conn[i], of[i]);
	}
	text_add(t, "]");
	add_ladders(t, e, of);
	text_add(t, "}");
	free(of);
}

int export_html(const struct export *e, int fd)
{
	struct text t = { 0 };
	int error;

	/* No network, whatever is in it. */
	text_add(&t, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		 "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n"
		 "<title>tcptrail</title>\n<style>\n%s</style>\n</head>\n<body>\n"
		 "<script id=\"data\" type=\"application/json\">\n", style);
	add_data(&t, e);
	text_add(&t, "\n</script>\n<script>\n%s</script>\n</body>\n</html>\n",
		 script);
	error = write_all(fd, t.s, t.len);
	text_free(&t);
	return error;
}
