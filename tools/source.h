/* SPDX-License-Identifier: GPL-2.0 */
/* Where records come from: the device, or a recorded file. */
#ifndef SOURCE_H
#define SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/tcptrail.h>

struct source;

struct source_ops {
	/* 1: there is more in data, 0: nothing now, or nothing ever again */
	int (*fill)(struct source *src);
	/* Sleeps until there may be more. False: a signal came. */
	bool (*wait)(struct source *src);
	void (*resync)(struct source *src);
	void (*refresh)(struct source *src);
	void (*drop)(struct source *src);
	void (*close)(struct source *src);
};

/**
 * struct source - one open stream of records
 * @info: head of the recording, or what the device says of itself
 * @name: for messages
 * @live: the device; a recording never has more than it has
 * @data: bytes read; @pos to @len are still to be delivered. Of a recording
 *	they are a map of the whole file, and stay until source_close()
 */
struct source {
	const struct source_ops *ops;
	struct tcptrail_info info;
	const char *name;
	bool live;
	int fd;
	unsigned char *data;
	size_t pos, len;
};

/*
 * Open the recording @file, "-": standard input, NULL: the device. What can't
 * be read to its end is refused here, with one sentence and @status, so that
 * nobody prints half an answer.
 */
struct source *source_open(const char *file, int status);
struct source *source_open_dev(int status);
struct source *source_open_file(const char *file, int status);

/* The next whole record; NULL: none now (device), none any more (file). */
const struct tcptrail_hdr *source_next(struct source *src);
bool source_wait(struct source *src);
/* History, trails and SYNC once more, to make up for a loss. */
void source_resync(struct source *src);
/* Bring info up to date. */
void source_refresh(struct source *src);
/* From its first record once more; of a recording only. */
void source_rewind(struct source *src);
/*
 * Of a recording: give back the memory that it has come to take. Records stay
 * valid: they are read from the file again when they are looked at.
 */
void source_drop(struct source *src);
void source_close(struct source *src);

/* What is wrong with a record, NULL: nothing. */
const char *record_fault(const struct tcptrail_hdr *hdr);

#endif
