// SPDX-License-Identifier: GPL-2.0
/*
 * usage: server FAMILY PORT COUNT
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
	struct sockaddr_in6 addr = { 0 };	/* the port is where IPv4 has it */
	char line[64];
	int s;

	if (argc != 4)
		errx(2, "usage: server FAMILY PORT COUNT");
	addr.sin6_family = atoi(argv[1]) == 4 ? AF_INET : AF_INET6;
	addr.sin6_port = htons(atoi(argv[2]));
	s = socket(addr.sin6_family, SOCK_STREAM, 0);
	if (bind(s, (struct sockaddr *)&addr, addr.sin6_family == AF_INET ?
		 sizeof(struct sockaddr_in) : sizeof(addr)) || listen(s, 1024))
		err(1, "port %s", argv[2]);
	say("ready");
	for (int i = atoi(argv[3]); i > 0; i--)
		if (accept(s, NULL, NULL) < 0)
			err(1, "accept");
	say("accepted");
	while (fgets(line, sizeof(line), stdin))
		say("done");
	return 0;
}
