// SPDX-License-Identifier: GPL-2.0
#include <signal.h>
#include <stddef.h>

#include "signals.h"

static volatile sig_atomic_t stop;
static sigset_t before;

static void on_stop(int sig)
{
	stop = sig;
}

static void on_child(int sig)
{
	(void)sig;
}

void signals_catch(void)
{
	struct sigaction sa = { .sa_handler = on_stop };
	sigset_t block;

	sigemptyset(&block);
	sigaddset(&block, SIGINT);
	sigaddset(&block, SIGTERM);
	sigaddset(&block, SIGHUP);
	sigaddset(&block, SIGCHLD);
	sigprocmask(SIG_BLOCK, &block, &before);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
	sa.sa_handler = on_child;
	sigaction(SIGCHLD, &sa, NULL);
}

void signals_catch_quit(void)
{
	struct sigaction sa = { .sa_handler = on_stop };
	sigset_t block;

	sigemptyset(&block);
	sigaddset(&block, SIGQUIT);
	sigprocmask(SIG_BLOCK, &block, NULL);
	sigaction(SIGQUIT, &sa, NULL);
}

void signals_restore(void)
{
	sigprocmask(SIG_SETMASK, &before, NULL);
}

/*
 * ppoll() lets no signal in while there is something to read, so those that
 * wait are let in here.
 */
int signals_stop(void)
{
	sigset_t blocked;

	sigprocmask(SIG_SETMASK, &before, &blocked);
	sigprocmask(SIG_SETMASK, &blocked, NULL);
	return stop;
}

void signals_forget(void)
{
	stop = 0;
}
