// SPDX-License-Identifier: GPL-2.0
/*
 * Runs the tool in this process. The linker's --wrap sends its allocations,
 * messages and exits here; so a leak is found at once, without asking a leak
 * detector after each of millions of runs.
 */
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../tcptrail.h"
#include "fuzz.h"

/* Memory at any time, and output: this much, and so much per byte of input. */
#define MEMORY_BASE	(8UL << 20)
#define MEMORY_FACTOR	2048
#define OUTPUT_BASE	(1UL << 20)
#define OUTPUT_FACTOR	2048

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void __real_free(void *p);
__attribute__((noreturn)) void __real_exit(int status);

__attribute__((noreturn)) void broken(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("fuzz: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	abort();
}

/* ---- memory ---- */

/* What is allocated: an open hash of addresses. */
static struct {
	void *p;
	size_t size;
} *block;
static size_t nblocks, blocks_room, live, limit;
static bool tracking;

static size_t block_slot(const void *p)
{
	return ((uintptr_t)p >> 4) * 0x9e3779b97f4a7c15ULL >> 32 &
	       (blocks_room - 1);
}

static void blocks_grow(void)
{
	size_t was = blocks_room;
	typeof(block) old = block;

	blocks_room = was ? 2 * was : 1 << 12;
	block = __real_calloc(blocks_room, sizeof(*block));
	for (size_t i = 0; i < was; i++) {
		size_t at;

		if (!old[i].p)
			continue;
		for (at = block_slot(old[i].p); block[at].p;)
			at = (at + 1) & (blocks_room - 1);
		block[at] = old[i];
	}
	__real_free(old);
}

static void *born(void *p, size_t size)
{
	size_t at;

	if (!tracking || !p)
		return p;
	if (2 * nblocks >= blocks_room)
		blocks_grow();
	for (at = block_slot(p); block[at].p;)
		at = (at + 1) & (blocks_room - 1);
	block[at].p = p;
	block[at].size = size;
	nblocks++;
	live += size;
	if (live > limit)
		broken("%zu bytes are more than this input may cost", live);
	return p;
}

/* Those behind it in its run move up, so that they are found again. */
static void gone(const void *p)
{
	size_t at, hole, home;

	if (!tracking || !nblocks)
		return;
	for (at = block_slot(p); block[at].p != p;
	     at = (at + 1) & (blocks_room - 1))
		if (!block[at].p)
			return;
	live -= block[at].size;
	nblocks--;
	for (hole = at;;) {
		block[hole].p = NULL;
		do {
			at = (at + 1) & (blocks_room - 1);
			if (!block[at].p)
				return;
			home = block_slot(block[at].p);
		} while (hole <= at ? hole < home && home <= at :
				      hole < home || home <= at);
		block[hole] = block[at];
		hole = at;
	}
}

void *__wrap_malloc(size_t size)
{
	return born(__real_malloc(size), size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return born(__real_calloc(n, size), n * size);
}

void *__wrap_realloc(void *p, size_t size)
{
	if (p)
		gone(p);
	return born(__real_realloc(p, size), size);
}

char *__wrap_strdup(const char *s)
{
	size_t size = strlen(s) + 1;
	char *p = __wrap_malloc(size);

	return p ? memcpy(p, s, size) : NULL;
}

void __wrap_free(void *p)
{
	if (p)
		gone(p);
	__real_free(p);
}

static void memory_begin(size_t input)
{
	limit = MEMORY_BASE + MEMORY_FACTOR * input;
	live = nblocks = 0;
	tracking = true;
}

static void memory_end(bool may_leave)
{
	tracking = false;
	if (nblocks && !may_leave)
		broken("%zu bytes in %zu blocks are left behind", live, nblocks);
	for (size_t i = 0; nblocks && i < blocks_room; i++) {
		if (!block[i].p)
			continue;
		__real_free(block[i].p);
		block[i].p = NULL;
	}
	nblocks = 0;
}

/* ---- messages and exits ---- */

static struct said said;
static FILE *messages;
static jmp_buf way_out;
static bool inside;

__attribute__((noreturn)) static void leave(int status)
{
	said.status = status;
	said.refused = true;
	longjmp(way_out, 1);
}

static void say(const char *fmt, va_list ap, const char *why)
{
	vfprintf(messages, fmt, ap);
	fprintf(messages, why ? ": %s\n" : "\n", why);
}

void __wrap_vwarnx(const char *fmt, va_list ap)
{
	say(fmt, ap, NULL);
}

void __wrap_warnx(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap, NULL);
	va_end(ap);
}

void __wrap_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap, "errno");
	va_end(ap);
}

__attribute__((noreturn))
void __wrap_verrx(int status, const char *fmt, va_list ap)
{
	say(fmt, ap, NULL);
	leave(status);
}

__attribute__((noreturn)) void __wrap_errx(int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap, NULL);
	va_end(ap);
	leave(status);
}

__attribute__((noreturn)) void __wrap_err(int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap, "errno");
	va_end(ap);
	leave(status);
}

__attribute__((noreturn)) void __wrap_exit(int status)
{
	if (!inside)
		__real_exit(status);
	leave(status);
}

/* The tool closes standard output at its end. That is its own matter. */
int __real_fclose(FILE *f);

int __wrap_fclose(FILE *f)
{
	return inside && f == stdout ? fflush(f) : __real_fclose(f);
}

/* ---- running ---- */

static void open_texts(void)
{
	__real_free(said.out);
	__real_free(said.err);
	memset(&said, 0, sizeof(said));
	stdout = open_memstream(&said.out, &said.len);
	messages = open_memstream(&said.err, &said.err_len);
	if (!stdout || !messages)
		broken("open_memstream");
}

const struct said *tool_run(int (*what)(void *arg), void *arg, size_t input)
{
	FILE *volatile was = stdout;

	open_texts();
	memory_begin(input);
	inside = true;
	if (!setjmp(way_out))
		said.status = what(arg);
	inside = false;
	__real_fclose(stdout);
	stdout = was;
	__real_fclose(messages);
	memory_end(said.refused);
	if (said.len > OUTPUT_BASE + OUTPUT_FACTOR * input)
		broken("%zu bytes of output are too many", said.len);
	return &said;
}

struct command_line {
	int argc;
	char **argv;
};

static int run_command_line(void *arg)
{
	struct command_line *line = arg;
	struct opts opts = { .last = -1 };
	const struct verb *verb;
	int status;

	optind = 0;
	verb = options_parse(line->argc, line->argv, &opts);
	status = verb->run(&opts);
	filter_free(opts.filter);
	return status;
}

const struct said *tool_main(int argc, char **argv, size_t input)
{
	struct command_line line = { argc, argv };

	return tool_run(run_command_line, &line, input);
}
