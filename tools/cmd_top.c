// SPDX-License-Identifier: GPL-2.0
/* top: a live table of states, ports and owners. */
#include "tcptrail.h"

#ifdef HAVE_CURSES
#include <curses.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <unistd.h>

#include "draw_stuck.h"
#include "rows.h"
#include "signals.h"
#include "state.h"

#define REFRESH_S	2
#define HEAD_LINES	3
#define FILTER_MAX	200

/**
 * struct top - what is on the screen
 * @cursor: the chosen row, @first: the one at the top
 * @filter: typed here, NULL: that of the command line
 * @message: instead of the help, until the next key
 */
struct top {
	const struct opts *opts;
	struct look look;
	struct rows rows, old;
	enum row_order order;
	size_t cursor, first;
	struct filter *filter;
	char message[256];
	bool quit, taken;
};

static const char *const order_names[] = {
	[ROWS_BY_FINDING] = "findings", [ROWS_BY_COUNT] = "number",
	[ROWS_BY_AGE] = "age", [ROWS_BY_STATE] = "state",
};

/* ---- data ---- */

static void take(struct top *t)
{
	struct filter *f = t->filter ? t->filter : t->opts->filter;

	rows_free(&t->old);
	t->old = t->rows;
	if (t->taken)
		look_free(&t->look);
	look_take(&t->look, NULL);
	rows_make(&t->rows, &t->look, f, t->opts->over_ns ? t->opts->over_ns :
		  STUCK_OVER_NS);
	rows_compare(&t->rows, t->taken ? &t->old : &t->rows);
	rows_sort(&t->rows, t->order);
	t->taken = true;
}

/* ---- the screen ---- */

static int rule_attr(const struct row *row)
{
	if (!row->stuck)
		return row->rule ? A_DIM : 0;
	return COLOR_PAIR(row->rule->waits == WAITS_PROGRAM ? 1 : 2);
}

static void put(int line, int attr, const char *text)
{
	attrset(attr);
	mvaddnstr(line, 0, text, COLS);
	attrset(0);
	clrtoeol();
}

static void put_row(const struct top *t, size_t i, int line)
{
	const struct row *row = &t->rows.row[i];
	double rate = ((double)row->n - row->before) / REFRESH_S;
	char age[FORMAT_MAX], port[16], owner[64] = "", comm[FORMAT_MAX];
	char text[512], change[16] = "";

	age_text(age, &row->oldest);
	snprintf(port, sizeof(port), "%s%u", row->key.passive ? ":" : "to ",
		 row->key.port);
	if (row->pid)
		snprintf(owner, sizeof(owner), "%u %.16s", row->pid,
			 format_comm(comm, row->key.owner));
	else if (*row->key.owner)
		snprintf(owner, sizeof(owner), "%.16s",
			 format_comm(comm, row->key.owner));
	if (rate)
		snprintf(change, sizeof(change), "%+.1f", rate);
	snprintf(text, sizeof(text), "%-12.12s %-8s %-20.20s %6zu %7s %8s %s",
		 state_name(row->key.state), port, owner, row->n, change, age,
		 row->rule ? row->rule->title : "");
	put(line, rule_attr(row) | (i == t->cursor ? A_REVERSE : 0), text);
}

static void put_head(const struct top *t)
{
	size_t sockets = 0, stuck = 0;
	char text[256];

	for (size_t i = 0; i < t->rows.n; i++) {
		sockets += t->rows.row[i].n;
		stuck += t->rows.row[i].stuck;
	}
	snprintf(text, sizeof(text), "%zu sockets, %zu stuck, by %s%s%s%s",
		 sockets, stuck, order_names[t->order],
		 t->filter ? ", filtered" : "",
		 t->look.facts.module ? "" : ", ", t->look.facts.module ? "" :
		 t->look.facts.why);
	put(0, A_BOLD, text);
	put(1, 0, *t->message ? t->message :
	    "q quit  s sort  / filter  arrows choose  Enter history of the oldest");
	snprintf(text, sizeof(text), "%-12s %-8s %-20s %6s %7s %8s %s", "STATE",
		 "PORT", "OWNER", "N", "+/s", "OLDEST", "FINDING");
	put(2, A_UNDERLINE, text);
}

static void draw(struct top *t)
{
	size_t room = LINES > HEAD_LINES ? LINES - HEAD_LINES : 1;

	if (t->cursor >= t->rows.n)
		t->cursor = t->rows.n ? t->rows.n - 1 : 0;
	t->first = min(t->first, t->cursor);
	if (t->cursor >= t->first + room)
		t->first = t->cursor - room + 1;
	erase();
	put_head(t);
	for (size_t i = 0; i < room && t->first + i < t->rows.n; i++)
		put_row(t, t->first + i, HEAD_LINES + i);
	refresh();
}

/* ---- keys ---- */

/* One character after the other, so that signals are still heard. */
static void ask_filter(struct top *t)
{
	char words[FILTER_MAX] = "", error[200], *list = words;
	struct filter *f;

	timeout(-1);
	echo();
	mvaddstr(1, 0, "filter (as in ss): ");
	clrtoeol();
	getnstr(words, sizeof(words) - 1);
	noecho();
	timeout(0);
	f = filter_parse(&list, *words ? 1 : 0, error, sizeof(error));
	snprintf(t->message, sizeof(t->message), "%s", error);
	if (*error)
		return;
	filter_free(t->filter);
	t->filter = f;
	take(t);
}

/* Another tcptrail draws the ladder, on the plain terminal. */
static void show_one(struct top *t)
{
	char id[FORMAT_MAX];
	pid_t child;

	if (t->cursor >= t->rows.n)
		return;
	format_id(id, t->look.diag.sock[t->rows.row[t->cursor].oldest_sock]
		  .who.cookie);
	def_prog_mode();
	endwin();
	child = fork();
	if (!child) {
		signals_restore();
		execl("/proc/self/exe", "tcptrail", "show", id, NULL);
		_exit(ST_ERROR);
	}
	if (child > 0)
		waitpid(child, NULL, 0);
	printf("\nEnter goes back ");
	fflush(stdout);
	while (getchar() != '\n' && !feof(stdin))
		;
	clearerr(stdin);
	reset_prog_mode();
	clearok(stdscr, TRUE);
}

static void on_key(struct top *t, int key)
{
	t->message[0] = 0;
	switch (key) {
	case 'q':
		t->quit = true;
		break;
	case 's':
		t->order = (t->order + 1) % ROWS_ORDERS;
		rows_sort(&t->rows, t->order);
		break;
	case '/':
		ask_filter(t);
		break;
	case KEY_UP:
	case 'k':
		t->cursor -= t->cursor > 0;
		break;
	case KEY_DOWN:
	case 'j':
		t->cursor++;
		break;
	case '\n':
	case KEY_ENTER:
		show_one(t);
		break;
	}
}

/* True: a key may be there. False: the time is over, or a signal came. */
static bool wait_key(void)
{
	struct timespec ts = { .tv_sec = REFRESH_S };
	sigset_t none;
	fd_set in;

	FD_ZERO(&in);
	FD_SET(STDIN_FILENO, &in);
	sigemptyset(&none);
	return pselect(1, &in, NULL, NULL, &ts, &none) > 0 || errno == EINTR;
}

static void end_curses(void)
{
	if (!isendwin())
		endwin();
}

static void start_curses(void)
{
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		errx(ST_USAGE, "top needs a terminal; without one: tcptrail stuck --watch");
	if (!initscr())
		errx(ST_ERROR, "the terminal can't be used");
	/* errx() in the middle of it must not leave a mess, either. */
	atexit(end_curses);
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	curs_set(0);
	timeout(0);
	if (has_colors()) {
		start_color();
		use_default_colors();
		init_pair(1, COLOR_RED, -1);
		init_pair(2, COLOR_YELLOW, -1);
	}
}

/* A terminal that is gone answers at once, with nothing. */
static void run(struct top *t)
{
	int key;

	take(t);
	while (!t->quit && !signals_stop()) {
		bool woken;

		draw(t);
		errno = 0;
		woken = wait_key();
		if (!woken) {
			take(t);
			continue;
		}
		key = getch();
		if (key == ERR && !errno)
			break;
		for (; key != ERR && !t->quit; key = getch())
			on_key(t, key);
	}
}

int cmd_top(const struct opts *opts)
{
	struct top t = { .opts = opts };

	signals_catch();
	start_curses();
	run(&t);
	end_curses();
	rows_free(&t.rows);
	rows_free(&t.old);
	filter_free(t.filter);
	look_free(&t.look);
	return ST_OK;
}

#else

int cmd_top(const struct opts *opts)
{
	(void)opts;
	errx(ST_ERROR, "top was built without ncurses; tcptrail stuck --watch needs none");
}
#endif
