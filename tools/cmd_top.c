// SPDX-License-Identifier: GPL-2.0
/* top: a live table of states, ports and owners. */
#include "tcptrail.h"

#ifdef HAVE_CURSES
#include <curses.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <time.h>
#include <unistd.h>

#include "draw_stuck.h"
#include "rows.h"
#include "signals.h"
#include "state.h"
#include "top_page.h"

#define REFRESH_NS	(2 * NSEC_PER_SEC)
#define HEAD_LINES	3
#define FILTER_MAX	200
#define KEY_ESCAPE	27
#define NARROW		100	/* columns; from there on owners get more room */

enum mode {
	MODE_TABLE,
	MODE_FILTER,	/* a filter is being typed */
	MODE_PAGE,	/* about one connection */
};

/**
 * struct top - what is on the screen
 * @taken_ns: CLOCK_BOOTTIME of the look, @elapsed_ns: since the one before
 * @cursor: the chosen row, @first: the one at the top
 * @filter: typed here, besides that of the command line; NULL: none
 * @words: what has been typed, @nwords characters
 * @message: instead of the help, until the next key
 */
struct top {
	const struct opts *opts;
	enum mode mode;
	struct look look;
	struct rows rows, old;
	enum row_order order;
	uint64_t taken_ns, elapsed_ns;
	size_t cursor, first;
	struct filter *filter;
	char words[FILTER_MAX];
	size_t nwords;
	char message[256];
	struct page page;
	bool quit;
};

static const char *const order_names[] = {
	[ROWS_BY_FINDING] = "stuck", [ROWS_BY_COUNT] = "number",
	[ROWS_BY_AGE] = "age", [ROWS_BY_STATE] = "state",
};

/* ---- data ---- */

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

static void take(struct top *t)
{
	struct filter both = { .op = FILTER_AND, .a = t->opts->filter,
			       .b = t->filter };
	bool first = !t->taken_ns;
	uint64_t before_ns = t->taken_ns;

	rows_free(&t->old);
	t->old = t->rows;
	if (!first)
		look_free(&t->look);
	look_take(&t->look, NULL);
	t->taken_ns = now();
	t->elapsed_ns = t->taken_ns - before_ns;
	rows_make(&t->rows, &t->look, &both, t->opts->over_ns ? t->opts->over_ns :
		  STUCK_OVER_NS);
	rows_compare(&t->rows, first ? &t->rows : &t->old);
	rows_sort(&t->rows, t->order);
}

/* ---- the screen ---- */

static void put(int line, int attr, const char *text)
{
	attrset(attr);
	mvaddnstr(line, 0, text, COLS);
	attrset(0);
	clrtoeol();
}

static int rule_attr(const struct row *row)
{
	if (!row->stuck)
		return row->rule ? A_DIM : 0;
	return COLOR_PAIR(row->rule->waits == WAITS_PROGRAM ? 1 : 2);
}

static void owner_of(char *buf, size_t size, const struct row *row)
{
	char comm[FORMAT_MAX];

	*buf = 0;
	if (row->pid)
		snprintf(buf, size, "%u %.16s", row->pid,
			 format_comm(comm, row->key.owner));
	else if (*row->key.owner)
		snprintf(buf, size, "%.16s", format_comm(comm, row->key.owner));
}

/* How the number changes; nothing if it does not. */
static void change_of(char *buf, size_t size, const struct top *t,
		      const struct row *row)
{
	double rate = ((double)row->n - row->before) * NSEC_PER_SEC /
		      max(t->elapsed_ns, 1);

	*buf = 0;
	if (row->n != row->before)
		snprintf(buf, size, "%+.1f", rate);
}

static int owner_width(void)
{
	return COLS < NARROW ? 15 : 24;
}

static void put_row(const struct top *t, size_t i, int line)
{
	const struct row *row = &t->rows.row[i];
	char age[FORMAT_MAX], port[16], owner[64], change[32], text[512];
	int wide = owner_width();

	age_text(age, &row->oldest);
	owner_of(owner, sizeof(owner), row);
	change_of(change, sizeof(change), t, row);
	snprintf(port, sizeof(port), "%s%u", row->key.passive ? ":" : "to ",
		 row->key.port);
	snprintf(text, sizeof(text), "%-11.11s %-8s %-*.*s %6zu %6s %7s %s",
		 state_name(row->key.state), port, wide, wide, owner, row->n,
		 change, age, row->rule ? row->rule->title : "");
	put(line, rule_attr(row) | (i == t->cursor ? A_REVERSE : 0), text);
}

static void put_head(const struct top *t)
{
	size_t sockets = 0, stuck = 0;
	char text[512];

	for (size_t i = 0; i < t->rows.n; i++) {
		sockets += t->rows.row[i].n;
		stuck += t->rows.row[i].stuck;
	}
	snprintf(text, sizeof(text), "%zu socket%s, %zu stuck; sorted by %s%s%s%s%s",
		 sockets, sockets == 1 ? "" : "s", stuck, order_names[t->order],
		 t->filter ? "; only " : "", t->filter ? t->words : "",
		 t->look.facts.module ? "" : "; ",
		 t->look.facts.module ? "" : t->look.facts.why);
	put(0, A_BOLD, text);
	if (t->mode == MODE_FILTER)
		snprintf(text, sizeof(text), "filter, as in ss: %s", t->words);
	else
		snprintf(text, sizeof(text), "%s", *t->message ? t->message :
			 "q quit  s sort  / filter  arrows choose  Enter opens the oldest of a line");
	put(1, 0, text);
	snprintf(text, sizeof(text), "%-11s %-8s %-*s %6s %6s %7s %s", "STATE",
		 "PORT", owner_width(), "OWNER", "N", "+/s", "OLDEST", "FINDING");
	put(2, A_UNDERLINE, text);
}

static size_t room(void)
{
	return LINES > HEAD_LINES ? LINES - HEAD_LINES : 1;
}

static void draw_table(struct top *t)
{
	if (t->cursor >= t->rows.n)
		t->cursor = t->rows.n ? t->rows.n - 1 : 0;
	t->first = min(t->first, t->cursor);
	if (t->cursor >= t->first + room())
		t->first = t->cursor - room() + 1;
	put_head(t);
	for (size_t i = 0; i < room() && t->first + i < t->rows.n; i++)
		put_row(t, t->first + i, HEAD_LINES + i);
	curs_set(t->mode == MODE_FILTER);
	if (t->mode == MODE_FILTER)
		move(1, min(COLS - 1, (int)(19 + t->nwords)));
}

static size_t page_room(void)
{
	return LINES > 1 ? LINES - 1 : 1;
}

static void draw_page(struct top *t)
{
	struct page *p = &t->page;

	page_move(p, 0, page_room());
	for (size_t i = 0; i < page_room() && p->first + i < p->n; i++)
		put(i, 0, p->line[p->first + i]);
	put(LINES - 1, A_BOLD, "q back  arrows scroll");
}

static void draw(struct top *t)
{
	erase();
	if (t->mode == MODE_PAGE)
		draw_page(t);
	else
		draw_table(t);
	refresh();
}

/* ---- keys ---- */

static void set_filter(struct top *t)
{
	char error[200] = "", words[FILTER_MAX], *list = words;
	struct filter *f;

	memcpy(words, t->words, sizeof(words));
	f = filter_parse(&list, *words ? 1 : 0, error, sizeof(error));
	snprintf(t->message, sizeof(t->message), "%s", error);
	if (*error)
		return;
	filter_free(t->filter);
	t->filter = f;
	take(t);
}

static void on_filter_key(struct top *t, int key)
{
	if (key == '\n' || key == KEY_ENTER || key == KEY_ESCAPE) {
		t->mode = MODE_TABLE;
		if (key == KEY_ESCAPE)
			t->words[t->nwords = 0] = 0;
		set_filter(t);
	} else if (key == KEY_BACKSPACE || key == 127 || key == '\b') {
		t->nwords -= t->nwords > 0;
		t->words[t->nwords] = 0;
	} else if (key >= ' ' && key < 127 && t->nwords < FILTER_MAX - 1) {
		t->words[t->nwords++] = key;
		t->words[t->nwords] = 0;
	}
}

static void on_page_key(struct top *t, int key)
{
	switch (key) {
	case 'q':
	case KEY_ESCAPE:
	case '\n':
	case KEY_ENTER:
		page_free(&t->page);
		t->mode = MODE_TABLE;
		break;
	case KEY_UP:
	case 'k':
		page_move(&t->page, -1, page_room());
		break;
	case KEY_DOWN:
	case 'j':
		page_move(&t->page, 1, page_room());
		break;
	case KEY_PPAGE:
		page_move(&t->page, -(int)page_room(), page_room());
		break;
	case KEY_NPAGE:
	case ' ':
		page_move(&t->page, page_room(), page_room());
		break;
	}
}

static void open_page(struct top *t)
{
	uint32_t oldest;

	if (t->cursor >= t->rows.n)
		return;
	oldest = t->rows.row[t->cursor].oldest_sock;
	page_about(&t->page, t->look.diag.sock[oldest].who.cookie, COLS);
	t->mode = MODE_PAGE;
}

static void on_table_key(struct top *t, int key)
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
		t->mode = MODE_FILTER;
		t->words[t->nwords = 0] = 0;
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
		open_page(t);
		break;
	}
}

static void on_key(struct top *t, int key)
{
	static void (*const modes[])(struct top *, int) = {
		[MODE_TABLE] = on_table_key, [MODE_FILTER] = on_filter_key,
		[MODE_PAGE] = on_page_key,
	};

	modes[t->mode](t, key);
}

/* ---- the terminal ---- */

static int real_stderr = -1;

/* What was said meanwhile is told when the screen is gone. */
static void end_curses(void)
{
	char buf[4096];
	ssize_t n;

	if (!isendwin())
		endwin();
	if (real_stderr < 0)
		return;
	fflush(stderr);
	lseek(STDERR_FILENO, 0, SEEK_SET);
	while ((n = read(STDERR_FILENO, buf, sizeof(buf))) > 0)
		if (write(real_stderr, buf, n) != n)
			break;
	dup2(real_stderr, STDERR_FILENO);
	real_stderr = -1;
}

static void hide_stderr(void)
{
	int fd = memfd_create("stderr", MFD_CLOEXEC);

	if (fd < 0)
		return;
	real_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	if (real_stderr >= 0)
		dup2(fd, STDERR_FILENO);
	close(fd);
}

static void start_curses(void)
{
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		errx(ST_USAGE, "top needs a terminal; without one: tcptrail stuck --watch");
	/* Not initscr(), which ends the program itself. */
	if (!newterm(NULL, stdout, stdin))
		errx(ST_ERROR, "this terminal can't be used (TERM=%s)",
		     getenv("TERM") ? getenv("TERM") : "");
	/* errx() in the middle of it must not leave a mess, either. */
	atexit(end_curses);
	hide_stderr();
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	set_escdelay(25);
	curs_set(0);
	timeout(0);
	if (has_colors() && !(getenv("NO_COLOR") && *getenv("NO_COLOR"))) {
		start_color();
		use_default_colors();
		init_pair(1, COLOR_RED, -1);
		init_pair(2, COLOR_YELLOW, -1);
	}
}

/*
 * Until a key may be there or it is time to look again. Signals, that of a
 * new size too, are let in here.
 */
static bool wait_key(const struct top *t)
{
	uint64_t due_ns = t->taken_ns + REFRESH_NS, now_ns = now();
	uint64_t left_ns = due_ns > now_ns ? due_ns - now_ns : 0;
	struct timespec ts = { left_ns / NSEC_PER_SEC, left_ns % NSEC_PER_SEC };
	sigset_t none;
	fd_set in;

	FD_ZERO(&in);
	FD_SET(STDIN_FILENO, &in);
	sigemptyset(&none);
	return pselect(1, &in, NULL, NULL, &ts, &none) > 0;
}

/* False: the terminal is gone; it answers at once, with nothing. */
static bool take_keys(struct top *t, bool promised)
{
	int key = getch();

	if (key == ERR)
		return !promised;
	for (; key != ERR && !t->quit; key = getch())
		on_key(t, key);
	return true;
}

static void run(struct top *t)
{
	bool woken;

	take(t);
	do {
		draw(t);
		woken = wait_key(t);
		if (!take_keys(t, woken))
			break;
		if (now() >= t->taken_ns + REFRESH_NS && t->mode == MODE_TABLE)
			take(t);
	} while (!t->quit && !signals_stop());
}

int cmd_top(const struct opts *opts)
{
	struct top t = { .opts = opts };

	signals_catch();
	signals_catch_quit();
	start_curses();
	run(&t);
	end_curses();
	page_free(&t.page);
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
