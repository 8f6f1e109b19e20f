/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the programs of the differential run tell about their own system calls:
 * one record of 64 bytes a call, in a file that all of them map.
 */
#ifndef CALL_H
#define CALL_H

#include <stdint.h>

enum op {
	OP_BEGIN = 1,	/* a process begins; arg: its role */
	OP_SOCKET,	/* socket() and bind() */
	OP_LISTEN,
	OP_CONNECT,	/* lport is known afterwards */
	OP_ACCEPT,	/* arg: sid of the listener, rport: the client's port */
	OP_SEND,	/* ret: bytes */
	OP_RECV,	/* recv() until nothing comes; ret: bytes, arg: 1 at the end */
	OP_SHUTDOWN,	/* arg: SHUT_* */
	OP_LINGER,	/* SO_LINGER with 0 s */
	OP_CLOSE,
	OP_FORK,	/* pid, a child of arg, has a descriptor of it now */
	OP_PASS,	/* sent over a unix socket; in flight it is held as well */
	OP_TAKE,	/* pid received it: no longer in flight, but here */
	OP_EXIT,	/* _exit() from t0 on: all that pid has is closed */
	OP_KILL,	/* pid was killed by arg, and is gone at t1 */
	OP_ERROR,	/* SO_ERROR; ret: the errno */
	OP_MAX
};

/*
 * Times are CLOCK_BOOTTIME in nanoseconds, before and after the call; t1 is 0
 * while it has not returned, and for ever if the process is killed in it.
 * sid names a socket for its whole life, conn a client's connection.
 */
struct call {
	uint64_t t0, t1;
	uint64_t cookie;	/* SO_COOKIE, 0: not asked */
	uint32_t sid, conn, pid;
	int32_t ret, arg;
	uint16_t lport, rport;
	uint8_t op, link, side, family;	/* 4, 6, 46: IPv4 in an IPv6 socket */
	uint8_t where;			/* enum where */
	uint8_t err;			/* errno, 0: none */
	uint8_t pad[10];
};

enum where { TO_PEER, TO_UNREACHABLE, TO_BLACKHOLE };

_Static_assert(sizeof(struct call) == 64, "the model reads 64 bytes");

#define NO_CONN		0xffffffffu

struct call_log {
	uint64_t used;
	uint32_t next_sid;
	uint32_t room;
	uint8_t pad[48];
	struct call call[];
};

extern struct call_log *call_log;

uint64_t now(void);
struct call *call_new(enum op op);

/* Takes the times around a system call; @c is a struct call. */
#define CALL(c, expr) ({				\
	struct call *call_ = (c);			\
	long ret_;					\
	int err_;					\
	call_->t0 = now();				\
	ret_ = (expr);					\
	err_ = errno;					\
	call_->t1 = now();				\
	call_->ret = ret_;				\
	call_->err = ret_ < 0 ? err_ : 0;		\
	errno = err_;					\
	ret_;						\
})

#endif
