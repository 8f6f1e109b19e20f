// SPDX-License-Identifier: GPL-2.0
/*
 * Reads /dev/tcptrail as it comes, with nothing else to do, until SIGINT.
 * Then prints how many records of the rings it got, and how many it lost.
 *
 * usage: follow [-l]
 *   -l   print a line for each record at once
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <linux/tcptrail.h>

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_signal };
	static _Alignas(8) char buffer[1 << 20];
	unsigned long long got = 0, lost = 0;
	int lines = argc > 1 && !strcmp(argv[1], "-l");
	int fd = open(TCPTRAIL_DEVICE, O_RDONLY);
	ssize_t len, at;

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	if (fd < 0 || lseek(fd, 0, SEEK_END))
		err(1, TCPTRAIL_DEVICE);
	while (!stop) {
		len = read(fd, buffer, sizeof(buffer));
		if (len < 0 && errno != EINTR)
			err(1, "read");
		for (at = 0; at < len;) {
			struct tcptrail_lost *rec = (void *)(buffer + at);

			if (rec->hdr.type == TCPTRAIL_LOST)
				lost += rec->lost;
			else
				got++;
			at += rec->hdr.size;
			if (lines)
				dprintf(1, "%d\n", rec->hdr.type);
		}
	}
	if (!lines)
		printf("%llu %llu\n", got, lost);
	return 0;
}
