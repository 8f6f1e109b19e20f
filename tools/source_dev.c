// SPDX-License-Identifier: GPL-2.0
/* The live device. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "source.h"
#include "util.h"

#define BUFFER_SIZE	(256 * 1024)

/* Whole records only: a device that breaks its word is not believed. */
static void check_batch(const struct source *src)
{
	size_t pos = 0;

	while (pos < src->len) {
		const struct tcptrail_hdr *hdr = (const void *)(src->data + pos);

		if (src->len - pos < sizeof(*hdr) ||
		    src->len - pos < hdr->size || record_fault(hdr))
			errx(ST_ERROR, "%s delivered a malformed record",
			     src->name);
		pos += hdr->size;
	}
}

static int dev_fill(struct source *src)
{
	ssize_t n;

	do
		n = read(src->fd, src->data, BUFFER_SIZE);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n <= 0)
		errx(ST_ERROR, "reading %s failed: %s", src->name,
		     n ? strerror(errno) : "end of file");
	src->pos = 0;
	src->len = n;
	check_batch(src);
	return 1;
}

/* Signals are blocked but for here, so that none is missed (see signals.c). */
static bool dev_wait(struct source *src)
{
	struct pollfd pfd = { .fd = src->fd, .events = POLLIN };
	struct timespec at_once = { 0 };
	sigset_t none;

	sigemptyset(&none);
	return ppoll(&pfd, 1, src->pos < src->len ? &at_once : NULL,
		     &none) >= 0;
}

static void dev_resync(struct source *src)
{
	src->pos = src->len = 0;
	if (ioctl(src->fd, TCPTRAIL_IOC_RESYNC) < 0)
		err(ST_ERROR, "%s: starting over failed", src->name);
}

static int get_info(struct source *src)
{
	memset(&src->info, 0, sizeof(src->info));
	src->info.size = sizeof(src->info);
	return ioctl(src->fd, TCPTRAIL_IOC_INFO, &src->info);
}

static void dev_refresh(struct source *src)
{
	if (get_info(src) < 0)
		err(ST_ERROR, "%s: no information", src->name);
}

static void dev_close(struct source *src)
{
	close(src->fd);
	free(src->data);
}

static const struct source_ops dev_ops = {
	.fill = dev_fill,
	.wait = dev_wait,
	.resync = dev_resync,
	.refresh = dev_refresh,
	.close = dev_close,
};

__attribute__((noreturn))
static void cannot_open(int status)
{
	if (errno == ENOENT || errno == ENXIO || errno == ENODEV)
		errx(status, "the kernel module is not loaded: try \"sudo modprobe tcptrail\" or \"sudo insmod tcptrail.ko\"");
	if (errno == EACCES)
		errx(status, "no permission to read %s: be root, or a member of the group that owns it",
		     TCPTRAIL_DEVICE);
	if (errno == EPERM)
		errx(status, "no permission to read %s from here: it takes CAP_NET_ADMIN in the initial user namespace, or the initial user and pid namespace",
		     TCPTRAIL_DEVICE);
	err(status, "cannot open %s", TCPTRAIL_DEVICE);
}

struct source *source_open_dev(int status)
{
	struct source *src = xzalloc(sizeof(*src));

	src->ops = &dev_ops;
	src->name = TCPTRAIL_DEVICE;
	src->live = true;
	src->fd = open(src->name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (src->fd < 0)
		cannot_open(status);
	if (get_info(src) < 0 || src->info.magic != TCPTRAIL_MAGIC)
		errx(status, "%s is not the device of the tcptrail module",
		     src->name);
	if (src->info.abi != TCPTRAIL_ABI)
		errx(status, "the loaded module speaks ABI %u, this tool speaks %u: install matching versions",
		     src->info.abi, TCPTRAIL_ABI);
	src->data = xzalloc(BUFFER_SIZE);
	return src;
}
