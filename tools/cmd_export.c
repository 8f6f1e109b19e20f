// SPDX-License-Identifier: GPL-2.0
/* export: pictures, for people who would rather look than read. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "export.h"
#include "reader.h"
#include "show.h"

/* As stuck has it, see verdict.h. */
#define OVER_NS		(5 * NSEC_PER_SEC)

int write_all(int fd, const char *s, size_t n)
{
	while (n) {
		ssize_t done = write(fd, s, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return errno;
		s += done;
		n -= done;
	}
	return 0;
}

struct picture export_picture(const struct export *e, const struct conn *c)
{
	struct picture p = e->p;

	p.clock.first_ns = p.clock.last_ns = show_pair_birth(c);
	return p;
}

static void layout(const struct export *e, struct pict *pict)
{
	struct overview o = { .p = &e->p, .conn = e->conn, .n = e->n,
			      .over_ns = e->over_ns,
			      .lost = e->m->unrecovered };
	struct picture p;

	if (e->one && !conn_is_listener(e->one)) {
		p = export_picture(e, e->one);
		pict_ladder(pict, &p, e->one);
	} else {
		pict_overview(pict, &o);
	}
}

static int write_picture(const struct export *e, enum export_kind kind, int fd)
{
	struct pict pict;
	char id[FORMAT_MAX], title[2 * FORMAT_MAX] = "tcptrail";
	int error;

	layout(e, &pict);
	if (e->one) {
		strcat(title, " ");
		strcat(title, format_id(id, e->one->cookie));
	}
	error = kind == EXPORT_PNG ? pict_write_png(&pict, fd) :
		kind == EXPORT_PDF ? pict_write_pdf(&pict, fd) :
		pict_write_svg(&pict, title, fd);
	pict_free(&pict);
	return error;
}

static int write_kind(const struct export *e, enum export_kind kind, int fd)
{
	switch (kind) {
	case EXPORT_HTML:
		return export_html(e, fd);
	case EXPORT_CHROME:
		return export_chrome(e, fd);
	case EXPORT_MERMAID:
		return export_mermaid(e, fd);
	default:
		return write_picture(e, kind, fd);
	}
}

/* A picture tells what the recording tells, so it is for the same readers. */
static int open_file(const char *name)
{
	int fd;

	if (!strcmp(name, "-"))
		return STDOUT_FILENO;
	fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		err(ST_ERROR, "%s", name);
	return fd;
}

static void write_file(const struct export *e, enum export_kind kind,
		       const char *name)
{
	int fd = open_file(name);
	int error = write_kind(e, kind, fd);

	if (!error && fd != STDOUT_FILENO && close(fd))
		error = errno;
	if (!error)
		return;
	errno = error;
	if (error == EOVERFLOW)
		errx(ST_ERROR, "%s: the picture is too large for this kind of file; use a filter, --svg or --html",
		     name);
	err(ST_ERROR, "%s", name);
}

static void check_options(const struct opts *opts)
{
	const char *why = pict_no_cairo();
	size_t kinds = 0;

	for (size_t i = 0; i < EXPORT_KINDS; i++)
		kinds += !!opts->to[i];
	if (!kinds)
		errx(ST_USAGE, "export wants a file to write: --svg, --png, --pdf, --html, --chrome or --mermaid FILE");
	if (why && (opts->to[EXPORT_PNG] || opts->to[EXPORT_PDF]))
		errx(ST_ERROR, "%s", why);
	if (opts->to[EXPORT_MERMAID] && !opts->cookie)
		errx(ST_USAGE, "--mermaid draws one connection: give its sk:ID");
}

static const struct conn *only_one(const struct opts *opts,
				   const struct export *e)
{
	if (!opts->cookie || !e->n)
		return NULL;
	if (e->n > 1 && !opts->quiet)
		warnx("sk:%" PRIx64 " has had %zu connections; this is the last",
		      opts->cookie, e->n);
	return e->conn[e->n - 1];
}

static void export_all(const struct opts *opts, const struct source *src,
		       const struct merge *m, uint64_t over_ns)
{
	struct export e = { .m = m, .over_ns = over_ns ? over_ns : OVER_NS };
	const struct conn **list;

	e.p.now_ns = reader_now(src, m);
	e.p.live = src->live;
	e.p.clock.mode = opts->time_given ? opts->time : TIME_REL;
	e.p.clock.real_ns = src->info.real_ns - src->info.boot_ns;
	list = show_choose(opts, m, e.p.now_ns, &e.n);
	e.conn = list;
	if (opts->last >= 0 && (size_t)opts->last < e.n) {
		e.conn += e.n - opts->last;
		e.n = opts->last;
	}
	e.one = only_one(opts, &e);
	if (opts->to[EXPORT_MERMAID] && (!e.one || conn_is_listener(e.one)))
		errx(ST_USAGE, "--mermaid draws one connection, and sk:%" PRIx64 " listens",
		     opts->cookie);
	for (int kind = 0; kind < EXPORT_KINDS; kind++)
		if (opts->to[kind])
			write_file(&e, kind, opts->to[kind]);
	free(list);
}

int cmd_export(const struct opts *opts)
{
	/* --over says what is stuck here, not what is shown. */
	struct opts choice = *opts;
	struct source *src;
	struct merge m;
	int status;

	check_options(opts);
	choice.over_ns = 0;
	src = source_open(opts->in, ST_ERROR);
	show_read(&choice, src, &m);
	export_all(&choice, src, &m, opts->over_ns);
	if (!opts->quiet)
		reader_complain(src, &m, opts->verbose);
	status = merge_incomplete(&m) ? ST_INCOMPLETE : ST_OK;
	merge_free(&m);
	source_close(src);
	return status;
}
