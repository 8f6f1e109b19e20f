// SPDX-License-Identifier: GPL-2.0
#include <stddef.h>
#include <stdlib.h>

#include "source.h"
#include "util.h"

struct source *source_open(const char *file, int status)
{
	return file ? source_open_file(file, status) : source_open_dev(status);
}

/* The least size of what this tool knows how to read. */
static size_t least_size(unsigned int type)
{
	switch (type) {
	case TCPTRAIL_STEP:
	case TCPTRAIL_EVENT:
		return offsetof(struct tcptrail_step, inode);
	case TCPTRAIL_END:
	case TCPTRAIL_TRAIL:
		return sizeof(struct tcptrail_trail);
	case TCPTRAIL_LOST:
		return sizeof(struct tcptrail_lost);
	default:
		return sizeof(struct tcptrail_hdr);
	}
}

const char *record_fault(const struct tcptrail_hdr *hdr)
{
	if (hdr->size % 8)
		return "a size that is no multiple of 8";
	if (hdr->size < least_size(hdr->type))
		return "a size too small for its type";
	if (hdr->type == 0)
		return "no type";
	return NULL;
}

const struct tcptrail_hdr *source_next(struct source *src)
{
	const struct tcptrail_hdr *hdr;

	if (src->pos == src->len && !src->ops->fill(src))
		return NULL;
	hdr = (const void *)(src->data + src->pos);
	src->pos += hdr->size;
	return hdr;
}

bool source_wait(struct source *src)
{
	return src->ops->wait(src);
}

void source_resync(struct source *src)
{
	src->ops->resync(src);
}

void source_refresh(struct source *src)
{
	src->ops->refresh(src);
}

void source_rewind(struct source *src)
{
	src->pos = ((const struct tcptrail_info *)src->data)->size;
}

void source_drop(struct source *src)
{
	if (src->ops->drop)
		src->ops->drop(src);
}

void source_close(struct source *src)
{
	src->ops->close(src);
	free(src);
}
