// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "format.h"
#include "signals.h"
#include "top_page.h"

/* A child that prints into @to, and has no terminal. */
static pid_t start(char *const *argv, int to, int columns)
{
	char width[16];
	pid_t child = fork();
	int null;

	if (child)
		return child;
	signals_restore();
	null = open("/dev/null", O_RDONLY);
	dup2(null, STDIN_FILENO);
	dup2(to, STDOUT_FILENO);
	dup2(to, STDERR_FILENO);
	snprintf(width, sizeof(width), "%d", columns);
	setenv("COLUMNS", width, 1);
	execv("/proc/self/exe", argv);
	_exit(ST_ERROR);
}

static void read_all(struct text *t, int from)
{
	char buf[4096];
	ssize_t n;

	while ((n = read(from, buf, sizeof(buf) - 1)) > 0 ||
	       (n < 0 && errno == EINTR)) {
		buf[max(n, 0)] = 0;
		text_add(t, "%s", buf);
	}
}

static void run(struct text *t, char *const *argv, int columns)
{
	pid_t child;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		return;
	child = start(argv, fds[1], columns);
	close(fds[1]);
	read_all(t, fds[0]);
	close(fds[0]);
	if (child > 0)
		while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
			;
}

static void split(struct page *p)
{
	char *rest = p->text, *line;
	size_t room = 0;

	while (rest && *rest) {
		line = strsep(&rest, "\n");
		make_room(&p->line, &room, p->n, sizeof(*p->line));
		p->line[p->n++] = line;
	}
}

void page_about(struct page *p, uint64_t cookie, int columns)
{
	char id[FORMAT_MAX];
	struct text t = { 0 };

	memset(p, 0, sizeof(*p));
	format_id(id, cookie);
	run(&t, (char *[]){ "tcptrail", "stuck", "-q", "--over", "1ns", "--id",
			    id, NULL }, columns);
	text_add(&t, "\n");
	run(&t, (char *[]){ "tcptrail", "show", id, NULL }, columns);
	p->text = xstrdup(t.s);
	text_free(&t);
	split(p);
}

void page_move(struct page *p, int lines, size_t room)
{
	long last = p->n > room ? p->n - room : 0;
	long to = (long)p->first + lines;

	p->first = to < 0 ? 0 : to > last ? last : to;
}

void page_free(struct page *p)
{
	free(p->text);
	free(p->line);
	memset(p, 0, sizeof(*p));
}
