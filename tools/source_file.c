// SPDX-License-Identifier: GPL-2.0
/* A recorded file: struct tcptrail_info, then the bytes of the device. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "source.h"
#include "util.h"

/* What comes first in every info block, whatever its size. */
#define INFO_MIN	16

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
	free(src->data);
}

static const struct source_ops file_ops = {
	.fill = file_fill,
	.wait = file_wait,
	.resync = file_nothing,
	.refresh = file_nothing,
	.close = file_close,
};

static void slurp(struct source *src, int status)
{
	size_t room = 1 << 16;
	ssize_t n;

	src->data = xrealloc(NULL, room);
	while ((n = read(src->fd, src->data + src->len, room - src->len))) {
		if (n < 0)
			err(status, "reading %s failed", src->name);
		src->len += n;
		if (src->len == room)
			src->data = xrealloc(src->data, room *= 2);
	}
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

static void check_records(const struct source *src, int status)
{
	size_t pos = src->pos;

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
	slurp(src, status);
	if (!is_stdin)
		close(src->fd);
	check_head(src, status);
	check_records(src, status);
	return src;
}
