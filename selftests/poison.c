// SPDX-License-Identifier: GPL-2.0
/*
 * poison BYTE [RECORDING]: looks for fields that nobody filled, in a recording
 * or in what the device holds now, from a module built with TCPTRAIL_POISON.
 * Prints how many records of each sort there were.
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "device/tt.h"

static unsigned int seen[TCPTRAIL_SYNC + 1][TCPTRAIL_C_MAX + 1];
static unsigned int records, poisoned;

static void judge(const union tt_record *rec, unsigned int byte)
{
	bool step = rec->hdr.type <= TCPTRAIL_EVENT;
	const char *why = tt_poisoned(rec, byte);

	records++;
	if (rec->hdr.type <= TCPTRAIL_SYNC)
		seen[rec->hdr.type][step ? rec->step.cause % (TCPTRAIL_C_MAX + 1) : 0]++;
	if (why && poisoned++ < 20)
		printf("# type %u, cause %u, %u bytes: %s\n", rec->hdr.type,
		       step ? rec->step.cause : 0, rec->hdr.size, why);
}

static void judge_recording(const char *path, unsigned int byte)
{
	FILE *f = fopen(path, "re");
	union tt_record rec;
	struct stat st;
	char *buf;
	size_t at, size;

	if (!f || fstat(fileno(f), &st))
		err(1, "%s", path);
	size = st.st_size;
	buf = malloc(size);
	if (!buf || fread(buf, 1, size, f) != size || size < sizeof(uint32_t))
		err(1, "%s", path);
	/* Behind the info block, which starts with its size. */
	for (at = *(uint32_t *)buf; at + sizeof(rec.hdr) <= size; at += rec.hdr.size) {
		memset(&rec, 0, sizeof(rec));
		memcpy(&rec.hdr, buf + at, sizeof(rec.hdr));
		if (rec.hdr.size < sizeof(rec.hdr) || rec.hdr.size > sizeof(rec) ||
		    at + rec.hdr.size > size)
			errx(1, "%s: no record at byte %zu", path, at);
		memcpy(&rec, buf + at, rec.hdr.size);
		judge(&rec, byte);
	}
	free(buf);
	fclose(f);
}

static void judge_device(unsigned int byte)
{
	struct tt_reader *rd = tt_open(O_NONBLOCK);
	union tt_record rec;

	if (!rd)
		err(1, "%s", TCPTRAIL_DEVICE);
	while (tt_next(rd, &rec) > 0)
		judge(&rec, byte);
	tt_close(rd);
}

int main(int argc, char **argv)
{
	unsigned int type, cause;

	if (argc < 2 || argc > 3)
		errx(2, "usage: poison BYTE [RECORDING]");
	if (argc == 3)
		judge_recording(argv[2], strtoul(argv[1], NULL, 0));
	else
		judge_device(strtoul(argv[1], NULL, 0));
	for (type = 1; type <= TCPTRAIL_SYNC; type++)
		for (cause = 0; cause <= TCPTRAIL_C_MAX; cause++)
			if (seen[type][cause])
				printf("sort %u/%u %u\n", type, cause, seen[type][cause]);
	printf("%u records, %u with a field that nobody filled\n", records, poisoned);
	return !records || poisoned;
}
