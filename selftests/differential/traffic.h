/* SPDX-License-Identifier: GPL-2.0 */
#ifndef TRAFFIC_H
#define TRAFFIC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "call.h"

#define MS		1000000ull
#define SEC		1000000000ull

/* The ports of the servers, and what becomes of connections to them. */
enum port {
	PORT_V4 = 80,		/* accepted at once */
	PORT_DUAL = 81,		/* the same, IPv6 and IPv4 in one listener */
	PORT_LATE = 82,		/* accepted some time later */
	PORT_NEVER = 83,	/* not accepted; the listener comes and goes */
	PORT_VICTIM = 84,	/* not accepted; its process is killed */
	PORT_NOBODY = 99,	/* nobody listens */
};

enum kind { KIND_PLAIN, KIND_BOTH_OPEN };

/* What is decided of a connection before it begins: the same on both sides. */
struct plan {
	uint64_t start;		/* after the beginning of the round */
	int64_t other;		/* both open: the server's side, after start */
	uint16_t lport;		/* 0: the kernel chooses */
	uint16_t rport;
	uint8_t kind, family, where;
	bool victim;		/* made by a process of its own */
};

struct link {
	const char *client, *server;	/* namespaces; the same: loopback */
	uint64_t unit;			/* about a round trip, ns */
};

extern const struct link links[];
extern const unsigned int nlinks;

struct random {
	uint64_t s;
};

uint32_t random_next(struct random *r);
/* Uniform below @n; true in @percent of 100 cases. */
uint32_t random_below(struct random *r, uint32_t n);
bool random_chance(struct random *r, uint32_t percent);
uint64_t random_mix(uint64_t a, uint64_t b, uint64_t c);

void plan_make(struct plan *p, uint64_t seed, unsigned int link,
	       uint32_t index, uint64_t span);

/* A connection in the hands of this process. */
struct conn {
	uint32_t sid, conn;
	int fd;
	uint8_t link, side, family, left;
	bool alone;		/* in a process of its own: no forks, no passing */
	struct random rnd;
	uint64_t next;		/* when the next step is due, 0: over */
};

/* The process that takes connections over, -1: none. */
extern int taker;

void conn_script(struct conn *c);
void conn_step(struct conn *c);
bool conn_connect(struct conn *c, const struct plan *p, const char *to4,
		  const char *to6);
struct call *conn_call(const struct conn *c, enum op op);
/* A child that has no other descriptor than the connection; see conn_fork.c */
pid_t conn_fork(struct conn *c, int role);
void conn_alone(struct conn *c);
void process_exit(void);
void process_kill(pid_t pid, uint64_t at);
void process_begin(int role);
void pass_receive(int fd, void (*got)(const struct conn *c));

#endif
