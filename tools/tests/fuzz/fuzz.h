/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the fuzz targets share: they run parts of the tool in this process,
 * again and again, and hold what it says against what no input may change.
 *
 * Each target defines fuzz_one(). A run ends by abort() and a line on standard
 * error if the tool leaks, eats memory, or says what it must not.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Judge one input. */
void fuzz_one(const uint8_t *data, size_t size);

/**
 * struct said - what one run of the tool came to
 * @status: exit status
 * @refused: by err(), errx() or exit(), so memory it left behind is no leak
 * @out: standard output, NUL-terminated
 * @err: messages of warn() and err(), a line each
 */
struct said {
	int status;
	bool refused;
	char *out, *err;
	size_t len, err_len;
};

/* Run @what(@arg) as if it were main(). The texts stand until the next call. */
const struct said *tool_run(int (*what)(void *arg), void *arg, size_t input);
/* The same with a command line, parsed by the tool. */
const struct said *tool_main(int argc, char **argv, size_t input);

/* Every input is told apart by its first bytes. */
struct bytes {
	const uint8_t *at;
	size_t left;
};

uint8_t take_byte(struct bytes *b);
uint16_t take_u16(struct bytes *b);
struct bytes take_bytes(struct bytes *b, size_t n);

/* A file in memory: its path, to be read by the tool. */
const char *file_in_memory(unsigned int which, const void *data, size_t size);
int file_descriptor(unsigned int which);

__attribute__((noreturn, format(printf, 1, 2)))
void broken(const char *fmt, ...);

/* ---- what must hold ---- */

/* Valid UTF-8, and no control character but \n; with @colors, its escapes. */
void must_be_text(const char *s, size_t len, bool colors);
/* One JSON value a line. */
void must_be_json(const char *s);

#endif
