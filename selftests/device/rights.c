// SPDX-License-Identifier: GPL-2.0
/* Who may open /dev/tcptrail, how, and who sees sequence numbers. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "tt.h"

#define NOBODY 65534

/* Three connections and a listener: one open, one ended, one in CLOSE_WAIT. */
FIXTURE(rights)
{
	int listener, client, server, half;
	int steps;
};

FIXTURE_SETUP(rights)
{
	int client, server;

	ASSERT_EQ(0, tt_load(""));
	ASSERT_EQ(0, tt_new_net());
	self->listener = tt_listen(AF_INET6, 16);
	ASSERT_LE(0, self->listener);
	ASSERT_EQ(0, tt_connect(self->listener, &client, &server));
	tt_reset(client);
	close(server);
	ASSERT_EQ(0, tt_connect(self->listener, &client, &self->half));
	close(client);
	ASSERT_EQ(0, tt_connect(self->listener, &self->client, &self->server));
}

FIXTURE_TEARDOWN(rights)
{
	close(self->listener);
	tt_reset(self->client);
	tt_reset(self->server);
	close(self->half);
	EXPECT_EQ(0, tt_unload());
}

/* ---- what a child process does and how it says what came of it ---- */

#define OPENED		0
#define REDACTED	100	/* opened, and not one number is to be seen */
#define MIXED		101	/* opened, and some are */
#define BROKEN		102	/* could not be tried */

/* Exit status of a reader: OPENED with all numbers, REDACTED, or an errno. */
static int try_read(void)
{
	struct tt_reader *rd = tt_open(O_NONBLOCK);
	int plain = 0, redacted = 0, all;
	union tt_record rec;
	bool broken;

	if (!rd)
		return errno;
	while (tt_next(rd, &rec) > 0) {
		const struct tcptrail_conn *conn = &rec.step.conn;
		bool full = rec.hdr.type <= TCPTRAIL_EVENT;
		uint32_t numbers;

		if (rec.hdr.type > TCPTRAIL_TRAIL)
			continue;
		numbers = full ? rec.step.iss | rec.step.irs |
				 rec.step.snd_una | rec.step.snd_nxt |
				 rec.step.rcv_nxt :
				 rec.trail.iss | rec.trail.irs;
		if (conn->flags & TCPTRAIL_F_REDACTED)
			redacted++;
		if (numbers)
			plain++;
	}
	all = tt_delivered(rd) + rd->trails;
	broken = rd->wrong[0] || !rd->syncs || rd->trails < 5;
	if (broken)
		fprintf(stderr, "# %u trails: %s\n", rd->trails, rd->wrong);
	tt_close(rd);
	if (broken)
		return BROKEN;
	if (plain && !redacted)
		return OPENED;
	return !plain && redacted == all ? REDACTED : MIXED;
}

static int try_open(int flags)
{
	int fd = open(TCPTRAIL_DEVICE, flags);

	if (fd < 0)
		return errno;
	close(fd);
	return OPENED;
}

static int exit_of(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return BROKEN;
	return WEXITSTATUS(status);
}

static int drop_cap(int cap)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data))
		return -1;
	data[cap / 32].effective &= ~(1U << cap % 32);
	data[cap / 32].permitted &= ~(1U << cap % 32);
	data[cap / 32].inheritable &= ~(1U << cap % 32);
	return syscall(SYS_capset, &head, data);
}

static int become_nobody(void)
{
	return setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
	       setresuid(NOBODY, NOBODY, NOBODY);
}

static int write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	int ret = fd < 0 || write(fd, text, strlen(text)) < 0;

	close(fd);
	return ret;
}

/* Root, with every capability, in a user namespace of its own. */
static int become_container_root(void)
{
	return unshare(CLONE_NEWUSER) ||
	       write_to("/proc/self/setgroups", "deny") ||
	       write_to("/proc/self/uid_map", "0 0 1") ||
	       write_to("/proc/self/gid_map", "0 0 1");
}

/* ---- the tests ---- */

TEST_F(rights, root_sees_all)
{
	EXPECT_EQ(OPENED, try_read());
}

TEST_F(rights, read_only)
{
	EXPECT_EQ(EACCES, try_open(O_WRONLY));
	EXPECT_EQ(EACCES, try_open(O_RDWR));
	EXPECT_EQ(EACCES, try_open(O_RDWR | O_NONBLOCK));
	EXPECT_EQ(OPENED, try_open(O_RDONLY));
}

TEST_F(rights, nobody_by_mode)
{
	pid_t pid = fork();

	if (!pid)
		_exit(become_nobody() ? BROKEN : try_read());
	EXPECT_EQ(EACCES, exit_of(pid));
}

/* udev may still be at the node that has just appeared, and set its mode. */
static int let_everybody_in(void)
{
	if (system("udevadm settle --timeout=60 2>/dev/null") < 0)
		return -1;
	return chmod(TCPTRAIL_DEVICE, 0644);
}

/* The administrator opens it up: the file mode decides, numbers are hidden. */
TEST_F(rights, nobody_let_in)
{
	pid_t pid;

	ASSERT_EQ(0, let_everybody_in());
	pid = fork();
	if (!pid)
		_exit(become_nobody() ? BROKEN : try_read());
	EXPECT_EQ(REDACTED, exit_of(pid));
	pid = fork();
	if (!pid)
		_exit(become_nobody() ? BROKEN : try_open(O_RDWR));
	EXPECT_EQ(EACCES, exit_of(pid));
}

/* It is the capability that counts, not the user. */
TEST_F(rights, root_without_capability)
{
	pid_t pid = fork();

	if (!pid)
		_exit(drop_cap(CAP_NET_ADMIN) ? BROKEN : try_read());
	EXPECT_EQ(REDACTED, exit_of(pid));
}

TEST_F(rights, nobody_with_capability)
{
	pid_t pid;

	ASSERT_EQ(0, let_everybody_in());
	pid = fork();
	if (!pid) {
		struct __user_cap_header_struct head = {
			.version = _LINUX_CAPABILITY_VERSION_3,
		};
		struct __user_cap_data_struct data[2] = {
			{ .effective = 1U << CAP_NET_ADMIN,
			  .permitted = 1U << CAP_NET_ADMIN },
		};

		prctl(PR_SET_KEEPCAPS, 1);
		if (become_nobody() || syscall(SYS_capset, &head, data))
			_exit(BROKEN);
		_exit(try_read());
	}
	EXPECT_EQ(OPENED, exit_of(pid));
}

/* A container's root owns the node and has all capabilities, over itself. */
TEST_F(rights, user_namespace)
{
	pid_t pid = fork();

	if (!pid)
		_exit(become_container_root() ? BROKEN : try_read());
	EXPECT_EQ(EPERM, exit_of(pid));
	pid = fork();
	if (!pid)
		_exit(become_container_root() ? BROKEN : try_open(O_RDWR));
	EXPECT_EQ(EACCES, exit_of(pid));
}

/* Of the initial user namespace, but in a container all the same. */
TEST_F(rights, pid_namespace)
{
	pid_t pid;

	ASSERT_EQ(0, let_everybody_in());
	ASSERT_EQ(0, unshare(CLONE_NEWPID));
	pid = fork();
	if (!pid)
		_exit(become_nobody() ? BROKEN : try_read());
	EXPECT_EQ(EPERM, exit_of(pid));
}

/* As most containers are: root of the host, without this capability, a node of
 * its own, processes and network of its own.
 */
static int read_in_container(void)
{
	struct stat st;

	if (stat(TCPTRAIL_DEVICE, &st) || unshare(CLONE_NEWNS | CLONE_NEWNET) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", "/dev", "tmpfs", 0, NULL) ||
	    mknod(TCPTRAIL_DEVICE, S_IFCHR | 0666, st.st_rdev) ||
	    drop_cap(CAP_NET_ADMIN))
		return BROKEN;
	return try_read();
}

TEST_F(rights, container_with_its_own_node)
{
	pid_t pid;

	ASSERT_EQ(0, unshare(CLONE_NEWPID));
	pid = fork();
	if (!pid)
		_exit(read_in_container());
	EXPECT_EQ(EPERM, exit_of(pid));
}

/* Nobody makes a user namespace, and is root there with every capability. */
TEST_F(rights, unprivileged_container)
{
	int to_child[2], to_parent[2], status = BROKEN;
	char byte = 0, path[64];
	pid_t pid;

	ASSERT_EQ(0, let_everybody_in());
	ASSERT_EQ(0, pipe(to_child) | pipe(to_parent));
	pid = fork();
	if (!pid) {
		if (become_nobody() || prctl(PR_SET_DUMPABLE, 1) ||
		    unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS) ||
		    write(to_parent[1], &byte, 1) != 1 ||
		    read(to_child[0], &byte, 1) != 1 || setuid(0))
			_exit(BROKEN);
		_exit(try_read());
	}
	/* Its map is written from outside, as newuidmap(1) does. */
	ASSERT_EQ(1, read(to_parent[0], &byte, 1));
	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	EXPECT_EQ(0, write_to(path, "0 65534 1"));
	EXPECT_EQ(1, write(to_child[1], &byte, 1));
	status = exit_of(pid);
	EXPECT_EQ(EPERM, status);
}

#define GROUP 4242

/* The administrator lets one group in: its members, and nobody else. */
TEST_F(rights, group)
{
	gid_t groups[] = { GROUP };
	pid_t pid;

	ASSERT_EQ(0, let_everybody_in());
	ASSERT_EQ(0, chown(TCPTRAIL_DEVICE, 0, GROUP));
	ASSERT_EQ(0, chmod(TCPTRAIL_DEVICE, 0640));
	pid = fork();
	if (!pid)
		_exit(setgroups(1, groups) || setresgid(NOBODY, NOBODY, NOBODY) ||
		      setresuid(NOBODY, NOBODY, NOBODY) ? BROKEN : try_read());
	EXPECT_EQ(REDACTED, exit_of(pid));
	pid = fork();
	if (!pid)
		_exit(become_nobody() ? BROKEN : try_read());
	EXPECT_EQ(EACCES, exit_of(pid));
}

/* With the capability in the initial user namespace it is no matter where. */
TEST_F(rights, pid_namespace_with_capability)
{
	pid_t pid;

	ASSERT_EQ(0, unshare(CLONE_NEWPID));
	pid = fork();
	if (!pid)
		_exit(try_read());
	EXPECT_EQ(OPENED, exit_of(pid));
}

/* What a file may show is settled when it is opened, as with any file. */
TEST_F(rights, passed_on)
{
	struct tt_reader *rd = tt_open(O_NONBLOCK);
	int plain = 0, status = BROKEN;
	union tt_record rec;
	pid_t pid;

	ASSERT_NE(NULL, rd);
	pid = fork();
	if (!pid) {
		if (become_nobody())
			_exit(BROKEN);
		while (tt_next(rd, &rec) > 0)
			if (rec.hdr.type == TCPTRAIL_TRAIL && rec.trail.iss)
				plain++;
		_exit(plain ? OPENED : REDACTED);
	}
	status = exit_of(pid);
	EXPECT_EQ(OPENED, status);
	tt_close(rd);
}

TT_HARNESS_MAIN
