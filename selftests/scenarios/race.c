// SPDX-License-Identifier: GPL-2.0
/*
 * Handshakes whose last ACK comes twice, on two CPUs in the same moment.
 *
 * usage: race COUNT        in a network namespace where packets for 127.0.0.9
 *                          are dropped behind the tap (race.py)
 *
 * Each of COUNT connections to 127.0.0.1:7000 is opened by hand from a port of
 * 127.0.0.9. Prints how many accept() returned.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
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

struct segment {
	struct iphdr ip;
	struct tcphdr tcp;
};

static struct segment last_ack;
static atomic_int round_nr, done_nr;
static struct sockaddr_in server = { .sin_family = AF_INET };

static unsigned int sum(const void *data, size_t len, unsigned int s)
{
	const unsigned short *p = data;

	for (; len > 1; len -= 2)
		s += *p++;
	return s;
}

static void fill(struct segment *g, int port, unsigned int seq, unsigned int ack)
{
	struct {
		unsigned int src, dst;
		unsigned char zero, proto;
		unsigned short len;
	} pseudo = { htonl(0x7f000009), htonl(0x7f000001), 0, IPPROTO_TCP,
		     htons(sizeof(g->tcp)) };
	unsigned int s;

	memset(g, 0, sizeof(*g));
	g->ip.version = 4;
	g->ip.ihl = 5;
	g->ip.tot_len = htons(sizeof(*g));
	g->ip.ttl = 64;
	g->ip.protocol = IPPROTO_TCP;
	g->ip.saddr = pseudo.src;
	g->ip.daddr = pseudo.dst;
	g->tcp.source = htons(port);
	g->tcp.dest = htons(PORT);
	g->tcp.seq = htonl(seq);
	g->tcp.ack_seq = htonl(ack);
	g->tcp.doff = 5;
	g->tcp.syn = !ack;
	g->tcp.ack = !!ack;
	g->tcp.window = htons(65535);
	s = sum(&g->tcp, sizeof(g->tcp), sum(&pseudo, sizeof(pseudo), 0));
	s = (s & 0xffff) + (s >> 16);
	g->tcp.check = ~((s & 0xffff) + (s >> 16));
}

static void emit(int fd, const struct segment *g)
{
	if (sendto(fd, g, sizeof(*g), 0, (void *)&server, sizeof(server)) < 0)
		perror("race: sendto");
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void *second(void *arg)
{
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW), count = *(int *)arg;

	pin(1);
	for (int i = 1; i <= count; i++) {
		while (atomic_load(&round_nr) < i)
			;
		emit(fd, &last_ack);
		atomic_store(&done_nr, i);
	}
	return NULL;
}

/* The sequence number of the SYN+ACK for @port; 0: none came. */
static unsigned int synack(int tap, int port)
{
	struct pollfd p = { tap, POLLIN, 0 };
	struct segment g;

	while (poll(&p, 1, 2000) > 0) {
		if (recv(tap, &g, sizeof(g), 0) == sizeof(g) && g.tcp.syn &&
		    g.tcp.ack && ntohs(g.tcp.dest) == port)
			return ntohl(g.tcp.seq);
	}
	return 0;
}

int main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 100, accepted = 0, lost = 0;
	struct linger linger = { 1, 0 };
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL),
				  .sll_ifindex = 1 };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int raw = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	int tap = socket(AF_PACKET, SOCK_DGRAM, 0);
	pthread_t thread;
	struct segment g;

	server.sin_addr.s_addr = htonl(0x7f000001);
	server.sin_port = htons(PORT);
	if (bind(listener, (void *)&server, sizeof(server)) || listen(listener, 4096) ||
	    raw < 0 || bind(tap, (void *)&ll, sizeof(ll))) {
		perror("race");
		return 1;
	}
	server.sin_port = 0;
	pin(0);
	pthread_create(&thread, NULL, second, &count);
	for (int i = 1; i <= count; i++) {
		int port = FIRST + i;
		unsigned int seq;

		fill(&g, port, 1000, 0);
		emit(raw, &g);
		seq = synack(tap, port);
		lost += !seq;
		fill(&last_ack, port, 1001, seq + 1);
		atomic_store(&round_nr, i);
		/* The other CPU takes a little to notice. */
		for (volatile int wait = i % 64 * 8; wait > 0; wait--)
			;
		emit(raw, &last_ack);
		while (atomic_load(&done_nr) < i)
			;
	}
	pthread_join(thread, NULL);
	for (int fd; (fd = accept(listener, NULL, NULL)) >= 0; accepted++) {
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
		close(fd);
	}
	printf("%d %d\n", accepted, lost);
	return 0;
}
