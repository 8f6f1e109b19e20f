// SPDX-License-Identifier: GPL-2.0
/*
 * Random calls on /dev/tcptrail from several threads, under traffic: sizes,
 * addresses, seeks, ioctls, polls, duplicates, children.
 *
 * What must hold: only errors that the contract names; every record is well
 * formed; of each file, what it was given and what it lost is what was
 * written; and one reader that behaves is disturbed by nobody.
 *
 *   FUZZ_CALLS    how many, default 40000
 *   FUZZ_SEED     of the random numbers, default: the time; printed
 *   FUZZ_THREADS  default 4
 *   TT_POISON     a byte that no field may hold, see tt_poisoned()
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "fuzz.h"
#include "tt.h"

#define FILES 12	/* open at a time, shared by all threads */

static struct file files[FILES];

/* ---- files come and go ---- */

/* With the lock held for writing, so that nobody else uses it. */
static void reopen(struct thread *t, struct file *f)
{
	if (f->fd >= 0) {
		settle(f);
		close(f->fd);
	}
	f->records = f->lost = f->faults = 0;
	f->fd = open(TCPTRAIL_DEVICE, O_RDONLY | O_CLOEXEC |
		     (draw(t, 4) ? O_NONBLOCK : 0));
	if (f->fd < 0)
		wrong("open: %s", strerror(errno));
}

static unsigned int choose(struct thread *t)
{
	unsigned int sum = 0, i;
	int k;

	for (i = 0; i < nops; i++)
		sum += ops[i].weight;
	k = draw(t, sum);
	for (i = 0; k >= (int)ops[i].weight; i++)
		k -= ops[i].weight;
	return i;
}

static void *run_thread(void *arg)
{
	struct thread *t = arg;

	for (unsigned int i = 0; i < t->calls && failures < 20; i++) {
		struct file *f = &files[draw(t, FILES)];
		unsigned int op = choose(t);

		if (!draw(t, 200) && !pthread_rwlock_trywrlock(&f->lock)) {
			reopen(t, f);
			pthread_rwlock_unlock(&f->lock);
		}
		pthread_rwlock_rdlock(&f->lock);
		ops[op].call(t, f);
		pthread_rwlock_unlock(&f->lock);
		t->count[op]++;
	}
	return NULL;
}

/* ---- what goes on meanwhile ---- */

/* Connections of all sorts of ends, until it is killed. */
static void traffic(int family, int cpu, uint64_t seed)
{
	struct thread t = { .state = seed + cpu + 1 };
	int listener = tt_listen(family, 16), client, server;

	tt_pin(cpu);
	while (listener >= 0) {
		if (tt_connect(listener, &client, &server))
			_exit(1);
		if (draw(&t, 3) == 0 && write(client, "x", 1) < 0)
			_exit(1);
		if (draw(&t, 3) == 0)
			shutdown(client, SHUT_WR);
		if (draw(&t, 4))
			tt_reset(client);
		else
			close(client);
		close(server);
		usleep(100 + draw(&t, 1000));
	}
	_exit(1);
}

static pid_t start_traffic(int family, int cpu, uint64_t seed)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	traffic(family, cpu, seed);
	return 0;
}

static int stop_calm;

/* Reads as one should, beside all that. */
static void *read_calmly(void *arg)
{
	struct tt_reader *rd = arg;
	struct pollfd pfd = { .fd = rd->fd, .events = POLLIN };

	while (!__atomic_load_n(&stop_calm, __ATOMIC_ACQUIRE)) {
		poll(&pfd, 1, 20);
		if (tt_drain(rd))
			wrong("the calm reader: an error");
	}
	return NULL;
}

static bool has_all(void *arg)
{
	struct tcptrail_info info;
	struct tt_reader *rd = arg;

	return !tt_drain(rd) && !tt_info(rd->fd, &info) &&
	       tt_last(rd) == info.written &&
	       tt_delivered(rd) == info.delivered && tt_lost(rd) == info.lost;
}

static void judge_calm(struct tt_reader *rd)
{
	if (!tt_wait_for(has_all, rd, 20000))
		wrong("the calm reader has %llu and lost %llu, which is not all",
		      (unsigned long long)tt_delivered(rd),
		      (unsigned long long)tt_lost(rd));
	if (rd->wrong[0])
		wrong("the calm reader: %s", rd->wrong);
	if (tt_delivered(rd) + tt_lost(rd) != tt_span(rd))
		wrong("delivered and lost is not what was written");
	printf("# calm reader: %llu delivered, %llu lost, %u reads\n",
	       (unsigned long long)tt_delivered(rd),
	       (unsigned long long)tt_lost(rd), rd->reads);
}

/* ---- all of it ---- */

static unsigned long long number(const char *name, unsigned long long otherwise)
{
	const char *value = getenv(name);

	return value && *value ? strtoull(value, NULL, 0) : otherwise;
}

static void on_alarm(int sig)
{
	(void)sig;
}

/* So that calls that wait are interrupted; in other threads than this one. */
static void set_up_alarm(void)
{
	struct sigaction action = { .sa_handler = on_alarm };
	struct itimerval every = { { 0, 20000 }, { 0, 20000 } };

	sigaction(SIGALRM, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	setitimer(ITIMER_REAL, &every, NULL);
}

static void mask_alarm(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	pthread_sigmask(how, &set, NULL);
}

static void run_threads(unsigned int n, unsigned int calls, uint64_t seed)
{
	struct thread *threads = calloc(n, sizeof(*threads));
	unsigned int i, op, sum;

	for (i = 0; i < n; i++) {
		struct thread *t = &threads[i];

		t->state = (seed + i + 1) * 0x9e3779b97f4a7c15ULL | 1;
		t->calls = calls / n;
		t->room = mmap(NULL, FUZZ_ROOM + 4096, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		mprotect(t->room + FUZZ_ROOM, 4096, PROT_NONE);
	}
	for (i = 0; i < FILES; i++) {
		pthread_rwlock_init(&files[i].lock, NULL);
		files[i].fd = -1;
		reopen(&threads[0], &files[i]);
	}
	set_up_alarm();
	mask_alarm(SIG_UNBLOCK);
	for (i = 0; i < n; i++)
		pthread_create(&threads[i].id, NULL, run_thread, &threads[i]);
	mask_alarm(SIG_BLOCK);
	for (i = 0; i < n; i++)
		pthread_join(threads[i].id, NULL);
	setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
	for (i = 0; i < FILES; i++) {
		settle(&files[i]);
		close(files[i].fd);
	}
	for (op = 0; op < nops; op++) {
		for (i = 0, sum = 0; i < n; i++)
			sum += threads[i].count[op];
		printf("# %8u %s\n", sum, ops[op].name);
	}
}

static const char *random_parameters(uint64_t seed)
{
	static const unsigned int slots[] = { 64, 64, 256, 4096 };
	static const unsigned int trails[] = { 16, 256, 131072 };

	return tt_why("ring_records=%u max_trails=%u", slots[seed % 4],
		      trails[seed / 4 % 3]);
}

int main(void)
{
	unsigned int calls = number("FUZZ_CALLS", 40000);
	uint64_t seed = number("FUZZ_SEED", tt_now_ns() / 1000 % 1000000);
	pthread_t calm;
	struct tt_reader *rd;
	pid_t pids[2];
	uint64_t start;
	int ret;

	poison = number("TT_POISON", -1);
	printf("TAP version 13\n1..1\n# FUZZ_SEED=%llu FUZZ_CALLS=%u %s\n",
	       (unsigned long long)seed, calls, random_parameters(seed));
	fflush(stdout);
	ret = tt_load(random_parameters(seed));
	if (ret || tt_new_net()) {
		printf("not ok 1 device/fuzz: no module or no network: %d\n", ret);
		return 1;
	}
	pids[0] = start_traffic(AF_INET, 0, seed);
	pids[1] = start_traffic(AF_INET6, 1, seed);
	read_only_page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	rd = tt_open(O_NONBLOCK);
	mask_alarm(SIG_BLOCK);
	pthread_create(&calm, NULL, read_calmly, rd);
	start = tt_now_ns();
	run_threads(number("FUZZ_THREADS", 4), calls, seed);
	printf("# %u calls in %llu s\n", calls,
	       (unsigned long long)(tt_now_ns() - start) / 1000000000);
	for (int i = 0; i < 2; i++) {
		kill(pids[i], SIGKILL);
		if (tt_exit_of(pids[i]) != 128 + SIGKILL)
			wrong("the traffic ended by itself");
	}
	__atomic_store_n(&stop_calm, 1, __ATOMIC_RELEASE);
	pthread_join(calm, NULL);
	judge_calm(rd);
	tt_close(rd);
	ret = tt_unload();
	if (ret)
		wrong("it cannot be unloaded: %d", ret);
	printf("%sok 1 random calls\n", failures ? "not " : "");
	return !!failures;
}
