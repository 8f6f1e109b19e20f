// SPDX-License-Identifier: GPL-2.0
/*
 * A program that makes the system calls it is told to, and tells when.
 *
 * usage: actor NETNS COMM [SLOT=FD...]     NETNS may be "-": stay
 *        actor --run NETNS PROGRAM [ARGUMENT...]
 *
 * Commands come in messages on file descriptor 3 (a SOCK_SEQPACKET), one per
 * line, arguments parted by blanks; each one is answered by a message
 *
 *	COMMAND PID BEFORE AFTER RESULT ERRNO [MORE]
 *
 * BEFORE and AFTER are nanoseconds of CLOCK_BOOTTIME around the system call:
 * the application's own account of what it did. Sockets are named by slots.
 * The second form only enters a network namespace and executes a program.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <linux/tcp.h>		/* struct tcp_info and the options */

#include "actor.h"

#define ARGS		8

int slots[SLOTS];
static char buffer[65536];

/* What a command returns beside its result. */
static char more[256];

unsigned long long before, after;

unsigned long long now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

int *slot(const char *arg)
{
	int n = arg ? atoi(arg) : -1;

	if (n < 0 || n >= SLOTS) {
		fprintf(stderr, "actor: no slot %s\n", arg ? arg : "");
		exit(2);
	}
	return &slots[n];
}

static socklen_t address(const char *host, const char *port, struct sockaddr_storage *ss)
{
	struct sockaddr_in6 *six = (void *)ss;
	struct sockaddr_in *four = (void *)ss;

	memset(ss, 0, sizeof(*ss));
	if (inet_pton(AF_INET, host, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = htons(atoi(port));
		return sizeof(*four);
	}
	six->sin6_family = AF_INET6;
	six->sin6_port = htons(atoi(port));
	if (inet_pton(AF_INET6, host, &six->sin6_addr) != 1) {
		fprintf(stderr, "actor: no address %s\n", host);
		exit(2);
	}
	return sizeof(*six);
}

/* ---- the commands ---- */

static long cmd_socket(char **arg)
{
	int proto = 0;

	if (arg[2] && !strcmp(arg[2], "mptcp"))
		proto = 262;
	else if (arg[2] && !strcmp(arg[2], "sctp"))
		proto = IPPROTO_SCTP;
	return TIMED(*slot(arg[0]) = socket(arg[1][0] == '6' ? AF_INET6 : AF_INET,
					    SOCK_STREAM, proto));
}

static const struct option {
	const char *name;
	int level, number;
} options[] = {
	{ "reuseaddr",		SOL_SOCKET,	SO_REUSEADDR },
	{ "reuseport",		SOL_SOCKET,	SO_REUSEPORT },
	{ "keepalive",		SOL_SOCKET,	SO_KEEPALIVE },
	{ "rcvbuf",		SOL_SOCKET,	SO_RCVBUF },
	{ "mark",		SOL_SOCKET,	SO_MARK },
	{ "v6only",		IPPROTO_IPV6,	IPV6_V6ONLY },
	{ "nodelay",		IPPROTO_TCP,	TCP_NODELAY },
	{ "quickack",		IPPROTO_TCP,	TCP_QUICKACK },
	{ "defer",		IPPROTO_TCP,	TCP_DEFER_ACCEPT },
	{ "fastopen",		IPPROTO_TCP,	TCP_FASTOPEN },
	{ "linger2",		IPPROTO_TCP,	TCP_LINGER2 },
	{ "user_timeout",	IPPROTO_TCP,	TCP_USER_TIMEOUT },
	{ "keepidle",		IPPROTO_TCP,	TCP_KEEPIDLE },
	{ "keepintvl",		IPPROTO_TCP,	TCP_KEEPINTVL },
	{ "keepcnt",		IPPROTO_TCP,	TCP_KEEPCNT },
	{ "syncnt",		IPPROTO_TCP,	TCP_SYNCNT },
	{ "repair",		IPPROTO_TCP,	TCP_REPAIR },
};

static long cmd_opt(char **arg)
{
	int value = atoi(arg[2]);
	struct linger linger = { 1, value };
	size_t i;

	if (!strcmp(arg[1], "linger"))
		return TIMED(setsockopt(*slot(arg[0]), SOL_SOCKET, SO_LINGER,
					&linger, sizeof(linger)));
	for (i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (!strcmp(arg[1], options[i].name))
			return TIMED(setsockopt(*slot(arg[0]), options[i].level,
						options[i].number, &value,
						sizeof(value)));
	fprintf(stderr, "actor: no option %s\n", arg[1]);
	exit(2);
}

static long cmd_bind(char **arg)
{
	struct sockaddr_storage ss;
	socklen_t len = address(arg[1], arg[2], &ss);

	return TIMED(bind(*slot(arg[0]), (void *)&ss, len));
}

static long cmd_listen(char **arg)
{
	return TIMED(listen(*slot(arg[0]), atoi(arg[1])));
}

static long cmd_connect(char **arg)
{
	struct sockaddr_storage ss;
	socklen_t len = address(arg[1], arg[2], &ss);

	return TIMED(connect(*slot(arg[0]), (void *)&ss, len));
}

/* Not blocking; "poll" and "error" tell how it ended. */
static long cmd_nconnect(char **arg)
{
	fcntl(*slot(arg[0]), F_SETFL, O_NONBLOCK);
	return cmd_connect(arg);
}

static long cmd_disconnect(char **arg)
{
	struct sockaddr sa = { .sa_family = AF_UNSPEC };

	return TIMED(connect(*slot(arg[0]), &sa, sizeof(sa)));
}

/* TCP Fast Open: connect() and send() in one. */
static long cmd_fastopen(char **arg)
{
	struct sockaddr_storage ss;
	socklen_t len = address(arg[1], arg[2], &ss);

	return TIMED(sendto(*slot(arg[0]), buffer, atoi(arg[3]), MSG_FASTOPEN,
			    (void *)&ss, len));
}

static long cmd_accept(char **arg)
{
	return TIMED(*slot(arg[1]) = accept(*slot(arg[0]), NULL, NULL));
}

static unsigned int port_of(const struct sockaddr_storage *ss)
{
	return ntohs(ss->ss_family == AF_INET6 ?
		     ((const struct sockaddr_in6 *)ss)->sin6_port :
		     ((const struct sockaddr_in *)ss)->sin_port);
}

/* "name SLOT": local port, remote port, cookie, inode as the socket says. */
static long cmd_name(char **arg)
{
	struct sockaddr_storage local = { 0 }, remote = { 0 };
	unsigned long long cookie = 0;
	socklen_t len = sizeof(local);
	int fd = *slot(arg[0]);
	struct stat st = { 0 };

	before = now();
	getsockname(fd, (void *)&local, &len);
	len = sizeof(remote);
	getpeername(fd, (void *)&remote, &len);
	len = sizeof(cookie);
	getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len);
	fstat(fd, &st);
	snprintf(more, sizeof(more), "%u %u %llu %llu", port_of(&local),
		 port_of(&remote), cookie, (unsigned long long)st.st_ino);
	after = now();
	return 0;
}

/* "error SLOT": SO_ERROR and the state of the socket. */
static long cmd_error(char **arg)
{
	socklen_t len = sizeof(int);
	struct tcp_info info;
	int err = 0;

	getsockopt(*slot(arg[0]), SOL_SOCKET, SO_ERROR, &err, &len);
	len = sizeof(info);
	getsockopt(*slot(arg[0]), IPPROTO_TCP, TCP_INFO, &info, &len);
	snprintf(more, sizeof(more), "%u", info.tcpi_state);
	before = after = now();
	return err;
}

static long cmd_send(char **arg)
{
	return TIMED(send(*slot(arg[0]), buffer, atoi(arg[1]), MSG_NOSIGNAL));
}

/* "recv SLOT N": until N bytes, the end or an error; the result is the sum. */
static long cmd_recv(char **arg)
{
	long sum = 0, got = 1, want = atol(arg[1]);
	int err = 0;

	before = now();
	while (sum < want && got > 0) {
		got = recv(*slot(arg[0]), buffer, want - sum < (long)sizeof(buffer) ?
			   (size_t)(want - sum) : sizeof(buffer), 0);
		if (got > 0)
			sum += got;
		else if (got < 0)
			err = errno;
	}
	after = now();
	errno = err;
	return sum;
}

static long cmd_shutdown(char **arg)
{
	return TIMED(shutdown(*slot(arg[0]), !strcmp(arg[1], "rd") ? SHUT_RD :
			      !strcmp(arg[1], "wr") ? SHUT_WR : SHUT_RDWR));
}

static long cmd_close(char **arg)
{
	return TIMED(close(*slot(arg[0])));
}

/* "sleep MS" and "until NANOSECONDS" (CLOCK_BOOTTIME). */
static long cmd_sleep(char **arg)
{
	return TIMED(usleep(atoi(arg[0]) * 1000));
}

static long cmd_until(char **arg)
{
	unsigned long long t = strtoull(arg[0], NULL, 10);
	struct timespec ts = { t / 1000000000, t % 1000000000 };

	return TIMED(clock_nanosleep(CLOCK_BOOTTIME, TIMER_ABSTIME, &ts, NULL));
}

/* "poll SLOT in|out MS" */
static long cmd_poll(char **arg)
{
	struct pollfd p = { *slot(arg[0]), arg[1][0] == 'i' ? POLLIN : POLLOUT, 0 };
	long ret = TIMED(poll(&p, 1, atoi(arg[2])));

	snprintf(more, sizeof(more), "%d", p.revents);
	return ret;
}

static long cmd_exit(char **arg)
{
	exit(arg[0] ? atoi(arg[0]) : 0);
}

/* ---- the frame ---- */

static const struct command {
	const char *name;
	int args;
	long (*run)(char **arg);
} commands[] = {
	{ "socket", 2, cmd_socket },	{ "opt", 3, cmd_opt },
	{ "bind", 3, cmd_bind },	{ "listen", 2, cmd_listen },
	{ "connect", 3, cmd_connect },	{ "nconnect", 3, cmd_nconnect },
	{ "disconnect", 1, cmd_disconnect }, { "fastopen", 4, cmd_fastopen },
	{ "accept", 2, cmd_accept },	{ "name", 1, cmd_name },
	{ "error", 1, cmd_error },	{ "send", 2, cmd_send },
	{ "recv", 2, cmd_recv },	{ "shutdown", 2, cmd_shutdown },
	{ "close", 1, cmd_close },	{ "sleep", 1, cmd_sleep },
	{ "until", 1, cmd_until },	{ "poll", 3, cmd_poll },
	{ "exit", 0, cmd_exit },	{ "mail", 1, cmd_mail },
	{ "take", 1, cmd_take },	{ "give", 2, cmd_give },
	{ "fork", 1, cmd_fork },	{ "exec", 1, cmd_exec },
	{ "slowsend", 2, cmd_slowsend },
};

static void answer(const char *name, long ret, int err)
{
	char text[512];
	int n = snprintf(text, sizeof(text), "%s %d %llu %llu %ld %d %s", name,
			 getpid(), before, after, ret, err, more);

	if (send(CONTROL, text, n, MSG_NOSIGNAL) < 0)
		exit(0);
	more[0] = '\0';
}

static void obey(char *line)
{
	char *arg[ARGS + 1] = { NULL }, *save, *word = strtok_r(line, " ", &save);
	size_t i;
	long ret;
	int n = 0;

	for (i = 0; word && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(word, commands[i].name))
			break;
	if (!word || i == sizeof(commands) / sizeof(commands[0])) {
		fprintf(stderr, "actor: unknown command %s\n", word ? word : "");
		exit(2);
	}
	while (n < ARGS && (arg[n] = strtok_r(NULL, " ", &save)))
		n++;
	if (n < commands[i].args) {
		fprintf(stderr, "actor: %s wants %d arguments\n", word, commands[i].args);
		exit(2);
	}
	errno = 0;
	ret = commands[i].run(arg);
	answer(word, ret, errno);
}

static void enter(const char *netns)
{
	char path[128];
	int fd;

	if (!strcmp(netns, "-"))
		return;
	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET)) {
		perror(path);
		exit(2);
	}
	close(fd);
}

int main(int argc, char **argv)
{
	static char line[4096];
	int i, n;

	if (argc > 3 && !strcmp(argv[1], "--run")) {
		enter(argv[2]);
		execvp(argv[3], argv + 3);
		perror(argv[3]);
		return 127;
	}
	if (argc < 3) {
		fprintf(stderr, "usage: actor NETNS COMM [SLOT=FD...]\n");
		return 2;
	}
	enter(argv[1]);
	prctl(PR_SET_NAME, argv[2]);
	for (i = 0; i < SLOTS; i++)
		slots[i] = -1;
	for (i = 3; i < argc; i++)
		*slot(argv[i]) = atoi(strchr(argv[i], '=') + 1);
	before = after = now();
	answer("hello", 0, 0);
	while ((n = recv(CONTROL, line, sizeof(line) - 1, 0)) > 0) {
		char *save, *next;

		line[n] = '\0';
		for (next = strtok_r(line, "\n", &save); next;
		     next = strtok_r(NULL, "\n", &save))
			obey(next);
	}
	return 0;
}
