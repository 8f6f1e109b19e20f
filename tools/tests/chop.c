// SPDX-License-Identifier: GPL-2.0
/*
 * chop RECORDING [STRIDE]: reads it cut at every length, and with every byte
 * damaged (or every STRIDE-th).
 * Whatever it is, the tool must answer or refuse it with one sentence and no
 * output, and never crash. Meant for a build with sanitizers.
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../tcptrail.h"

static unsigned char *data;
static size_t size;
static int in_fd, out_fd, err_fd;
static unsigned int answered, refused;

static void read_file(const char *name)
{
	FILE *f = fopen(name, "r");
	struct stat st;

	if (!f || fstat(fileno(f), &st))
		err(1, "%s", name);
	size = st.st_size;
	data = malloc(size);
	if (!data || fread(data, 1, size, f) != size)
		err(1, "%s", name);
	fclose(f);
}

static void rewrite(int fd, const void *from, size_t n)
{
	if (ftruncate(fd, 0) || pwrite(fd, from, n, 0) != (ssize_t)n)
		err(1, "memfd");
	lseek(fd, 0, SEEK_SET);
}

static void child(bool events, bool json)
{
	struct opts opts = { .last = -1, .json = json };
	char name[32];

	sprintf(name, "/proc/self/fd/%d", in_fd);
	opts.in = name;
	dup2(out_fd, STDOUT_FILENO);
	dup2(err_fd, STDERR_FILENO);
	exit(events ? cmd_events(&opts) : cmd_show(&opts));
}

static size_t length(int fd)
{
	struct stat st;

	fstat(fd, &st);
	return st.st_size;
}

static unsigned int count_lines(void)
{
	char buf[8192];
	ssize_t n = pread(err_fd, buf, sizeof(buf), 0);
	unsigned int lines = 0;

	for (ssize_t i = 0; i < n; i++)
		lines += buf[i] == '\n';
	return lines;
}

__attribute__((noreturn))
static void complain(const char *what, size_t at, int status)
{
	char buf[65536];
	ssize_t n = pread(err_fd, buf, sizeof(buf) - 1, 0);

	printf("%s at byte %zu: status %#x, %zu bytes of output\n%.*s\n", what,
	       at, status, length(out_fd), n > 0 ? (int)n : 0, buf);
	exit(1);
}

static void try(const char *what, size_t at, size_t n)
{
	int status;
	pid_t pid;

	rewrite(in_fd, data, n);
	rewrite(out_fd, "", 0);
	rewrite(err_fd, "", 0);
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (!pid)
		child(at % 2, at % 3);
	waitpid(pid, &status, 0);
	if (!WIFEXITED(status))
		complain(what, at, status);
	switch (WEXITSTATUS(status)) {
	case ST_OK:
	case ST_INCOMPLETE:
		answered++;
		return;
	case ST_ERROR:
		refused++;
		if (count_lines() == 1 && !length(out_fd))
			return;
	}
	complain(what, at, status);
}

static int memory_file(const char *name)
{
	int fd = memfd_create(name, 0);

	if (fd < 0)
		err(1, "memfd_create");
	/* Several processes write one after the other. */
	fcntl(fd, F_SETFL, O_APPEND);
	return fd;
}

int main(int argc, char **argv)
{
	size_t stride = argc == 3 ? atoi(argv[2]) : 1;

	if (argc < 2 || argc > 3 || !stride)
		errx(2, "usage: chop RECORDING [STRIDE]");
	read_file(argv[1]);
	in_fd = memory_file("in");
	out_fd = memory_file("out");
	err_fd = memory_file("err");
	for (size_t n = 0; n < size; n += stride)
		try("cut", n, n);
	for (size_t i = 0; i < size; i += stride) {
		unsigned char was = data[i];

		data[i] ^= i % 5 ? 0xff : 1 << i % 7;
		try("damaged", i, size);
		data[i] = was;
	}
	printf("%zu bytes, %u answered, %u refused\n", size, answered, refused);
	return 0;
}
