// SPDX-License-Identifier: GPL-2.0
/*
 * A main() for the fuzz targets that needs no fuzzer: judges the files that
 * are named, and all in the folders that are named.
 */
#include <dirent.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

/* Seconds for one input, however busy the machine: more is a hang. */
#define HANG_S	120

static unsigned int inputs;

/* What a run leaves on standard error is read beside this name. */
static void judge(const char *path)
{
	FILE *f = fopen(path, "re");
	struct stat st;
	uint8_t *data;

	if (!f || fstat(fileno(f), &st))
		err(1, "%s", path);
	data = malloc(st.st_size + 1);
	if (!data || fread(data, 1, st.st_size, f) != (size_t)st.st_size)
		err(1, "%s", path);
	fclose(f);
	fprintf(stderr, "%s\n", path);
	alarm(HANG_S);
	fuzz_one(data, st.st_size);
	alarm(0);
	free(data);
	inputs++;
}

static void judge_folder(const char *path)
{
	struct dirent **entry;
	char file[4096];
	int n = scandir(path, &entry, NULL, alphasort);

	for (int i = 0; i < n; i++) {
		snprintf(file, sizeof(file), "%s/%s", path, entry[i]->d_name);
		if (entry[i]->d_name[0] != '.')
			judge(file);
		free(entry[i]);
	}
	free(entry);
}

int main(int argc, char **argv)
{
	struct stat st;

	for (int i = 1; i < argc; i++) {
		if (stat(argv[i], &st))
			err(1, "%s", argv[i]);
		if (S_ISDIR(st.st_mode))
			judge_folder(argv[i]);
		else
			judge(argv[i]);
	}
	printf("%u inputs\n", inputs);
	return !inputs;
}
