// SPDX-License-Identifier: GPL-2.0
/* The random calls of fuzz.c, and what each may answer. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz.h"
#include "tt.h"

unsigned int failures;
int poison = -1;
char *read_only_page;

void wrong(const char *format, ...)
{
	static pthread_mutex_t say_lock = PTHREAD_MUTEX_INITIALIZER;
	va_list args;

	pthread_mutex_lock(&say_lock);
	if (failures++ < 20) {
		va_start(args, format);
		printf("# wrong: ");
		vprintf(format, args);
		printf("\n");
		fflush(stdout);
		va_end(args);
	}
	pthread_mutex_unlock(&say_lock);
}

uint64_t draw(struct thread *t, uint64_t n)
{
	t->state ^= t->state << 13;
	t->state ^= t->state >> 7;
	t->state ^= t->state << 17;
	return n ? t->state % n : t->state;
}

/* errno after @ret, and is it one of those (0 ends the list)? */
static void expect(const char *call, long ret, const int *allowed)
{
	int error = ret < 0 ? errno : 0;

	for (; error && *allowed != error; allowed++)
		if (!*allowed)
			return wrong("%s: %s", call, strerror(error));
}

#define EXPECT(call, ret, ...) \
	expect(call, ret, (const int[]){ __VA_ARGS__, 0 })

/* ---- records ---- */

static void take_records(struct file *f, const char *buf, size_t len)
{
	union tt_record rec;
	const char *why;

	while (len) {
		memset(&rec, 0, sizeof(rec));
		memcpy(&rec.hdr, buf, len < sizeof(rec.hdr) ? len : sizeof(rec.hdr));
		if (rec.hdr.size < sizeof(rec.hdr) || rec.hdr.size > len ||
		    rec.hdr.size > sizeof(rec))
			return wrong("a record of %u bytes in %zu", rec.hdr.size, len);
		memcpy(&rec, buf, rec.hdr.size);
		why = tt_check(&rec);
		if (!why && poison >= 0)
			why = tt_poisoned(&rec, poison);
		if (why)
			wrong("%s (type %u cause %u)", why, rec.hdr.type, rec.step.cause);
		if (rec.hdr.type <= TCPTRAIL_END)
			__atomic_add_fetch(&f->records, 1, __ATOMIC_RELAXED);
		if (rec.hdr.type == TCPTRAIL_LOST)
			__atomic_add_fetch(&f->lost, rec.lost.lost, __ATOMIC_RELAXED);
		buf += rec.hdr.size;
		len -= rec.hdr.size;
	}
}

void settle(struct file *f)
{
	struct tcptrail_info info;
	int ret = tt_info(f->fd, &info);

	if (ret)
		return wrong("info at the end: %s", strerror(-ret));
	if (info.delivered < f->records ||
	    info.delivered - f->records > f->faults)
		wrong("given %llu, received %llu, %llu faults",
		      (unsigned long long)info.delivered,
		      (unsigned long long)f->records,
		      (unsigned long long)f->faults);
	if (info.lost < f->lost || (!f->faults && info.lost != f->lost))
		wrong("lost %llu, told %llu", (unsigned long long)info.lost,
		      (unsigned long long)f->lost);
}

/* ---- calls ---- */

static size_t random_size(struct thread *t)
{
	static const size_t sizes[] = {
		0, 1, 8, 24, 255, 256, 257, 511, 512, 4096, 65536, FUZZ_ROOM,
	};

	if (draw(t, 4))
		return sizes[draw(t, sizeof(sizes) / sizeof(sizes[0]))];
	return draw(t, FUZZ_ROOM + 1);
}

static void *bad_address(struct thread *t)
{
	switch (draw(t, 6)) {
	case 0:
		return NULL;
	case 1:
		return (void *)(uintptr_t)draw(t, 4096);
	case 2:
		return (void *)(0xffff888000000000 + draw(t, 1 << 30));
	case 3:
		return read_only_page;
	case 4:		/* partly there */
		return t->room + FUZZ_ROOM - draw(t, 1024);
	}
	return (void *)(uintptr_t)draw(t, 0);
}

static void op_read(struct thread *t, struct file *f)
{
	size_t size = random_size(t);
	ssize_t n = read(f->fd, t->room, size);

	EXPECT("read", n, EAGAIN, EINTR, size < TCPTRAIL_RECORD_MAX ? EINVAL : EAGAIN);
	if (!n || n > (ssize_t)size)
		wrong("read of %zu returned %zd", size, n);
	if (n > 0)
		take_records(f, t->room, n);
}

static void op_read_badly(struct thread *t, struct file *f)
{
	void *address = bad_address(t);
	size_t size = draw(t, 8) ? random_size(t) : draw(t, 0);
	ssize_t n;

	/* Never more than lies before the page that is not there. */
	if ((char *)address >= t->room && (char *)address < t->room + FUZZ_ROOM &&
	    size < 1024)
		size = 1024;
	__atomic_add_fetch(&f->faults, 1, __ATOMIC_RELAXED);
	n = read(f->fd, address, size);
	EXPECT("read to nowhere", n, EFAULT, EAGAIN, EINTR, EINVAL);
	if (n > 0)
		take_records(f, address, n);
}

static void op_pread(struct thread *t, struct file *f)
{
	ssize_t n = pread(f->fd, t->room, 65536, draw(t, 1 << 30));

	EXPECT("pread", n, EAGAIN, EINTR);
	if (n > 0)
		take_records(f, t->room, n);
}

static void op_readv(struct thread *t, struct file *f)
{
	struct iovec io[4];
	ssize_t n, k;
	int i;

	for (i = 0; i < 4; i++) {
		io[i].iov_base = t->room + i * (FUZZ_ROOM / 4);
		io[i].iov_len = draw(t, 3) ? 256 + draw(t, 4096) : draw(t, 256);
	}
	n = readv(f->fd, io, 4);
	EXPECT("readv", n, EAGAIN, EINTR, EINVAL);
	/* A part that was not filled ends it. */
	for (i = 0; i < 4 && n > 0; i++, n -= k) {
		k = n < (ssize_t)io[i].iov_len ? n : (ssize_t)io[i].iov_len;
		take_records(f, io[i].iov_base, k);
	}
}

static void op_seek(struct thread *t, struct file *f)
{
	off_t offset = draw(t, 3) ? 0 : (off_t)draw(t, 0);
	int whence = draw(t, 6);
	off_t ret = lseek(f->fd, offset, whence);
	bool fine = !offset && (whence == SEEK_SET || whence == SEEK_END);

	EXPECT("lseek", ret, fine ? EINTR : EINVAL);
	if (!fine && ret >= 0)
		wrong("lseek(%lld, %d) returned %lld", (long long)offset,
		      whence, (long long)ret);
}

static void op_info(struct thread *t, struct file *f)
{
	static const unsigned int sizes[] = {
		0, 4, 15, 16, 17, 64, sizeof(struct tcptrail_info) - 1,
		sizeof(struct tcptrail_info), sizeof(struct tcptrail_info) + 1,
		4095, 4096, 4097, 0xffffffff,
	};
	unsigned int size = sizes[draw(t, sizeof(sizes) / sizeof(sizes[0]))];
	size_t tail = draw(t, 3) ? 0 : 4 + draw(t, 4092);
	bool fine = size >= 16 && size <= 4096 && (!tail || tail >= size);
	int ret;

	memset(t->room, 0, 8192);
	t->room[tail] = tail ? 1 + draw(t, 255) : 0;
	memcpy(t->room, &size, sizeof(size));
	ret = ioctl(f->fd, TCPTRAIL_IOC_INFO, t->room);
	EXPECT("info", ret, fine ? EINTR : EINVAL);
	if (!ret != fine)
		wrong("info of size %u, tail %zu: %d", size, tail, ret);
}

static void op_info_badly(struct thread *t, struct file *f)
{
	int ret = ioctl(f->fd, TCPTRAIL_IOC_INFO, bad_address(t));

	EXPECT("info to nowhere", ret, EFAULT, EINVAL);
}

static void op_resync(struct thread *t, struct file *f)
{
	EXPECT("resync", ioctl(f->fd, TCPTRAIL_IOC_RESYNC, draw(t, 0)), EINTR);
}

/* Those of the file system, which come before ours, are left alone. */
static void op_ioctl(struct thread *t, struct file *f)
{
	unsigned int cmd = draw(t, 3) ? _IOC(draw(t, 4), 0xbe, draw(t, 256), draw(t, 1 << 14)) :
			   (unsigned int)draw(t, 0);
	int ret;

	if (cmd == TCPTRAIL_IOC_INFO || cmd == TCPTRAIL_IOC_RESYNC ||
	    _IOC_TYPE(cmd) == 'X' || _IOC_TYPE(cmd) == 'f' ||
	    _IOC_TYPE(cmd) == 'T' || _IOC_TYPE(cmd) == 0)
		return;
	ret = ioctl(f->fd, cmd, draw(t, 0));
	if (ret != -1 || errno != ENOTTY)
		wrong("ioctl %#x: %d %s", cmd, ret, strerror(errno));
}

static void op_poll(struct thread *t, struct file *f)
{
	struct pollfd pfd = { .fd = f->fd, .events = draw(t, 1 << 16) };
	int ret = poll(&pfd, 1, draw(t, 16) ? 0 : 1);

	EXPECT("poll", ret, EINTR);
	if (ret > 0 && pfd.revents & ~(POLLIN | POLLRDNORM | POLLPRI))
		wrong("poll: revents %#x", pfd.revents);
}

static void op_epoll(struct thread *t, struct file *f)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLPRI };
	int ep = epoll_create1(EPOLL_CLOEXEC), ret;

	if (draw(t, 2))
		event.events |= EPOLLET;
	if (draw(t, 2))
		event.events |= EPOLLONESHOT;
	EXPECT("epoll add", epoll_ctl(ep, EPOLL_CTL_ADD, f->fd, &event), EINTR);
	if (draw(t, 2))
		EXPECT("epoll mod", epoll_ctl(ep, EPOLL_CTL_MOD, f->fd, &event), EINTR);
	ret = epoll_wait(ep, &event, 1, draw(t, 16) ? 0 : 1);
	EXPECT("epoll wait", ret, EINTR);
	if (ret > 0 && event.events & ~(EPOLLIN | EPOLLPRI))
		wrong("epoll: events %#x", event.events);
	if (draw(t, 2))
		EXPECT("epoll del", epoll_ctl(ep, EPOLL_CTL_DEL, f->fd, NULL), EINTR);
	close(ep);
}

static void op_not_ours(struct thread *t, struct file *f)
{
	off_t offset = 0;

	switch (draw(t, 6)) {
	case 0:
		EXPECT("write", write(f->fd, t->room, 256), EBADF);
		break;
	case 1:
		EXPECT("ftruncate", ftruncate(f->fd, 0), EINVAL);
		break;
	case 2:
		if (mmap(NULL, 4096, PROT_READ, MAP_SHARED, f->fd, 0) != MAP_FAILED)
			wrong("mmap worked");
		break;
	case 3:
		EXPECT("fsync", fsync(f->fd), EINVAL);
		break;
	case 4:
		EXPECT("sendfile", sendfile(STDERR_FILENO, f->fd, &offset, 0),
		       EINVAL, ESPIPE);
		break;
	case 5:
		EXPECT("fcntl", fcntl(f->fd, F_SETFL, draw(t, 8) ? O_NONBLOCK : 0), EINTR);
		break;
	}
}

static void op_dup(struct thread *t, struct file *f)
{
	int fd = draw(t, 2) ? dup(f->fd) : fcntl(f->fd, F_DUPFD_CLOEXEC, 3);
	struct file copy = *f;

	EXPECT("dup", fd, EMFILE);
	if (fd < 0)
		return;
	copy.fd = fd;
	copy.records = copy.lost = 0;
	op_read(t, &copy);
	close(fd);
	__atomic_add_fetch(&f->records, copy.records, __ATOMIC_RELAXED);
	__atomic_add_fetch(&f->lost, copy.lost, __ATOMIC_RELAXED);
}

/* Through a socket to oneself: for a moment nobody but the socket has it. */
static void op_send(struct thread *t, struct file *f)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 }, byte = 0;
	struct iovec io = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &io, .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	int pair[2], fd = -1;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return wrong("socketpair: %s", strerror(errno));
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &f->fd, sizeof(int));
	EXPECT("sendmsg", sendmsg(pair[0], &msg, 0), EINTR);
	if (draw(t, 2) && recvmsg(pair[1], &msg, MSG_CMSG_CLOEXEC) == 1) {
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
		EXPECT("poll", poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, 0), EINTR);
		close(fd);
	}
	close(pair[0]);
	close(pair[1]);
}

/* A child shares the file; what it reads is gone for the others. */
static void op_fork(struct thread *t, struct file *f)
{
	pid_t pid;

	if (draw(t, 64))
		return;
	pid = fork();
	if (!pid) {
		lseek(f->fd, 0, SEEK_SET);
		poll(&(struct pollfd){ f->fd, POLLIN, 0 }, 1, 0);
		if (draw(t, 2))
			kill(getpid(), SIGKILL);
		_exit(0);
	}
	if (pid < 0)
		return wrong("fork: %s", strerror(errno));
	while (waitpid(pid, NULL, 0) != pid)
		if (errno != EINTR)
			return wrong("waitpid: %s", strerror(errno));
}

static void op_open(struct thread *t, struct file *f)
{
	static const int flags[] = {
		O_WRONLY, O_RDWR, O_RDWR | O_NONBLOCK, O_RDONLY | O_APPEND,
		O_RDONLY | O_TRUNC, O_RDONLY | O_DIRECTORY, O_RDONLY | O_EXCL,
	};
	int flag = flags[draw(t, sizeof(flags) / sizeof(flags[0]))];
	int fd = open(TCPTRAIL_DEVICE, flag | O_CLOEXEC);

	(void)f;
	EXPECT("open", fd, flag & O_ACCMODE ? EACCES : ENOTDIR);
	if (fd >= 0 && flag & O_ACCMODE)
		wrong("open for writing worked");
	if (fd >= 0)
		close(fd);
}

const struct op ops[] = {
	{ "read", op_read, 24 }, { "read to nowhere", op_read_badly, 6 },
	{ "pread", op_pread, 4 }, { "readv", op_readv, 4 },
	{ "lseek", op_seek, 6 }, { "info", op_info, 10 },
	{ "info to nowhere", op_info_badly, 4 }, { "resync", op_resync, 2 },
	{ "ioctl", op_ioctl, 10 }, { "poll", op_poll, 10 },
	{ "epoll", op_epoll, 4 }, { "not ours", op_not_ours, 6 },
	{ "dup", op_dup, 4 }, { "send", op_send, 2 }, { "fork", op_fork, 1 },
	{ "open", op_open, 2 },
};
const unsigned int nops = sizeof(ops) / sizeof(ops[0]);
