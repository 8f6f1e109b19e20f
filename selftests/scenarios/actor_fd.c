// SPDX-License-Identifier: GPL-2.0
/*
 * Commands about descriptors: how they get into other processes, and a send()
 * that keeps the socket locked.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "actor.h"

/* ---- descriptors that travel ---- */

static long pass(int via, int fd, const char *to)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .head = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	struct iovec iov = { "fd", 2 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};

	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	if (to) {
		snprintf(un.sun_path + 1, sizeof(un.sun_path) - 1, "actor-%s", to);
		msg.msg_name = &un;
		msg.msg_namelen = offsetof(struct sockaddr_un, sun_path) + 7 + strlen(to);
	}
	return sendmsg(via, &msg, MSG_NOSIGNAL);
}

static int mailbox(const char *name)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(un.sun_path + 1, sizeof(un.sun_path) - 1, "actor-%s", name);
	if (bind(fd, (void *)&un, offsetof(struct sockaddr_un, sun_path) + 7 + strlen(name)))
		perror("actor: bind");
	return fd;
}

/* "mail NAME" opens the box, "take SLOT" waits for what comes. */
static int box = -1;

long cmd_mail(char **arg)
{
	return TIMED(box = mailbox(arg[0]));
}

long cmd_take(char **arg)
{
	char room[CMSG_SPACE(sizeof(int))], text[8];
	struct iovec iov = { text, sizeof(text) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = room, .msg_controllen = sizeof(room),
	};
	long ret = TIMED(recvmsg(box, &msg, 0));

	if (ret > 0 && CMSG_FIRSTHDR(&msg))
		memcpy(slot(arg[0]), CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
	return ret;
}

long cmd_give(char **arg)
{
	int via = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	long ret = TIMED(pass(via, *slot(arg[0]), arg[1]));

	close(via);
	return ret;
}

/* "fork COMM": the child inherits all slots and gets a control of its own. */
long cmd_fork(char **arg)
{
	int pair[2];
	pid_t pid;

	socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair);
	pid = TIMED(fork());
	if (!pid) {
		prctl(PR_SET_NAME, arg[0]);
		prctl(PR_SET_PDEATHSIG, 0);
		dup2(pair[1], CONTROL);
		close(pair[0]);
		close(pair[1]);
		return 0;
	}
	pass(CONTROL, pair[0], NULL);
	close(pair[0]);
	close(pair[1]);
	return pid;
}

/* "exec COMM": the same process, another program; the slots stay open. */
long cmd_exec(char **arg)
{
	static char text[SLOTS][32];
	char *argv[SLOTS + 4] = { "actor", "-", arg[0] };
	int i, n = 3;

	for (i = 0; i < SLOTS; i++) {
		if (slots[i] < 0)
			continue;
		snprintf(text[i], sizeof(text[i]), "%d=%d", i, slots[i]);
		argv[n++] = text[i];
	}
	argv[n] = NULL;
	return TIMED(execv("/proc/self/exe", argv));
}

/* ---- a send() that stands still with the socket locked ---- */

struct fault {
	int fd, ms;
	void *page;
};

static void *serve_fault(void *p)
{
	struct fault *f = p;
	struct uffdio_zeropage zero = { .range = { (unsigned long)f->page, 4096 } };
	struct uffd_msg msg;

	if (read(f->fd, &msg, sizeof(msg)) == sizeof(msg)) {
		usleep(f->ms * 1000);
		ioctl(f->fd, UFFDIO_ZEROPAGE, &zero);
	}
	return NULL;
}

/*
 * "slowsend SLOT MS": what is sent lies on a page that takes MS to come. The
 * kernel waits for it with the socket owned, so every segment that arrives in
 * between is put off and handled, in this process, when send() lets go.
 */
long cmd_slowsend(char **arg)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct fault f = { .ms = atoi(arg[1]) };
	pthread_t thread;
	long ret;

	f.fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	f.page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	reg.range = (struct uffdio_range){ (unsigned long)f.page, 4096 };
	if (f.fd < 0 || ioctl(f.fd, UFFDIO_API, &api) ||
	    ioctl(f.fd, UFFDIO_REGISTER, &reg))
		return -1;
	pthread_create(&thread, NULL, serve_fault, &f);
	ret = TIMED(send(*slot(arg[0]), f.page, 100, MSG_NOSIGNAL));
	pthread_join(thread, NULL);
	munmap(f.page, 4096);
	close(f.fd);
	return ret;
}
