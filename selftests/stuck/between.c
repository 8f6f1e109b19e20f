// SPDX-License-Identifier: GPL-2.0
/*
 * Preloaded into tcptrail: lets something happen at an exact moment between two
 * of its looks.
 *
 * BETWEEN_AT     the name, as it is given to openat()
 * BETWEEN_AFTER  only after a first name, which is this one
 * BETWEEN_RUN    the shell command that is run before the first such openat()
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static void now(void)
{
	char *run = getenv("BETWEEN_RUN");

	if (!run)
		return;
	run = strdup(run);
	/* Once, and not in the shell. */
	unsetenv("BETWEEN_RUN");
	unsetenv("LD_PRELOAD");
	if (system(run))
		abort();
	free(run);
}

static int is_moment(const char *name)
{
	const char *at = getenv("BETWEEN_AT"), *after = getenv("BETWEEN_AFTER");
	static int is_after;

	if (!at || (after && !is_after)) {
		is_after = after && !strcmp(name, after);
		return 0;
	}
	return !strcmp(name, at);
}

int openat(int dir, const char *name, int flags, ...)
{
	static int (*next)(int dir, const char *name, int flags, ...);
	unsigned int mode = 0;
	va_list ap;

	va_start(ap, flags);
	if (flags & O_CREAT)
		mode = va_arg(ap, unsigned int);
	va_end(ap);
	if (!next)
		next = dlsym(RTLD_NEXT, "openat");
	if (is_moment(name))
		now();
	return next(dir, name, flags, mode);
}
