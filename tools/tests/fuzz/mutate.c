// SPDX-License-Identifier: GPL-2.0
/*
 * Mutates recordings by whole records, half of the time: libFuzzer alone would
 * have to guess sizes, types and who belongs to whom.
 */
#include <stddef.h>
#include <string.h>

#include <linux/tcptrail.h>

#include "fuzz.h"

#define FRONT	2	/* bytes before the records */
#define MOST	1024

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t room);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room,
			       unsigned int seed);

static uint32_t state;

static uint32_t draw(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state % n;
}

/* Where records start; the last one is where they end. */
static size_t find(uint8_t *data, size_t size, size_t *start)
{
	size_t n = 0, pos = FRONT;
	struct tcptrail_hdr hdr;

	while (n < MOST && pos + sizeof(hdr) <= size) {
		memcpy(&hdr, data + pos, sizeof(hdr));
		if (hdr.size < sizeof(hdr) || hdr.size % 8 ||
		    pos + hdr.size > size)
			break;
		start[n++] = pos;
		pos += hdr.size;
	}
	start[n] = pos;
	return n;
}

static size_t size_for(unsigned int type)
{
	static const size_t steps[] = {
		offsetof(struct tcptrail_step, inode),
		offsetof(struct tcptrail_step, task),
		sizeof(struct tcptrail_step),
	};

	switch (type) {
	case TCPTRAIL_STEP:
	case TCPTRAIL_EVENT:
		return steps[draw(3)];
	case TCPTRAIL_END:
	case TCPTRAIL_TRAIL:
		return sizeof(struct tcptrail_trail);
	case TCPTRAIL_LOST:
		return sizeof(struct tcptrail_lost);
	}
	return sizeof(struct tcptrail_hdr);
}

/* A new record behind the others, about one that is there. */
static size_t add(uint8_t *data, size_t size, size_t room, const size_t *start,
		  size_t n)
{
	struct tcptrail_hdr hdr = { .type = 1 + draw(6) };
	size_t k = draw(n), like = start[k], end = start[n];
	size_t alike = sizeof(hdr) + sizeof(struct tcptrail_conn);

	hdr.size = size_for(hdr.type);
	if (end + hdr.size > room)
		return size;
	memset(data + end, 0, hdr.size);
	/* Header and connection begin every record about one. */
	if (alike <= hdr.size && alike <= start[k + 1] - like)
		memcpy(data + end, data + like, alike);
	memcpy(&hdr.ts_ns, data + like + offsetof(struct tcptrail_hdr, ts_ns),
	       sizeof(hdr.ts_ns));
	hdr.ts_ns += draw(1000000000);
	hdr.cpu = draw(2);
	memcpy(data + end, &hdr, sizeof(hdr));
	return end + hdr.size;
}

static size_t cut_out(uint8_t *data, size_t size, const size_t *start, size_t k)
{
	memmove(data + start[k], data + start[k + 1], size - start[k + 1]);
	return size - (start[k + 1] - start[k]);
}

static size_t repeat(uint8_t *data, size_t size, size_t room,
		     const size_t *start, size_t n, size_t k)
{
	size_t len = start[k + 1] - start[k], to = start[draw(n + 1)];
	uint8_t rec[65536];

	if (size + len > room)
		return size;
	memcpy(rec, data + start[k], len);
	memmove(data + to + len, data + to, size - to);
	memcpy(data + to, rec, len);
	return size + len;
}

/* Bytes behind the size of a record, so that the others stay whole. */
static void change(uint8_t *data, const size_t *start, size_t k)
{
	size_t from = start[k] + 8 + draw(2) * 16;
	size_t len = start[k + 1] > from ? start[k + 1] - from : 0;
	uint32_t pos;

	if (!len)
		return;
	pos = from + draw(len);
	if (draw(3))
		data[pos] = draw(2) ? draw(256) : draw(14);
	else
		LLVMFuzzerMutate(data + from, len, len);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room,
			       unsigned int seed)
{
	size_t start[MOST + 1], n = find(data, size, start), k;

	state = seed | 1;
	if (!n || draw(4) == 0)
		return LLVMFuzzerMutate(data, size, room);
	if (draw(8) == 0)
		data[draw(FRONT)] = draw(256);
	k = draw(n);
	switch (draw(5)) {
	case 0:
		return add(data, size, room, start, n);
	case 1:
		return cut_out(data, size, start, k);
	case 2:
		return repeat(data, size, room, start, n, k);
	default:
		change(data, start, k);
		return size;
	}
}
