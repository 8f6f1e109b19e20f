// SPDX-License-Identifier: GPL-2.0
/*
 * Makes TCP connections with random behaviour, and tells of every call.
 *
 * usage: traffic LOG SEED CONNECTIONS SPAN
 *
 * As root, in a machine of its own whose namespaces guest.py has made. LOG is
 * the file of struct call; CONNECTIONS begin within SPAN seconds. The same
 * SEED makes the same connections; what becomes of them depends on the moment.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loop.h"
#include "traffic.h"

/* As in guest.py, which knows the queueing disciplines. */
const struct link links[] = {
	{ "plain-c", "plain-s", MS / 2 },
	{ "near-c", "near-s", 4 * MS },
	{ "far-c", "far-s", 60 * MS },
	{ "order-c", "order-s", 30 * MS },
	{ "loss-c", "loss-s", 20 * MS },
	{ "bad-c", "bad-s", 30 * MS },
	{ "lo-l", "lo-l", MS / 2 },
};
const unsigned int nlinks = sizeof(links) / sizeof(links[0]);

static uint64_t seed, began, span;
static unsigned int at_link;
static uint32_t count;		/* connections of this link */
static char peer4[32], peer6[32];

static void die(const char *what)
{
	fprintf(stderr, "traffic: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void enter(const char *netns)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		die(path);
	close(fd);
}

static uint32_t next_sid(void)
{
	return __atomic_add_fetch(&call_log->next_sid, 1, __ATOMIC_RELAXED);
}

/* ---- connections in the loop ---- */

static void run_conn(void *arg)
{
	struct conn *c = arg;

	conn_step(c);
	if (c->next)
		loop_at(c->next, run_conn, c, true);
	else
		free(c);
}

static void keep_conn(const struct conn *c)
{
	struct conn *copy = malloc(sizeof(*c));

	*copy = *c;
	loop_at(copy->next, run_conn, copy, true);
}

static struct conn new_conn(uint32_t index, uint8_t side, uint64_t salt)
{
	return (struct conn){
		.sid = next_sid(), .conn = index, .fd = -1, .link = at_link,
		.side = side, .rnd = { random_mix(seed ^ salt, at_link, index) },
	};
}

static void start_conn(void *arg)
{
	uint32_t index = (uintptr_t)arg;
	struct conn c = new_conn(index, 'c', 1);
	const char *v4 = peer4, *v6 = peer6;
	struct plan p;
	pid_t pid;

	plan_make(&p, seed, at_link, index, span);
	if (p.where == TO_UNREACHABLE)
		v4 = "10.9.0.1", v6 = "fd09::1";
	else if (p.where == TO_BLACKHOLE)
		v4 = "10.8.0.1", v6 = "fd08::1";
	if (p.victim) {
		pid = conn_fork(&c, 'v');
		if (!pid) {
			conn_connect(&c, &p, v4, v6);
			conn_alone(&c);
		}
		if (random_chance(&c.rnd, 60))
			process_kill(pid, now() + links[at_link].unit *
				     random_below(&c.rnd, 8000) / 1000);
	} else if (conn_connect(&c, &p, v4, v6)) {
		keep_conn(&c);
	}
}

/* The server's side of a connection that both open. */
static void start_other(void *arg)
{
	uint32_t index = (uintptr_t)arg;
	struct conn c = new_conn(index, 's', 2);
	struct plan p;

	plan_make(&p, seed, at_link, index, span);
	if (conn_connect(&c, &p, peer4, peer6))
		keep_conn(&c);
}

/* ---- listeners ---- */

struct listener {
	uint16_t port;
	int family;
	int fd;
	uint32_t sid;
};

static struct listener listeners[] = {
	{ PORT_V4, AF_INET, -1, 0 }, { PORT_DUAL, AF_INET6, -1, 0 },
	{ PORT_LATE, AF_INET6, -1, 0 }, { PORT_NEVER, AF_INET6, -1, 0 },
	{ PORT_VICTIM, AF_INET6, -1, 0 },
};

static struct random server_rnd;

static struct call *listener_call(const struct listener *l, enum op op)
{
	struct call *call = call_new(op);

	call->sid = l->sid;
	call->link = at_link;
	call->side = 'l';
	call->family = l->family == AF_INET ? 4 : 6;
	call->lport = l->port;
	return call;
}

static void listener_open(struct listener *l)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
				    .sin6_port = htons(l->port) };
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_port = htons(l->port) };
	bool v4 = l->family == AF_INET;
	int one = 1, zero = 0;
	struct call *call;
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	l->sid = next_sid();
	l->fd = socket(l->family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (!v4)
		setsockopt(l->fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	if (l->fd < 0 || bind(l->fd, v4 ? (void *)&in : (void *)&in6,
			      v4 ? sizeof(in) : sizeof(in6)))
		die("bind");
	call = listener_call(l, OP_LISTEN);
	getsockopt(l->fd, SOL_SOCKET, SO_COOKIE, &cookie, &len);
	call->cookie = cookie;
	if (CALL(call, listen(l->fd, 16384)))
		die("listen");
}

static void accept_one(struct listener *l)
{
	struct sockaddr_in6 in6 = { 0 };
	socklen_t len = sizeof(in6), size = sizeof(uint64_t);
	struct conn c = new_conn(NO_CONN, 's', 3);
	struct call *call = conn_call(&c, OP_ACCEPT);
	uint16_t port;

	call->arg = l->sid;
	call->lport = l->port;
	c.fd = CALL(call, accept4(l->fd, (void *)&in6, &len, SOCK_NONBLOCK));
	if (c.fd < 0)
		return;
	port = ntohs(in6.sin6_port);
	call->rport = port;
	if (port < 40000)
		call->conn = c.conn = port - 2000;
	c.family = l->family == AF_INET ? 4 :
		   IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr) ? 46 : 6;
	call->family = c.family;
	getsockopt(c.fd, SOL_SOCKET, SO_COOKIE, &call->cookie, &size);
	c.rnd.s = random_mix(seed, at_link << 16 | port, l->port);
	conn_script(&c);
	keep_conn(&c);
}

static void accept_ready(int fd)
{
	unsigned int i;

	for (i = 0; i < 2; i++)
		if (listeners[i].fd == fd)
			accept_one(&listeners[i]);
}

/* Some of those that wait, now and then. */
static void accept_late(void *arg)
{
	uint32_t n = random_below(&server_rnd, 4);

	while (n--)
		accept_one(arg);
	loop_at(now() + random_below(&server_rnd, 400) * MS, accept_late, arg,
		false);
}

static void toggle_never(void *arg)
{
	struct listener *l = arg;
	uint64_t again = (300 + random_below(&server_rnd, 700)) * MS;

	if (l->fd >= 0) {
		CALL(listener_call(l, OP_CLOSE), close(l->fd));
		l->fd = -1;
	} else {
		listener_open(l);
		again *= 4;
	}
	loop_at(now() + again, toggle_never, arg, false);
}

/* A process that listens until it is killed. */
static void start_victim(void *arg)
{
	struct conn none = { .fd = -1 };
	uint64_t life = (500 + random_below(&server_rnd, 3000)) * MS;
	pid_t pid = conn_fork(&none, 'L');

	if (!pid) {
		listener_open(arg);
		for (;;)
			pause();
	}
	process_kill(pid, now() + life);
	loop_at(now() + life + (300 + random_below(&server_rnd, 700)) * MS,
		start_victim, arg, false);
}

/* ---- workers ---- */

static void got_conn(const struct conn *c)
{
	keep_conn(c);
}

static void receive(int fd)
{
	pass_receive(fd, got_conn);
}

static void finish(void)
{
	close(taker);
	while (wait(NULL) > 0)
		;
	process_exit();
}

static void start_taker(void)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair))
		die("socketpair");
	fflush(stderr);
	if (!fork()) {
		close(pair[0]);
		process_begin('t');
		loop_watch(pair[1], receive);
		loop_run();
		finish();
	}
	close(pair[1]);
	taker = pair[0];
}

static void client(void)
{
	struct plan p;
	uint32_t i;

	enter(links[at_link].client);
	process_begin('c');
	start_taker();
	for (i = 0; i < count; i++) {
		plan_make(&p, seed, at_link, i, span);
		loop_at(began + p.start, start_conn, (void *)(uintptr_t)i, true);
	}
	loop_end();
	loop_run();
	finish();
}

static void on_term(int sig)
{
	(void)sig;
	loop_end();
}

static void server(void)
{
	struct plan p;
	unsigned int i;

	signal(SIGTERM, on_term);
	enter(links[at_link].server);
	process_begin('s');
	start_taker();
	server_rnd.s = random_mix(seed, at_link, 77);
	for (i = 0; i < 3; i++)
		listener_open(&listeners[i]);
	loop_watch(listeners[0].fd, accept_ready);
	loop_watch(listeners[1].fd, accept_ready);
	accept_late(&listeners[2]);
	toggle_never(&listeners[3]);
	start_victim(&listeners[4]);
	for (i = 0; i < count; i++) {
		plan_make(&p, seed, at_link, i, span);
		if (p.kind == KIND_BOTH_OPEN)
			loop_at(began + p.start + p.other, start_other,
				(void *)(uintptr_t)i, true);
	}
	loop_run();
	finish();
}

static pid_t start(void (*worker)(void), unsigned int link)
{
	bool loopback = links[link].client == links[link].server;
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid)
		return pid;
	at_link = link;
	/* What the worker connects to. */
	snprintf(peer4, sizeof(peer4), loopback ? "127.0.0.1" : "10.%u.0.%u",
		 70 + link, worker == client ? 2 : 1);
	snprintf(peer6, sizeof(peer6), loopback ? "::1" : "fd%u::%u", 70 + link,
		 worker == client ? 2 : 1);
	worker();
	exit(0);
}

static void map_log(const char *path, uint32_t room)
{
	size_t size = sizeof(*call_log) + (size_t)room * sizeof(struct call);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || ftruncate(fd, size))
		die(path);
	call_log = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (call_log == MAP_FAILED)
		die(path);
	call_log->room = room;
	close(fd);
}

int main(int argc, char **argv)
{
	struct rlimit files = { 100000, 100000 };
	pid_t clients[16], servers[16];
	uint32_t total, i;

	if (argc != 5) {
		fprintf(stderr, "usage: traffic LOG SEED CONNECTIONS SPAN\n");
		return 2;
	}
	seed = strtoull(argv[2], NULL, 0);
	total = strtoul(argv[3], NULL, 0);
	span = strtoull(argv[4], NULL, 0) * SEC;
	setrlimit(RLIMIT_NOFILE, &files);
	map_log(argv[1], total * 40 + 100000);
	began = now() + SEC;
	for (i = 0; i < nlinks; i++) {
		count = total / nlinks + (i < total % nlinks);
		servers[i] = start(server, i);
		clients[i] = start(client, i);
	}
	for (i = 0; i < nlinks; i++)
		waitpid(clients[i], NULL, 0);
	/* What is still on its way may arrive. */
	sleep(20);
	for (i = 0; i < nlinks; i++)
		kill(servers[i], SIGTERM);
	while (wait(NULL) > 0)
		;
	printf("%llu calls\n", (unsigned long long)call_log->used);
	return 0;
}
