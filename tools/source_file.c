// SPDX-License-Identifier: GPL-2.0
/*
 * A recorded file: struct tcptrail_info, then the bytes of the device. It is
 * mapped, not read, and its records are used where they lie.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "source.h"
#include "util.h"

/* What comes first in every info block, whatever its size. */
#define INFO_MIN	16

/* So much is looked at before its pages are given back. */
#define DROP_SIZE	(4UL << 20)

/* It is all in the file. */
static void file_drop(struct source *src)
{
	madvise(src->data, src->len, MADV_DONTNEED);
}

/* All bytes are there from the start. */
static int file_fill(struct source *src)
{
	(void)src;
	return 0;
}

static bool file_wait(struct source *src)
{
	(void)src;
	return false;
}

static void file_nothing(struct source *src)
{
	(void)src;
}

static void file_close(struct source *src)
{
	if (src->data)
		munmap(src->data, src->len);
}

static const struct source_ops file_ops = {
	.fill = file_fill,
	.wait = file_wait,
	.resync = file_nothing,
	.refresh = file_nothing,
	.drop = file_drop,
	.close = file_close,
};

/* What comes from a pipe, or the like, goes to a file without a name first. */
static void spool(struct source *src, int status)
{
	FILE *file = tmpfile();
	char buf[1 << 16];
	ssize_t n;

	if (!file)
		err(status, "no temporary file for %s", src->name);
	while ((n = read(src->fd, buf, sizeof(buf))) > 0)
		if (fwrite(buf, 1, n, file) != (size_t)n)
			err(status, "no room for %s in a temporary file",
			    src->name);
	if (n < 0)
		err(status, "reading %s failed", src->name);
	if (fflush(file))
		err(status, "no room for %s in a temporary file", src->name);
	src->fd = dup(fileno(file));
	fclose(file);
}

/* A file that becomes shorter while it is read has pages that are not there. */
static void on_bus_error(int sig)
{
	static const char text[] =
		"tcptrail: the recording became shorter while it was read, or can't be read\n";

	(void)sig;
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(ST_ERROR);
	_exit(ST_ERROR);
}

static void map(struct source *src, int status)
{
	struct stat st;

	if (fstat(src->fd, &st) < 0)
		err(status, "reading %s failed", src->name);
	if (!S_ISREG(st.st_mode) || lseek(src->fd, 0, SEEK_CUR)) {
		spool(src, status);
		if (src->fd < 0 || fstat(src->fd, &st) < 0)
			err(status, "reading %s failed", src->name);
	}
	src->len = st.st_size;
	if (!src->len)
		return;
	src->data = mmap(NULL, src->len, PROT_READ, MAP_PRIVATE, src->fd, 0);
	if (src->data == MAP_FAILED)
		err(status, "reading %s failed", src->name);
	if (src->fd != STDIN_FILENO)
		close(src->fd);
	signal(SIGBUS, on_bus_error);
}

static void check_head(struct source *src, int status)
{
	struct tcptrail_info *info = &src->info;

	if (src->len >= INFO_MIN)
		memcpy(info, src->data, INFO_MIN);
	if (src->len < INFO_MIN || info->magic != TCPTRAIL_MAGIC)
		errx(status, "%s is not a tcptrail recording", src->name);
	if (info->abi > TCPTRAIL_ABI)
		errx(status, "%s was recorded with the newer ABI %u, this tool speaks %u",
		     src->name, info->abi, TCPTRAIL_ABI);
	if (info->abi != TCPTRAIL_ABI || info->size < INFO_MIN || info->size % 8)
		errx(status, "%s is corrupt: its head makes no sense", src->name);
	if (info->size > src->len)
		errx(status, "%s is truncated: it ends in its head", src->name);
	src->pos = info->size;
	memcpy(info, src->data, min(info->size, sizeof(*info)));
	info->version[sizeof(info->version) - 1] = 0;
	info->release[sizeof(info->release) - 1] = 0;
}

static void check_records(struct source *src, int status)
{
	size_t pos = src->pos, dropped = pos;

	while (pos < src->len) {
		const struct tcptrail_hdr *hdr = (const void *)(src->data + pos);
		const char *fault;

		if (src->len - pos < sizeof(*hdr))
			errx(status, "%s is truncated: it ends in a record at byte %zu",
			     src->name, pos);
		fault = record_fault(hdr);
		if (fault)
			errx(status, "%s is corrupt: the record at byte %zu has %s",
			     src->name, pos, fault);
		if (src->len - pos < hdr->size)
			errx(status, "%s is truncated: it ends in a record at byte %zu",
			     src->name, pos);
		pos += hdr->size;
		if (pos - dropped > DROP_SIZE) {
			file_drop(src);
			dropped = pos;
		}
	}
}

struct source *source_open_file(const char *file, int status)
{
	struct source *src = xzalloc(sizeof(*src));
	bool is_stdin = !strcmp(file, "-");

	src->ops = &file_ops;
	src->name = is_stdin ? "standard input" : file;
	src->fd = is_stdin ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
	if (src->fd < 0)
		err(status, "cannot open %s", file);
	map(src, status);
	check_head(src, status);
	check_records(src, status);
	return src;
}
