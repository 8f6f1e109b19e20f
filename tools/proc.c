// SPDX-License-Identifier: GPL-2.0
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "proc.h"
#include "util.h"

/* PROC_PID_INIT_INO of the kernel's include/linux/proc_ns.h */
#define INIT_PID_NS	0xeffffffcU

/* Pids in records are those of the initial namespace; is /proc about them? */
static bool proc_is_initial(void)
{
	static int answer = -1;
	struct stat st;

	if (answer < 0)
		answer = !stat("/proc/self/ns/pid", &st) &&
			 st.st_ino == INIT_PID_NS;
	return answer;
}

/* Field 22 of /proc/PID/stat, counted from behind the name's last ')'. */
static bool start_of(const char *stat, uint32_t *ticks)
{
	const char *p = strrchr(stat, ')');

	for (int field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	if (!p)
		return false;
	*ticks = strtoull(p + 1, NULL, 10);
	return true;
}

/* Killed, and its parent has not asked yet: it holds no descriptor any more. */
static bool is_dead(const char *stat)
{
	const char *p = strrchr(stat, ')');

	return p && p[1] && (p[2] == 'Z' || p[2] == 'X');
}

enum life proc_life(const struct tcptrail_task *task)
{
	char path[32], stat[1024];
	uint32_t ticks;
	size_t n;
	FILE *f;

	if (!proc_is_initial())
		return LIFE_UNKNOWN;
	sprintf(path, "/proc/%u/stat", task->tgid);
	f = fopen(path, "re");
	if (!f)
		return LIFE_EXITED;
	n = fread(stat, 1, sizeof(stat) - 1, f);
	fclose(f);
	stat[n] = 0;
	if (!start_of(stat, &ticks))
		return LIFE_EXITED;
	return ticks == task->start_ticks && !is_dead(stat) ? LIFE_ALIVE :
							      LIFE_EXITED;
}
