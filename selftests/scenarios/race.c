// SPDX-License-Identifier: GPL-2.0
/*
 * Handshakes whose last ACK comes twice, on two CPUs in the same moment.
 *
 * usage: race 4|6 COUNT    in a network namespace where packets for the peer
 *                          are dropped behind the tap (race.py)
 *
 * Each of COUNT connections to port 7000 of the server is opened by hand from a
 * port of the peer, which has no sockets. Prints how many accept() returned, and
 * for how many no SYN+ACK came.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PORT		7000
#define FIRST		10000

struct segment4 {
	struct iphdr ip;
	struct tcphdr tcp;
};

struct segment6 {
	struct ip6_hdr ip;
	struct tcphdr tcp;
};

union segment {
	struct segment4 v4;
	struct segment6 v6;
};

static union segment last_ack;
static atomic_int round_nr, done_nr;
static int family = AF_INET;
static union {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
} server, peer;
static socklen_t addr_len;
static size_t seg_len;

static void addresses(void)
{
	if (family == AF_INET) {
		server.v4.sin_addr.s_addr = htonl(0x7f000001);
		peer.v4.sin_addr.s_addr = htonl(0x7f000009);
		addr_len = sizeof(server.v4);
		seg_len = sizeof(struct segment4);
	} else {
		inet_pton(AF_INET6, "fd00::1", &server.v6.sin6_addr);
		inet_pton(AF_INET6, "fd00::9", &peer.v6.sin6_addr);
		addr_len = sizeof(server.v6);
		seg_len = sizeof(struct segment6);
	}
	server.any.sa_family = family;
}

static unsigned int sum(const void *data, size_t len, unsigned int s)
{
	const unsigned short *p = data;

	for (; len > 1; len -= 2)
		s += *p++;
	return s;
}

/* The ones' complement sum over the pseudo header and the segment. */
static void checksum(struct tcphdr *tcp, const void *src, const void *dst,
		     size_t len)
{
	unsigned int s = htons(IPPROTO_TCP) + htons(sizeof(*tcp));

	s = sum(tcp, sizeof(*tcp), sum(dst, len, sum(src, len, s)));
	s = (s & 0xffff) + (s >> 16);
	tcp->check = ~((s & 0xffff) + (s >> 16));
}

static void fill_tcp(struct tcphdr *tcp, int port, unsigned int seq,
		     unsigned int ack)
{
	tcp->source = htons(port);
	tcp->dest = htons(PORT);
	tcp->seq = htonl(seq);
	tcp->ack_seq = htonl(ack);
	tcp->doff = 5;
	tcp->syn = !ack;
	tcp->ack = !!ack;
	tcp->window = htons(65535);
}

static void fill4(struct segment4 *g, int port, unsigned int seq, unsigned int ack)
{
	g->ip.version = 4;
	g->ip.ihl = 5;
	g->ip.tot_len = htons(sizeof(*g));
	g->ip.ttl = 64;
	g->ip.protocol = IPPROTO_TCP;
	g->ip.saddr = peer.v4.sin_addr.s_addr;
	g->ip.daddr = server.v4.sin_addr.s_addr;
	fill_tcp(&g->tcp, port, seq, ack);
	checksum(&g->tcp, &peer.v4.sin_addr, &server.v4.sin_addr, 4);
}

static void fill6(struct segment6 *g, int port, unsigned int seq, unsigned int ack)
{
	g->ip.ip6_flow = htonl(6U << 28);
	g->ip.ip6_plen = htons(sizeof(g->tcp));
	g->ip.ip6_nxt = IPPROTO_TCP;
	g->ip.ip6_hlim = 64;
	g->ip.ip6_src = peer.v6.sin6_addr;
	g->ip.ip6_dst = server.v6.sin6_addr;
	fill_tcp(&g->tcp, port, seq, ack);
	checksum(&g->tcp, &peer.v6.sin6_addr, &server.v6.sin6_addr, 16);
}

static void fill(union segment *g, int port, unsigned int seq, unsigned int ack)
{
	memset(g, 0, sizeof(*g));
	if (family == AF_INET)
		fill4(&g->v4, port, seq, ack);
	else
		fill6(&g->v6, port, seq, ack);
}

static void emit(int fd, const union segment *g)
{
	if (sendto(fd, g, seg_len, 0, &server.any, addr_len) < 0)
		perror("race: sendto");
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* Spinning is what makes it a race; but not for ever on a busy machine. */
static void wait_for(atomic_int *nr, int i)
{
	for (int spins = 0; atomic_load(nr) < i; spins++)
		if (spins > 2000)
			sched_yield();
}

static void *second(void *arg)
{
	int fd = socket(family, SOCK_RAW, IPPROTO_RAW), count = *(int *)arg;

	pin(1);
	for (int i = 1; i <= count; i++) {
		wait_for(&round_nr, i);
		emit(fd, &last_ack);
		atomic_store(&done_nr, i);
	}
	return NULL;
}

/* The sequence number of the SYN+ACK for @port; 0: none came. */
static unsigned int synack(int tap, int port)
{
	struct pollfd p = { tap, POLLIN, 0 };
	union segment g;

	while (poll(&p, 1, 2000) > 0) {
		const struct tcphdr *tcp = family == AF_INET ? &g.v4.tcp : &g.v6.tcp;
		ssize_t len = recv(tap, &g, sizeof(g), 0);

		/* A SYN+ACK has options, so it is longer. */
		if (len >= (ssize_t)seg_len && tcp->syn && tcp->ack &&
		    ntohs(tcp->dest) == port)
			return ntohl(tcp->seq);
	}
	return 0;
}

static void race(int raw, int tap, int i, int *lost)
{
	int port = FIRST + i;
	union segment g;
	unsigned int seq = 0;

	fill(&g, port, 1000, 0);
	emit(raw, &g);
	/* Each takes 2 s: once it is known that something is wrong, no more. */
	if (*lost < 3)
		seq = synack(tap, port);
	*lost += !seq;
	fill(&last_ack, port, 1001, seq + 1);
	atomic_store(&round_nr, i);
	/* The other CPU takes a little to notice. */
	for (volatile int wait = i % 64 * 8; wait > 0; wait--)
		;
	emit(raw, &last_ack);
	wait_for(&done_nr, i);
}

static int listening(void)
{
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0), off = 0;

	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (family == AF_INET)
		server.v4.sin_port = htons(PORT);
	else
		server.v6.sin6_port = htons(PORT);
	if (bind(fd, &server.any, addr_len) || listen(fd, 4096))
		return -1;
	/* For a raw socket it would be a protocol. */
	server.v4.sin_port = 0;
	return fd;
}

int main(int argc, char **argv)
{
	int count = argc > 2 ? atoi(argv[2]) : 100, accepted = 0, lost = 0;
	struct linger linger = { 1, 0 };
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL),
				  .sll_ifindex = 1 };
	int listener, raw, tap = socket(AF_PACKET, SOCK_DGRAM, 0);
	pthread_t thread;

	family = argc > 1 && *argv[1] == '6' ? AF_INET6 : AF_INET;
	addresses();
	listener = listening();
	raw = socket(family, SOCK_RAW, IPPROTO_RAW);
	if (listener < 0 || raw < 0 || bind(tap, (void *)&ll, sizeof(ll))) {
		perror("race");
		return 1;
	}
	pin(0);
	pthread_create(&thread, NULL, second, &count);
	for (int i = 1; i <= count; i++)
		race(raw, tap, i, &lost);
	pthread_join(thread, NULL);
	for (int fd; (fd = accept(listener, NULL, NULL)) >= 0; accepted++) {
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
		close(fd);
	}
	printf("%d %d\n", accepted, lost);
	return 0;
}
