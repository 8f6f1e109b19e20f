// SPDX-License-Identifier: GPL-2.0
/* The ladder as a sequence diagram of Mermaid, which issue trackers draw. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "export.h"
#include "ladder.h"

static const char *const names[] = { [LEFT] = "C", [RIGHT] = "S" };

/* What could mean something to Mermaid is written as #NUMBER; */
static void add_safe(struct text *t, const char *s)
{
	for (; *s; s++) {
		unsigned char c = *s;

		if (isalnum(c) || c >= 0x80 || strchr(" ._+=()/,:@~!?*-[]", c))
			text_add(t, "%c", c);
		else
			text_add(t, "#%u;", c);
	}
}

static void add_participant(struct text *t, const struct ladder *l, int lane)
{
	char address[FORMAT_MAX];

	text_add(t, "    participant %s as ", names[lane]);
	add_safe(t, l->row[0].side[lane].s);
	text_add(t, "<br/>");
	if (l->conn[lane])
		add_safe(t, format_local(address, l->conn[lane]));
	else
		add_safe(t, format_remote(address, l->conn[!lane]));
	text_add(t, "\n");
}

static void add_note(struct text *t, int lane, const char *time, const char *s)
{
	text_add(t, "    Note %s of %s: ", lane == LEFT ? "left" : "right",
		 names[lane]);
	if (*time)
		add_safe(t, time);
	text_add(t, "%s", *time ? " " : "");
	add_safe(t, s);
	text_add(t, "\n");
}

static void add_row(struct text *t, const struct ladder *l, const struct row *r)
{
	struct clock clock = l->p->clock;
	char time[FORMAT_MAX] = "";

	if (r->ts_ns)
		format_time(time, &clock, r->ts_ns);
	for (int lane = LEFT; lane <= RIGHT; lane++)
		if (r->side[lane].len)
			add_note(t, lane, time, r->side[lane].s);
	if (r->to < 0)
		return;
	text_add(t, "    %s%s%s: ", names[!r->to], r->nowhere ? "-x" : "->>",
		 names[r->to]);
	add_safe(t, r->label.s);
	text_add(t, "\n");
}

int export_mermaid(const struct export *e, int fd)
{
	struct picture p = export_picture(e, e->one);
	struct text t = { 0 };
	struct ladder l;
	int error;

	ladder_build(&l, &p, e->one);
	text_add(&t, "sequenceDiagram\n");
	add_participant(&t, &l, LEFT);
	add_participant(&t, &l, RIGHT);
	for (size_t i = 1; i < l.n; i++)
		add_row(&t, &l, &l.row[i]);
	error = write_all(fd, t.s, t.len);
	text_free(&t);
	ladder_free(&l);
	return error;
}
