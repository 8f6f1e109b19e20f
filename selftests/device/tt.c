// SPDX-License-Identifier: GPL-2.0
/* The module, connections and time; see tt.h. What reads is in tt_read.c. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tt.h"

#ifndef SO_COOKIE
#define SO_COOKIE 57
#endif

/* ---- the module ---- */

static void *image;
static size_t image_size;

/* Read once, for all the tests of a program: files may come over a network. */
static void __attribute__((constructor)) read_image(void)
{
	const char *path = getenv("TCPTRAIL_KO");
	struct stat st;
	int fd;

	if (!path)
		path = getenv("MODULE");
	fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0)
		return;
	if (!fstat(fd, &st))
		image = malloc(st.st_size);
	if (image && read(fd, image, st.st_size) == st.st_size)
		image_size = st.st_size;
	close(fd);
}

int tt_load(const char *params)
{
	if (!image_size)
		return -ENOENT;
	return syscall(SYS_init_module, image, image_size, params) ? -errno : 0;
}

int tt_unload(void)
{
	return syscall(SYS_delete_module, "tcptrail", O_NONBLOCK) ? -errno : 0;
}

int tt_refcount(void)
{
	FILE *file = fopen("/sys/module/tcptrail/refcnt", "re");
	int count = -1;

	if (!file)
		return -1;
	if (fscanf(file, "%d", &count) != 1)
		count = -1;
	fclose(file);
	return count;
}

/* ---- connections ---- */

int tt_new_net(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd, ret = 0;

	if (unshare(CLONE_NEWNET))
		return -errno;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr))
		ret = -errno;
	close(fd);
	return ret;
}

static socklen_t loopback(int family, struct sockaddr_storage *addr)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)addr;
	struct sockaddr_in *in = (struct sockaddr_in *)addr;

	memset(addr, 0, sizeof(*addr));
	addr->ss_family = family;
	if (family == AF_INET) {
		in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		return sizeof(*in);
	}
	in6->sin6_addr = in6addr_loopback;
	return sizeof(*in6);
}

int tt_listen(int family, int backlog)
{
	struct sockaddr_storage addr;
	socklen_t len = loopback(family, &addr);
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (bind(fd, (struct sockaddr *)&addr, len) || listen(fd, backlog)) {
		close(fd);
		return -1;
	}
	return fd;
}

int tt_connect(int listener, int *client, int *server)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);

	*client = -1;
	*server = -1;
	if (getsockname(listener, (struct sockaddr *)&addr, &len))
		return -1;
	*client = socket(addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*client < 0)
		return -1;
	if (connect(*client, (struct sockaddr *)&addr, len))
		return -1;
	*server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	return *server < 0 ? -1 : 0;
}

void tt_reset(int fd)
{
	struct linger linger = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(fd);
}

uint64_t tt_cookie(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len);
	return cookie;
}

unsigned int tt_port(int fd)
{
	struct sockaddr_in6 addr;
	socklen_t len = sizeof(addr);

	if (getsockname(fd, (struct sockaddr *)&addr, &len))
		return 0;
	/* The port lies at the same place in a struct sockaddr_in. */
	return ntohs(addr.sin6_port);
}

struct tt_truth *tt_truth(unsigned int max)
{
	struct tt_truth *truth;

	truth = mmap(NULL, sizeof(*truth) + max * sizeof(truth->cookie[0]),
		     PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return truth == MAP_FAILED ? NULL : truth;
}

static void reset_pair(int pair[2])
{
	if (pair[0] > 0) {
		tt_reset(pair[0]);
		close(pair[1]);
	}
}

int tt_churn(int family, int n, int window, struct tt_truth *truth)
{
	int listener = tt_listen(family, 16), i;
	int pair[window][2];

	memset(pair, 0, sizeof(pair));
	if (listener < 0)
		return 0;
	for (i = 0; i < n; i++) {
		int *fd = pair[i % window];

		reset_pair(fd);
		if (tt_connect(listener, &fd[0], &fd[1])) {
			close(fd[0]);
			fd[0] = 0;
			break;
		}
		if (!truth)
			continue;
		truth->cookie[i][0] = tt_cookie(fd[0]);
		truth->cookie[i][1] = tt_cookie(fd[1]);
		__atomic_store_n(&truth->made, i + 1, __ATOMIC_RELEASE);
	}
	n = i;
	for (i = 0; i < window; i++)
		reset_pair(pair[i]);
	close(listener);
	return n;
}

int tt_storm(int family, int n)
{
	return tt_churn(family, n, 1, NULL);
}

unsigned int tt_made(const struct tt_truth *truth)
{
	return __atomic_load_n(&truth->made, __ATOMIC_ACQUIRE);
}

pid_t tt_churn_on(int cpu, int family, int n, int window,
		  struct tt_truth *truth)
{
	struct rlimit files = { .rlim_cur = 65536, .rlim_max = 65536 };
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setrlimit(RLIMIT_NOFILE, &files);
	if (tt_pin(cpu))
		_exit(2);
	_exit(tt_churn(family, n, window, truth) != n);
}

int tt_exit_of(pid_t pid)
{
	int status;

	if (pid <= 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int tt_pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set);
}

bool tt_is_emulated(void)
{
	return tt_exists_in("/proc/cpuinfo", "QEMU");
}

/* ---- time ---- */

uint64_t tt_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

unsigned int tt_patience(void)
{
	const char *times = getenv("TT_PATIENCE");

	return times ? atoi(times) : 1;
}

bool tt_wait_for(bool (*done)(void *arg), void *arg, int ms)
{
	uint64_t end = tt_now_ns() + ms * 1000000ULL * tt_patience();
	bool ret;

	while (!(ret = done(arg)) && tt_now_ns() < end)
		usleep(2000);
	return ret;
}

static bool is_asleep(void *arg)
{
	char path[64], state = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", *(pid_t *)arg);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
		state = 0;
	fclose(file);
	return state == 'S';
}

bool tt_wait_asleep(pid_t pid)
{
	return tt_wait_for(is_asleep, &pid, 5000);
}

/* ---- memory of the kernel ---- */

static long meminfo(const char *name)
{
	FILE *file = fopen("/proc/meminfo", "re");
	char line[128];
	long kb = -1;

	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, name, strlen(name)))
			sscanf(line + strlen(name), ": %ld", &kb);
	fclose(file);
	return kb;
}

/*
 * The stacks of processes come and go. The code of modules does, too, and its
 * size is that of the module, so it is counted like the rest.
 */
static void measure_vmalloc(struct tt_memory *m)
{
	FILE *file = fopen("/proc/vmallocinfo", "re");
	char line[512];
	long size;

	m->vmalloc_kb = 0;
	m->areas = 0;
	while (fgets(line, sizeof(line), file)) {
		if (strstr(line, "dup_task_struct") ||
		    strstr(line, "alloc_thread_stack") ||
		    strstr(line, "unpurged") || strstr(line, "copy_process"))
			continue;
		if (sscanf(line, "%*s %ld", &size) != 1)
			continue;
		m->vmalloc_kb += size / 1024;
		m->areas++;
	}
	fclose(file);
}

static void measure_slabs(struct tt_memory *m)
{
	FILE *file = fopen("/proc/slabinfo", "re");
	char line[512], name[64];
	long active;

	m->objects = 0;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "%63s %ld", name, &active) == 2 &&
		    !strncmp(name, "kmalloc-", 8))
			m->objects += active;
	fclose(file);
}

void tt_measure(struct tt_memory *m)
{
	FILE *file = fopen("/proc/sys/vm/drop_caches", "we");

	fputs("3\n", file);
	fclose(file);
	/* What is freed by RCU and in the background. */
	usleep(500000);
	m->free_kb = meminfo("MemAvailable");
	m->slab_kb = meminfo("SUnreclaim");
	m->percpu_kb = meminfo("Percpu");
	measure_vmalloc(m);
	measure_slabs(m);
}

bool tt_exists_in(const char *path, const char *text)
{
	FILE *file = fopen(path, "re");
	char line[512];
	bool found = false;

	while (file && fgets(line, sizeof(line), file))
		found |= !!strstr(line, text);
	if (file)
		fclose(file);
	return found;
}
