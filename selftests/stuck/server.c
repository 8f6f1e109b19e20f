// SPDX-License-Identifier: GPL-2.0
/*
 * usage: server PORT COUNT
 *
 * A server that accepts COUNT connections and forgets to close them. It reads
 * "go" lines as server.py does.
 */
#include <arpa/inet.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

static void say(const char *word)
{
	puts(word);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	int s = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	char line[64];

	if (argc != 3)
		errx(2, "usage: server PORT COUNT");
	addr.sin_port = htons(atoi(argv[1]));
	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(s, (struct sockaddr *)&addr, sizeof(addr)) || listen(s, 1024))
		err(1, "port %s", argv[1]);
	say("ready");
	for (int i = atoi(argv[2]); i > 0; i--)
		if (accept(s, NULL, NULL) < 0)
			err(1, "accept");
	say("accepted");
	while (fgets(line, sizeof(line), stdin))
		say("done");
	return 0;
}
