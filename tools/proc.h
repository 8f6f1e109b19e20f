/* SPDX-License-Identifier: GPL-2.0 */
/* What /proc says now about processes of the past. */
#ifndef PROC_H
#define PROC_H

#include <linux/tcptrail.h>

enum life {
	LIFE_UNKNOWN,	/* a recording, or /proc of another pid namespace */
	LIFE_ALIVE,
	LIFE_EXITED,	/* also when another process has the pid now */
};

enum life proc_life(const struct tcptrail_task *task);

#endif
