/* SPDX-License-Identifier: GPL-2.0 */
/* What the kernel says of its TCP sockets now: NETLINK_SOCK_DIAG. */
#ifndef DIAG_H
#define DIAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/tcptrail.h>

struct nlmsghdr;

/* idiag_timer */
enum diag_timer {
	DIAG_TIMER_NONE,
	DIAG_TIMER_RETRANS,
	DIAG_TIMER_KEEPALIVE,
	DIAG_TIMER_TIMEWAIT,
	DIAG_TIMER_PROBE,	/* of a zero window */
};

/* What is used of struct tcp_info. Times in milliseconds before now. */
struct diag_info {
	uint32_t data_sent_ms, data_recv_ms, ack_recv_ms;
	uint32_t rto_us;
	uint32_t unacked, notsent, total_retrans;
	uint32_t snd_wnd;	/* with @has_snd_wnd (Linux 5.4) */
	uint64_t bytes_acked, bytes_received;
	uint8_t retransmits, backoff, probes;
	bool has_snd_wnd;
};

/**
 * struct diag_sock - a socket, or what is left of one
 * @who: addresses; the flags are only TCPTRAIL_F_IPV6 and _MINI
 * @inode: of sockfs, 0: no file descriptor has been made (not accepted), or
 *	the last one was closed
 * @rqueue: bytes not read, an unread FIN counts one; of a listener: waiting
 *	for accept()
 * @wqueue: bytes not acknowledged; of a listener: its backlog
 * @expires_ms: until @timer fires
 * @retrans: of SYN+ACK, the oldest segment, or probes: what @timer is about
 * @net: index of its network namespace (netns.h)
 * @has_info: @info is filled; not for requests and minisockets
 * @v6only: a listener that takes no IPv4
 * @gone: it was, but is no more: nothing is to be said of it
 */
struct diag_sock {
	struct tcptrail_conn who;
	uint64_t cgroup;
	uint32_t inode, uid;
	uint32_t rqueue, wqueue;
	uint32_t expires_ms;
	uint32_t net;
	uint8_t state, timer, retrans;
	bool has_info, request, mini, mptcp, v6only, gone;
	struct diag_info info;
};

/**
 * struct diag - all sockets
 * @damaged: messages that made no sense
 * @interrupted: the tables changed so much that sockets may be missing
 */
struct diag {
	struct diag_sock *sock;
	size_t n, room;
	uint64_t damaged;
	bool interrupted;
};

/*
 * Add the sockets of the network namespace this thread is in. False: errno
 * says why it can't be done.
 */
bool diag_dump(struct diag *d, uint32_t net, uint32_t netns_ino);
/* The same from the netlink messages of a file. */
bool diag_read(struct diag *d, const char *path, uint32_t net,
	       uint32_t netns_ino);
/* One message; what is no socket is counted as damaged. */
void diag_add(struct diag *d, const struct nlmsghdr *nlh, uint32_t net,
	      uint32_t netns_ino);
/*
 * Is @s, of the namespace this thread is in, still as it was told: in that
 * state, with that descriptor? False also if that can't be found out.
 */
bool diag_still(const struct diag_sock *s);
/* Can sockets be destroyed by "ss -K" here? */
bool diag_can_destroy(void);
/*
 * Does tcp_abort() of the kernel with that @release and @version, as uname(2)
 * tells them, end a closed socket that no program holds? Before Linux 6.11, and
 * 6.10.8, 6.6.85 and 6.1.132, it only throws away what the socket has to send,
 * the FIN too: then it stays for ever.
 */
bool diag_ends_orphans(const char *release, const char *version);
void diag_free(struct diag *d);

#endif
