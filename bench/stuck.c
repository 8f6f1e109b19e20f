// SPDX-License-Identifier: GPL-2.0
/*
 * What tcptrail stuck costs on a full machine.
 *
 * usage: stuck SOCKETS PROCESSES TOOL
 *
 * Makes SOCKETS sockets, a quarter of them in CLOSE_WAIT and their other ends in
 * FIN_WAIT2, and PROCESSES idle processes, and runs TOOL stuck. Prints how many
 * there were, its CPU time in ns, which under -icount shift=0 is the number of
 * its instructions, and the most memory it used in KiB.
 */
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Sockets of one process, both ends. */
#define EACH	10000
#define min(a, b)	((a) < (b) ? (a) : (b))

static void idle(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		pause();
}

static int listen_on(struct sockaddr_in *addr)
{
	int s = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(s, (struct sockaddr *)addr, sizeof(*addr)) || listen(s, 4096))
		err(1, "listen");
	return s;
}

/*
 * Every second connection is closed by the client only, which keeps its
 * descriptor: else the kernel would have forgotten that end after a minute.
 */
static void make_sockets(int number, int n)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	int s, c;

	addr.sin_addr.s_addr = htonl(0x7f000001 + number);
	addr.sin_port = htons(900);
	s = listen_on(&addr);
	for (int i = 0; i < n / 2; i++) {
		c = socket(AF_INET, SOCK_STREAM, 0);
		if (connect(c, (struct sockaddr *)&addr, sizeof(addr)) ||
		    accept(s, NULL, NULL) < 0)
			err(1, "connect");
		if (i % 2)
			shutdown(c, SHUT_WR);
	}
}

static pid_t start(void)
{
	pid_t pid = fork();

	if (pid < 0)
		err(1, "fork");
	return pid;
}

static void start_makers(int sockets)
{
	int ready[2];
	char c;

	if (pipe(ready))
		err(1, "pipe");
	for (int i = 0; i * EACH < sockets; i++) {
		if (!start()) {
			make_sockets(i, min(EACH, sockets - i * EACH));
			if (write(ready[1], "x", 1) != 1)
				err(1, "pipe");
			idle();
		}
		if (read(ready[0], &c, 1) != 1)
			err(1, "pipe");
	}
}

int main(int argc, char **argv)
{
	struct rlimit lim = { EACH + 100, EACH + 100 };
	struct rusage use;
	int status, null;
	pid_t tool;

	if (argc != 4)
		errx(2, "usage: stuck SOCKETS PROCESSES TOOL");
	setrlimit(RLIMIT_NOFILE, &lim);
	start_makers(atoi(argv[1]));
	for (int i = atoi(argv[2]); i > 0; i--)
		if (!start())
			idle();
	sleep(6);
	tool = start();
	if (!tool) {
		null = open("/dev/null", O_WRONLY);
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		execl(argv[3], "tcptrail", "stuck", "--over", "5s", NULL);
		_exit(127);
	}
	if (wait4(tool, &status, 0, &use) < 0)
		err(1, "wait");
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 3)
		errx(1, "status %d instead of 3", status);
	printf("%s %s %.0f %ld\n", argv[1], argv[2],
	       1e9 * (use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
	       1e3 * (use.ru_utime.tv_usec + use.ru_stime.tv_usec),
	       use.ru_maxrss);
	return 0;
}
