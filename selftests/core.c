// SPDX-License-Identifier: GPL-2.0
/*
 * The core scenarios, in one program that can be linked statically and needs
 * nothing but the kernel, the module and a loopback interface: every hook that
 * loopback can reach must have told what it saw. It loads the module from
 * TCPTRAIL_KO and unloads it.
 *
 * A scenario ends with the histories it must leave behind: the local port, and
 * the steps of the END record.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <linux/tcptrail.h>
#include "kselftest.h"

/* Longer than a TIME_WAIT. */
#define PATIENCE_MS	90000

static int dev = -1;
static int family;
static const char *scenario;
static bool scenario_ok;

static void fail(const char *what)
{
	ksft_print_msg("%s: %s: %s\n", scenario, what, strerror(errno));
	scenario_ok = false;
}

/* ---- the module ---- */

static const char * const hook_name[TCPTRAIL_H_COUNT] = {
	"set_state", "req_new", "req_cookie", "child", "req_drop", "req_free4",
	"req_free6", "req_icmp", "syn_out", "accept", "tw_make", "tw_new",
	"tw_resched", "tw_segment", "tw_reuse", "tw_expire", "tw_kill", "abort",
	"rst_in", "rst_out", "synack_rtx",
};

static void module_load(void)
{
	const char *ko = getenv("TCPTRAIL_KO");
	int fd;

	if (!ko)
		ksft_exit_skip("TCPTRAIL_KO is not set\n");
	fd = open(ko, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		ksft_exit_fail_msg("%s: %s\n", ko, strerror(errno));
	if (syscall(SYS_finit_module, fd, "", 0))
		ksft_exit_fail_msg("loading %s: %s\n", ko, strerror(errno));
	close(fd);
	dev = open(TCPTRAIL_DEVICE, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (dev < 0)
		ksft_exit_fail_msg("%s: %s\n", TCPTRAIL_DEVICE,
				   strerror(errno));
}

static void module_unload(void)
{
	close(dev);
	ksft_test_result(!syscall(SYS_delete_module, "tcptrail", O_NONBLOCK),
			 "unload\n");
}

static bool get_info(struct tcptrail_info *info)
{
	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	return !ioctl(dev, TCPTRAIL_IOC_INFO, info);
}

static void hooks(void)
{
	struct tcptrail_info info;
	unsigned int i, n = 0;

	if (!get_info(&info)) {
		ksft_test_result_fail("hooks\n");
		return;
	}
	for (i = 0; i < TCPTRAIL_H_COUNT; i++) {
		if (info.hooks >> i & 1)
			n++;
		else
			ksft_print_msg("no hook %s\n", hook_name[i]);
	}
	ksft_print_msg("hooks: %u of %u on %s\n", n, TCPTRAIL_H_COUNT,
		       info.release);
	ksft_test_result(info.hooks == info.hooks_known, "hooks\n");
}

/* ---- what must have been recorded ---- */

/**
 * struct history - an END record that must come
 * @sport: its local port
 * @dport: its remote port, 0: any
 * @what: steps, as "STATE/CAUSE STATE/CAUSE", in numbers
 */
struct history {
	unsigned short sport;
	unsigned short dport;
	const char *what;
	bool seen;
};

#define STR_(x)		#x
#define STR(x)		STR_(x)
#define S(state, cause)	STR(TCPTRAIL_##state) "/" STR(TCPTRAIL_C_##cause) " "

static void trail_print(const struct tcptrail_trail *rec, char *text,
			size_t size)
{
	size_t len = 0;
	unsigned int i;

	text[0] = '\0';
	for (i = 0; i < rec->nsteps && i < TCPTRAIL_STEPS; i++)
		len += snprintf(text + len, size - len, "%u/%u ",
				TCPTRAIL_PACK_STATE(rec->steps[i]),
				TCPTRAIL_PACK_CAUSE(rec->steps[i]));
}

/*
 * A kernel that checks itself may be so slow that the delayed ACK of a FIN goes
 * alone: two segments instead of one.
 */
static bool is_same(const char *text, const char *want)
{
	static const char one[] = S(TIME_WAIT, FIN_ACK_IN);
	static const char two[] = S(TIME_WAIT, FIN_IN);
	const char *at = strstr(want, one);
	size_t before = at ? at - want : 0;

	if (!strcmp(text, want))
		return true;
	return at && getenv("TT_PATIENCE") && !strncmp(text, want, before) &&
	       !strncmp(text + before, two, strlen(two)) &&
	       !strcmp(text + before + strlen(two), at + strlen(one));
}

static void history_match(struct history *want, unsigned int n,
			  const struct tcptrail_trail *rec)
{
	char text[256];
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (want[i].seen || want[i].sport != rec->conn.sport ||
		    (want[i].dport && want[i].dport != rec->conn.dport))
			continue;
		want[i].seen = true;
		trail_print(rec, text, sizeof(text));
		if (!is_same(text, want[i].what)) {
			ksft_print_msg("%s: port %u: expected %s\n", scenario,
				       want[i].sport, want[i].what);
			ksft_print_msg("%s: port %u: recorded %s\n", scenario,
				       want[i].sport, text);
			scenario_ok = false;
		}
		if (rec->conn.flags & (TCPTRAIL_F_LATE | TCPTRAIL_F_UNSEEN |
				       TCPTRAIL_F_NO_TRAIL)) {
			ksft_print_msg("%s: port %u: flags %#x\n", scenario,
				       want[i].sport, rec->conn.flags);
			scenario_ok = false;
		}
		return;
	}
}

static bool histories_seen(const struct history *want, unsigned int n)
{
	while (n)
		if (!want[--n].seen)
			return false;
	return true;
}

/* Read until every wanted END has come. */
static void await(struct history *want, unsigned int n)
{
	struct pollfd pfd = { .fd = dev, .events = POLLIN };
	static char buf[64 * TCPTRAIL_RECORD_MAX] __attribute__((aligned(8)));
	unsigned int i;

	while (!histories_seen(want, n)) {
		ssize_t len = read(dev, buf, sizeof(buf)), at;

		if (len < 0 && errno == EAGAIN &&
		    poll(&pfd, 1, PATIENCE_MS) == 1)
			continue;
		if (len < 0) {
			for (i = 0; i < n; i++)
				if (!want[i].seen)
					ksft_print_msg("%s: port %u: no END\n",
						       scenario, want[i].sport);
			scenario_ok = false;
			return;
		}
		for (at = 0; at < len;) {
			struct tcptrail_hdr *hdr = (void *)(buf + at);

			if (hdr->type == TCPTRAIL_END)
				history_match(want, n, (void *)hdr);
			at += hdr->size;
		}
	}
}

/* ---- sockets ---- */

static socklen_t address(struct sockaddr_storage *ss, unsigned short port)
{
	struct sockaddr_in6 *sin6 = (void *)ss;
	struct sockaddr_in *sin = (void *)ss;

	memset(ss, 0, sizeof(*ss));
	ss->ss_family = family;
	if (family == AF_INET6) {
		sin6->sin6_port = htons(port);
		sin6->sin6_addr = in6addr_loopback;
		return sizeof(*sin6);
	}
	sin->sin_port = htons(port);
	sin->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return sizeof(*sin);
}

static int bound(unsigned short port)
{
	struct sockaddr_storage ss;
	socklen_t len = address(&ss, port);
	int fd = socket(family, SOCK_STREAM, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (void *)&ss, len))
		fail("bind");
	return fd;
}

static int connecting(unsigned short from, unsigned short to)
{
	struct sockaddr_storage ss;
	socklen_t len = address(&ss, to);
	int fd = bound(from);

	errno = 0;
	connect(fd, (void *)&ss, len);
	return fd;
}

struct pair {
	int listener;
	int client;
	int server;
};

/* The listener has port @port, the client the one after it. */
static struct pair open_pair(unsigned short port)
{
	struct pair p;

	p.listener = bound(port);
	if (listen(p.listener, 8))
		fail("listen");
	p.client = connecting(port + 1, port);
	if (errno)
		fail("connect");
	p.server = accept(p.listener, NULL, NULL);
	if (p.server < 0)
		fail("accept");
	return p;
}

static void read_eof(int fd)
{
	char byte;

	if (read(fd, &byte, 1) > 0)
		fail("no end of file");
}

static void close_by_rst(int fd)
{
	struct linger linger = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(fd);
}

static bool set_sysctl(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, value, strlen(value)) > 0;

	close(fd);
	return ok;
}

/* ---- scenarios ---- */

#define LISTENER	S(LISTEN, LISTEN) S(CLOSE, CLOSE)
#define ACTIVE		S(SYN_SENT, CONNECT) S(ESTABLISHED, SYNACK_IN)
#define PASSIVE		S(NEW_SYN_RECV, SYN_IN) S(ESTABLISHED, ACK_IN) \
			S(ESTABLISHED, ACCEPT)
/* The peer closes at once, before the delayed ACK of our FIN: one segment. */
#define ACTIVE_CLOSE	S(FIN_WAIT1, CLOSE) S(FIN_WAIT2, ACK_OF_FIN) \
			S(TIME_WAIT, FIN_ACK_IN)
#define PASSIVE_CLOSE	S(CLOSE_WAIT, FIN_IN) S(LAST_ACK, CLOSE) \
			S(CLOSE, ACK_OF_FIN)

#define AWAIT(...)							\
	do {								\
		struct history want_[] = { __VA_ARGS__ };		\
		await(want_, ARRAY_SIZE(want_));			\
	} while (0)

static void orderly(unsigned short port)
{
	struct pair p = open_pair(port);

	close(p.client);
	read_eof(p.server);
	close(p.server);
	close(p.listener);
	AWAIT({ port, port + 1, PASSIVE PASSIVE_CLOSE },
	      { port, 0, LISTENER },
	      { port + 1, port, ACTIVE ACTIVE_CLOSE S(CLOSE, TW_EXPIRED) });
}

static void refused(unsigned short port)
{
	close(connecting(port + 1, port));
	AWAIT({ port + 1, port, S(SYN_SENT, CONNECT) S(CLOSE, REFUSED) });
}

static void reset(unsigned short port)
{
	struct pair p = open_pair(port);

	close_by_rst(p.server);
	close(p.client);
	close(p.listener);
	AWAIT({ port, port + 1, PASSIVE S(CLOSE, LINGER0) },
	      { port + 1, port, ACTIVE S(CLOSE, RST_IN) },
	      { port, 0, LISTENER });
}

/* The one use of tcp_reset() that is not about a RST. */
static void data_after_close(unsigned short port)
{
	struct pair p = open_pair(port);

	shutdown(p.client, SHUT_RDWR);
	if (write(p.server, "x", 1) != 1)
		fail("write");
	close(p.server);
	close(p.client);
	close(p.listener);
	AWAIT({ port, port + 1, PASSIVE S(CLOSE_WAIT, FIN_IN) S(CLOSE, RST_IN) },
	      { port + 1, port, ACTIVE S(FIN_WAIT1, SHUTDOWN)
				S(FIN_WAIT2, ACK_OF_FIN)
				S(CLOSE, DATA_AFTER_CLOSE) },
	      { port, 0, LISTENER });
}

/* A RST in the same state as above. */
static void reset_after_close(unsigned short port)
{
	struct pair p = open_pair(port);

	shutdown(p.client, SHUT_RDWR);
	close_by_rst(p.server);
	close(p.client);
	close(p.listener);
	AWAIT({ port, port + 1, PASSIVE S(CLOSE_WAIT, FIN_IN)
				S(CLOSE, LINGER0) },
	      { port + 1, port, ACTIVE S(FIN_WAIT1, SHUTDOWN)
				S(CLOSE, RST_IN) },
	      { port, 0, LISTENER });
}

static void syncookie(unsigned short port)
{
	struct pair p;

	if (!set_sysctl("/proc/sys/net/ipv4/tcp_syncookies", "2"))
		fail("tcp_syncookies");
	p = open_pair(port);
	set_sysctl("/proc/sys/net/ipv4/tcp_syncookies", "1");
	close_by_rst(p.client);
	close(p.server);
	close(p.listener);
	AWAIT({ port, port + 1, S(NEW_SYN_RECV, SYNCOOKIE)
				S(ESTABLISHED, ACK_IN) S(ESTABLISHED, ACCEPT)
				S(CLOSE, RST_IN) },
	      { port + 1, port, ACTIVE S(CLOSE, LINGER0) },
	      { port, 0, LISTENER });
}

/* A new SYN from the same port ends the server's TIME_WAIT. */
static void new_syn(unsigned short port)
{
	struct pair p = open_pair(port);
	int again;

	close(p.server);
	read_eof(p.client);
	close(p.client);
	again = connecting(port + 1, port);
	if (errno)
		fail("connect again");
	close_by_rst(again);
	close(p.listener);
	AWAIT({ port, port + 1, PASSIVE ACTIVE_CLOSE S(CLOSE, TW_NEW_SYN) },
	      { port + 1, port, ACTIVE PASSIVE_CLOSE },
	      { port + 1, port, ACTIVE S(CLOSE, LINGER0) },
	      { port, port + 1, S(NEW_SYN_RECV, SYN_IN) S(ESTABLISHED, ACK_IN)
				S(CLOSE, RST_IN) },
	      { port, 0, LISTENER });
}

/* Children that nobody accepted go with their listener. */
static void not_accepted(unsigned short port)
{
	int listener = bound(port), client;

	if (listen(listener, 8))
		fail("listen");
	client = connecting(port + 1, port);
	close(listener);
	close(client);
	AWAIT({ port, 0, LISTENER },
	      { port, port + 1, S(NEW_SYN_RECV, SYN_IN) S(ESTABLISHED, ACK_IN)
				S(CLOSE, LISTENER_CLOSED) },
	      { port + 1, port, ACTIVE S(CLOSE, RST_IN) });
}

/* 0, or a positive errno. */
static int sock_destroy(int fd, unsigned short sport, unsigned short dport)
{
	struct {
		struct nlmsghdr nlh;
		union {
			struct inet_diag_req_v2 req;
			struct nlmsgerr err;
			char room[512];
		};
	} msg = {
		.nlh = {
			.nlmsg_len = NLMSG_LENGTH(sizeof(msg.req)),
			.nlmsg_type = SOCK_DESTROY,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
		},
		.req = {
			.sdiag_family = family,
			.sdiag_protocol = IPPROTO_TCP,
			.idiag_states = -1,
		},
	};
	struct inet_diag_sockid *id = &msg.req.id;
	int nl = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	int ret = EIO;

	id->idiag_sport = htons(sport);
	id->idiag_dport = htons(dport);
	if (family == AF_INET6) {
		memcpy(id->idiag_src, &in6addr_loopback, sizeof(id->idiag_src));
		memcpy(id->idiag_dst, &in6addr_loopback, sizeof(id->idiag_dst));
	} else {
		id->idiag_src[0] = htonl(INADDR_LOOPBACK);
		id->idiag_dst[0] = htonl(INADDR_LOOPBACK);
	}
	memset(id->idiag_cookie, 0xff, sizeof(id->idiag_cookie));
	if (send(nl, &msg, msg.nlh.nlmsg_len, 0) > 0 &&
	    recv(nl, &msg, sizeof(msg), 0) > 0 &&
	    msg.nlh.nlmsg_type == NLMSG_ERROR)
		ret = -msg.err.error;
	close(nl);
	return ret;
}

static void destroyed(unsigned short port)
{
	struct pair p = open_pair(port);

	errno = sock_destroy(p.client, port + 1, port);
	if (errno)
		fail("SOCK_DESTROY");
	close(p.client);
	close(p.server);
	close(p.listener);
	AWAIT({ port + 1, port, ACTIVE S(CLOSE, DESTROYED) },
	      { port, port + 1, PASSIVE S(CLOSE, RST_IN) },
	      { port, 0, LISTENER });
}

static const struct {
	const char *name;
	void (*run)(unsigned short port);
} scenarios[] = {
	{ "orderly close", orderly },
	{ "refused", refused },
	{ "reset", reset },
	{ "data after close", data_after_close },
	{ "reset after close", reset_after_close },
	{ "SYN cookie", syncookie },
	{ "new SYN in TIME_WAIT", new_syn },
	{ "not accepted", not_accepted },
	{ "SOCK_DESTROY", destroyed },
};

static void run_scenarios(int af, unsigned short port)
{
	unsigned int i;

	family = af;
	for (i = 0; i < ARRAY_SIZE(scenarios); i++) {
		scenario = scenarios[i].name;
		scenario_ok = true;
		lseek(dev, 0, SEEK_END);
		scenarios[i].run(port + 2 * i);
		ksft_test_result(scenario_ok, "%s, %s\n", scenario,
				 af == AF_INET ? "IPv4" : "IPv6");
	}
}

static void nothing_lost(void)
{
	struct tcptrail_info info;

	ksft_test_result(get_info(&info) && !info.lost && !info.missed &&
			 !info.no_trail, "nothing lost\n");
}

int main(void)
{
	ksft_print_header();
	ksft_set_plan(2 * ARRAY_SIZE(scenarios) + 3);
	module_load();
	hooks();
	run_scenarios(AF_INET, 20000);
	run_scenarios(AF_INET6, 20100);
	nothing_lost();
	module_unload();
	ksft_finished();
}
