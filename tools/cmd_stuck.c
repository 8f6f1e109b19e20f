// SPDX-License-Identifier: GPL-2.0
/* stuck: why sockets are stuck, since when, whose move it is, what to do. */
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <time.h>
#include <unistd.h>

#include "draw_stuck.h"
#include "signals.h"
#include "tcptrail.h"

#define WATCH_S		2

/* Of all that there is to know, what can't be known here. */
static void remark(const struct look *l)
{
	if (!l->facts.module)
		warnx("%s: ages marked ~ are estimates, and who opened and closed a connection is not known",
		      l->facts.why);
	if (l->own_only)
		warnx("only the sockets of this network namespace: you may not enter others");
	else if (l->unseen)
		warnx("%zu network namespaces could not be entered: the answer is incomplete",
		      l->unseen);
	if (l->holders.hidden)
		warnx("descriptors of %zu processes can't be read: their sockets show no holder",
		      l->holders.hidden);
	if (l->diag.interrupted)
		warnx("the kernel's tables changed while they were read: sockets may be missing");
	if (l->facts.lost)
		warnx("%" PRIu64 " records were lost before they were read: ages may be estimates",
		      l->facts.lost);
}

static bool incomplete(const struct look *l)
{
	return (l->unseen && !l->own_only) || l->diag.interrupted ||
	       l->diag.damaged;
}

static int look_once(const struct opts *opts, struct out *o, bool remarks)
{
	uint64_t over_ns = opts->over_ns ? opts->over_ns : STUCK_OVER_NS;
	struct groups gs;
	struct look l;
	int status;

	look_take(&l, NULL);
	groups_make(&gs, &l, opts->filter, over_ns);
	draw_stuck(o, &l, &gs, opts->extended);
	out_flush(o);
	if (remarks)
		remark(&l);
	status = groups_failing(&gs) ? ST_FOUND :
		 incomplete(&l) ? ST_INCOMPLETE : ST_OK;
	groups_free(&gs);
	look_free(&l);
	return status;
}

/* The signals are blocked but here. */
static bool pause_between(void)
{
	struct timespec ts = { .tv_sec = WATCH_S };
	sigset_t none;

	sigemptyset(&none);
	pselect(0, NULL, NULL, NULL, &ts, &none);
	return !signals_stop();
}

/* Over what was there before, no more than fits. */
static void put_screen(char *text)
{
	struct winsize ws = { .ws_row = 24 };
	char *rest = text, *line;
	int left;

	ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws);
	left = max(ws.ws_row, 3) - 2;
	fputs("\033[H", stdout);
	while (left-- > 0 && rest && *rest) {
		line = strsep(&rest, "\n");
		printf("%s\033[K\n", line);
	}
	fputs(rest && *rest ? "... more: tcptrail stuck shows it all\033[K\n" :
	      "\033[J", stdout);
	fflush(stdout);
}

/* Drawn in memory first, so that the screen is never empty meanwhile. */
static int look_on_screen(const struct opts *opts, struct out *o)
{
	FILE *screen = stdout;
	char *text = NULL;
	size_t size;
	int status;

	stdout = open_memstream(&text, &size);
	if (!stdout)
		err(ST_ERROR, "memory");
	status = look_once(opts, o, false);
	fclose(stdout);
	stdout = screen;
	put_screen(text);
	free(text);
	return status;
}

static int watch(const struct opts *opts, struct out *o)
{
	bool tty = !o->json && isatty(STDOUT_FILENO), first = true;
	int status;

	signals_catch();
	if (tty)
		fputs("\033[2J", stdout);
	do {
		if (!tty && !o->json && !first)
			out_line(o, COLOR_NONE, "");
		status = tty ? look_on_screen(opts, o) :
			 look_once(opts, o, first && !opts->quiet);
		first = false;
	} while (!ferror(stdout) && pause_between());
	return status;
}

int cmd_stuck(const struct opts *opts)
{
	struct out o;
	int status;

	out_init(&o, opts->json, opts->pretty, opts->color, opts->oneline);
	if (opts->watch)
		status = watch(opts, &o);
	else
		status = look_once(opts, &o, !opts->quiet);
	if (!out_finish(&o))
		err(ST_ERROR, "writing failed");
	return status;
}
