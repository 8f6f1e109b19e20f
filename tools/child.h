/* SPDX-License-Identifier: GPL-2.0 */
/* The command that a verb runs. Call signals_catch() before. */
#ifndef CHILD_H
#define CHILD_H

#include <stdbool.h>
#include <sys/types.h>

struct child {
	pid_t pid;	/* 0: there is none */
	int status;	/* as a shell tells it */
};

void child_start(struct child *c, char *const *argv);
/* It has ended, or we were asked to stop. Passes signals on. */
bool child_over(struct child *c);
/* Sleeps, unless a signal comes: the end of the child is one. */
void child_wait(unsigned int ms);

#endif
