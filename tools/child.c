// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "child.h"
#include "signals.h"
#include "util.h"

void child_start(struct child *c, char *const *argv)
{
	c->pid = fork();
	if (c->pid < 0)
		err(ST_RECORD, "cannot start %s", argv[0]);
	if (c->pid)
		return;
	signals_restore();
	execvp(argv[0], argv);
	warn("cannot run %s", argv[0]);
	_exit(errno == ENOENT ? ST_NOT_FOUND : ST_CANNOT_RUN);
}

bool child_over(struct child *c)
{
	int sig = signals_stop(), status;

	if (!c->pid)
		return sig;
	if (waitpid(c->pid, &status, WNOHANG) == c->pid) {
		c->status = WIFEXITED(status) ? WEXITSTATUS(status) :
			    128 + WTERMSIG(status);
		return true;
	}
	/* Ctrl-C goes to both; what was sent to us alone is passed on. */
	if (sig && sig != SIGINT)
		kill(c->pid, sig);
	signals_forget();
	return false;
}

void child_wait(unsigned int ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000L };
	sigset_t none;

	sigemptyset(&none);
	pselect(0, NULL, NULL, NULL, &ts, &none);
}
