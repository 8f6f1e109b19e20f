// SPDX-License-Identifier: GPL-2.0
/* What a connection does: random system calls at random times. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "traffic.h"

/* ---- chance ---- */

/* splitmix64 */
uint32_t random_next(struct random *r)
{
	uint64_t z = r->s += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return (z ^ (z >> 31)) >> 32;
}

uint32_t random_below(struct random *r, uint32_t n)
{
	return (uint64_t)random_next(r) * n >> 32;
}

bool random_chance(struct random *r, uint32_t percent)
{
	return random_below(r, 100) < percent;
}

uint64_t random_mix(uint64_t a, uint64_t b, uint64_t c)
{
	struct random r = { a * 0x9e3779b97f4a7c15ull ^ b << 32 ^ c };

	return (uint64_t)random_next(&r) << 32 | random_next(&r);
}

/* ---- plans ---- */

static void plan_where(struct plan *p, struct random *r, bool loopback)
{
	uint32_t dice = random_below(r, 1000);

	if (dice < 40) {
		p->rport = PORT_NOBODY;
	} else if (dice < 100) {
		p->rport = PORT_LATE;
	} else if (dice < 150) {
		p->rport = PORT_NEVER;
	} else if (dice < 170) {
		p->rport = PORT_VICTIM;
	} else if (dice < 185 && !loopback) {
		p->where = TO_UNREACHABLE;
	} else if (dice < 195 && !loopback) {
		p->where = TO_BLACKHOLE;
	} else if (dice < 255 && !loopback) {
		p->kind = KIND_BOTH_OPEN;
		p->rport = p->lport;
	}
}

/* Every other block of so many connections may reuse ports of the one before. */
#define BLOCK	40

/* The same ends again, some time later: there may be a TIME_WAIT, or more. */
static bool plan_again(struct plan *p, struct random *r, uint64_t seed,
		       unsigned int link, uint32_t index, uint64_t span)
{
	uint64_t later = (1500 + random_below(r, 5000)) * MS;
	struct plan old;

	if (index / BLOCK % 2 == 0 || !random_chance(r, 10))
		return false;
	plan_make(&old, seed, link, index - BLOCK, span);
	if (old.kind != KIND_PLAIN || !old.lport || old.where != TO_PEER)
		return false;
	*p = old;
	p->start += later;
	return true;
}

void plan_make(struct plan *p, uint64_t seed, unsigned int link,
	       uint32_t index, uint64_t span)
{
	bool loopback = links[link].client == links[link].server;
	struct random r = { random_mix(seed, link, index) };
	static const uint8_t families[] = { 4, 4, 6, 6, 46 };

	if (plan_again(p, &r, seed, link, index, span))
		return;
	memset(p, 0, sizeof(*p));
	p->start = (uint64_t)random_next(&r) * span >> 32;
	p->family = families[random_below(&r, sizeof(families))];
	p->lport = 2000 + index;
	p->rport = p->family != 6 && random_chance(&r, 50) ? PORT_V4 : PORT_DUAL;
	plan_where(p, &r, loopback);
	p->victim = p->kind == KIND_PLAIN && random_chance(&r, 4);
	if (p->kind == KIND_BOTH_OPEN)
		p->other = (int64_t)(links[link].unit *
				     ((double)random_below(&r, 1000) - 500) / 600);
	else if (random_chance(&r, 25))
		p->lport = 0;
}

/* ---- steps ---- */

struct call *conn_call(const struct conn *c, enum op op)
{
	struct call *call = call_new(op);

	call->sid = c->sid;
	call->conn = c->conn;
	call->link = c->link;
	call->side = c->side;
	call->family = c->family;
	return call;
}

/* From nothing to thirty round trips, mostly about one. */
static uint64_t pause_of(struct conn *c)
{
	uint64_t unit = links[c->link].unit;
	uint32_t dice = random_below(&c->rnd, 100);
	uint64_t part = random_next(&c->rnd) >> 12;	/* below 2^20 */

	if (dice < 30)
		return unit * part >> 22;
	if (dice < 80)
		return unit / 2 + (unit * part * 5 >> 21);
	return unit * 3 + (unit * part * 27 >> 20);
}

void conn_script(struct conn *c)
{
	c->left = 1 + random_below(&c->rnd, 6);
	c->next = now() + pause_of(c);
}

static void do_send(struct conn *c)
{
	static char data[4096];

	CALL(conn_call(c, OP_SEND),
	     send(c->fd, data, 1 + random_below(&c->rnd, 2500),
		  MSG_NOSIGNAL | MSG_DONTWAIT));
}

static void do_receive(struct conn *c)
{
	struct call *call = conn_call(c, OP_RECV);
	static char data[65536];
	ssize_t n, sum = 0;

	call->t0 = now();
	do {
		n = recv(c->fd, data, sizeof(data), MSG_DONTWAIT);
		if (n > 0)
			sum += n;
		call->ret = sum;
	} while (n > 0);
	call->err = n < 0 ? errno : 0;
	call->arg = n == 0;
	call->t1 = now();
}

static void do_shutdown(struct conn *c, int how)
{
	struct call *call = conn_call(c, OP_SHUTDOWN);

	call->arg = how;
	CALL(call, shutdown(c->fd, how));
}

static void do_linger(struct conn *c)
{
	struct linger linger = { .l_onoff = 1 };

	CALL(conn_call(c, OP_LINGER),
	     setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
}

static void do_close(struct conn *c)
{
	CALL(conn_call(c, OP_CLOSE), close(c->fd));
	c->fd = -1;
	c->next = 0;
}

/* A child holds it, too, and closes it, exits, or is killed, when it likes. */
static void do_fork(struct conn *c, bool give)
{
	struct conn child = *c;
	pid_t pid;

	child.rnd.s = random_mix(c->rnd.s, 1, 0);
	child.left = give ? c->left : 0;
	pid = conn_fork(&child, give ? 'g' : 'h');
	if (!pid) {
		if (!give)
			child.next = now() + pause_of(&child);
		conn_alone(&child);
	}
	if (random_chance(&c->rnd, 40))
		process_kill(pid, now() + pause_of(c));
	if (give)
		do_close(c);
}

static void do_pass(struct conn *c)
{
	struct iovec iov = { c, sizeof(*c) };
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &c->fd, sizeof(int));
	if (CALL(conn_call(c, OP_PASS), sendmsg(taker, &msg, 0)) > 0)
		do_close(c);
}

/* The end: close() with or without reading, or left to the end of a process. */
static void do_end(struct conn *c)
{
	uint32_t dice = random_below(&c->rnd, 100);

	if (dice < 60)
		do_receive(c);
	if (dice < 90 || c->alone) {
		if (c->alone && random_chance(&c->rnd, 40))
			process_exit();
		do_close(c);
	} else if (dice < 95) {
		do_fork(c, true);
	} else {
		c->next = 0;
	}
}

void conn_step(struct conn *c)
{
	uint32_t dice = random_below(&c->rnd, 100);

	if (!c->left--) {
		do_end(c);
		return;
	}
	if (dice < 33)
		do_send(c);
	else if (dice < 66)
		do_receive(c);
	else if (dice < 75)
		do_shutdown(c, SHUT_WR);
	else if (dice < 77)
		do_shutdown(c, SHUT_RDWR);
	else if (dice < 79)
		do_shutdown(c, SHUT_RD);
	else if (dice < 85)
		do_linger(c);
	else if (dice < 88 && !c->alone)
		do_fork(c, false);
	else if (dice < 90 && !c->alone)
		do_fork(c, true);
	else if (dice < 92 && !c->alone && taker >= 0)
		do_pass(c);
	if (c->fd >= 0)
		c->next = now() + pause_of(c);
}

/* ---- connect() ---- */

static socklen_t address(struct sockaddr_storage *ss, uint8_t family,
			 const char *v4, const char *v6, uint16_t port)
{
	struct sockaddr_in *in = (void *)ss;
	struct sockaddr_in6 *in6 = (void *)ss;
	char mapped[64] = "::ffff:";

	memset(ss, 0, sizeof(*ss));
	if (family == 4) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		inet_pton(AF_INET, v4 ?: "0.0.0.0", &in->sin_addr);
		return sizeof(*in);
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	if (family == 46 && v4)
		v6 = strcat(mapped, v4);
	inet_pton(AF_INET6, v6 ?: "::", &in6->sin6_addr);
	return sizeof(*in6);
}

static uint64_t cookie_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len);
	return cookie;
}

static bool conn_socket(struct conn *c, const struct plan *p)
{
	struct sockaddr_storage ss;
	struct call *call = conn_call(c, OP_SOCKET);
	int one = 1;
	socklen_t len;

	call->lport = p->lport;
	call->t0 = now();
	c->fd = socket(p->family == 4 ? AF_INET : AF_INET6,
		       SOCK_STREAM | SOCK_NONBLOCK, 0);
	len = address(&ss, p->family, NULL, NULL, p->lport);
	setsockopt(c->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (c->fd < 0 ||
	    (p->lport && bind(c->fd, (struct sockaddr *)&ss, len)))
		call->err = errno;
	if (random_chance(&c->rnd, 50))
		call->cookie = cookie_of(c->fd);
	call->t1 = now();
	return !call->err;
}

bool conn_connect(struct conn *c, const struct plan *p, const char *to4,
		  const char *to6)
{
	struct sockaddr_storage ss;
	socklen_t len = address(&ss, p->family, to4, to6, p->rport);
	struct call *call;

	c->family = p->family;
	if (!conn_socket(c, p))
		return false;
	call = conn_call(c, OP_CONNECT);
	call->lport = p->lport;
	call->rport = p->rport;
	call->where = p->where;
	CALL(call, connect(c->fd, (struct sockaddr *)&ss, len));
	call->cookie = cookie_of(c->fd);
	len = sizeof(ss);
	if (!getsockname(c->fd, (struct sockaddr *)&ss, &len))
		call->lport = ntohs(((struct sockaddr_in *)&ss)->sin_port);
	conn_script(c);
	return true;
}
