// SPDX-License-Identifier: GPL-2.0
/* Seed, storms and watchers; see torture.h. What must hold is in holds.c. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "torture.h"

#define WINDOW 12

static uint64_t seed, state;

/* The harness forks for each test: this runs once, before. */
static void __attribute__((constructor)) choose_seed(void)
{
	const char *given = getenv("SEED");
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	seed = given ? strtoull(given, NULL, 0) :
		       (uint64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
	printf("# SEED=%llu\n", (unsigned long long)seed);
	fflush(stdout);
	torture_seed(0);
}

void torture_seed(unsigned int who)
{
	state = seed + who * 0x9e3779b97f4a7c15ULL;
}

/* splitmix64 */
unsigned int torture_random(unsigned int below)
{
	uint64_t z = state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return (z ^ z >> 31) % below;
}

unsigned int torture_count(unsigned int full)
{
	const char *percent = getenv("TORTURE_PERCENT");
	unsigned int n = percent ? full * atoi(percent) / 100 : full;

	return n ? n : 1;
}

unsigned int torture_cpus(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n > TORTURE_CPUS ? TORTURE_CPUS : n;
}

struct torture *torture_new(void)
{
	void *at = mmap(NULL, sizeof(struct torture), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

static bool is_set(const int *flag)
{
	return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}

static void set(int *flag, int value)
{
	__atomic_store_n(flag, value, __ATOMIC_RELEASE);
}

static void add(unsigned int *to)
{
	__atomic_fetch_add(to, 1, __ATOMIC_RELAXED);
}

/* ---- storms ---- */

struct pair {
	int client, server;
};

/* Every way there is to end a connection between two programs. */
static void end_pair(struct pair *p)
{
	bool client_first = torture_random(2);
	int first = client_first ? p->client : p->server;
	int second = client_first ? p->server : p->client;

	if (first < 0)
		return;
	switch (torture_random(6)) {
	case 0:
		tt_reset(first);
		close(second);
		break;
	case 1:		/* FIN, FIN */
		close(first);
		close(second);
		break;
	case 2:		/* unread data at close */
		(void)!write(first, "x", 1);
		close(second);
		close(first);
		break;
	case 3:		/* half-close, data the other way */
		shutdown(first, SHUT_WR);
		(void)!write(second, "x", 1);
		close(second);
		close(first);
		break;
	case 4:		/* both shut down, then RST from what is closed */
		shutdown(first, SHUT_WR);
		shutdown(second, SHUT_WR);
		tt_reset(first);
		close(second);
		break;
	default:	/* data after close */
		close(first);
		(void)!send(second, "x", 1, MSG_NOSIGNAL);
		(void)!send(second, "x", 1, MSG_NOSIGNAL);
		close(second);
		break;
	}
	p->client = -1;
}

static bool new_pair(int listener, struct pair *p)
{
	/* One in sixteen is refused: nobody listens there. */
	if (!torture_random(16)) {
		struct sockaddr_in addr = {
			.sin_family = AF_INET, .sin_port = htons(1),
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		};
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		(void)!connect(fd, (struct sockaddr *)&addr, sizeof(addr));
		close(fd);
	}
	if (!tt_connect(listener, &p->client, &p->server))
		return true;
	close(p->client);
	p->client = -1;
	return false;
}

static int prepare_net(int listener[2])
{
	if (tt_new_net())
		return -1;
	/* Enough to be counted, few enough to be gone soon. */
	torture_write("/proc/sys/net/ipv4/tcp_max_tw_buckets", "500");
	listener[0] = tt_listen(AF_INET, 16);
	listener[1] = tt_listen(AF_INET6, 16);
	return listener[0] < 0 || listener[1] < 0 ? -1 : 0;
}

static void storm_rests(struct torture *t, struct storm *s)
{
	set(&s->paused, 1);
	while (is_set(&t->pause) && !is_set(&t->stop))
		usleep(1000);
	set(&s->paused, 0);
}

static void storm_run(struct torture *t, struct storm *s)
{
	struct pair pair[WINDOW];
	int listener[2];
	unsigned int i, n = 0;

	memset(pair, -1, sizeof(pair));
	if (prepare_net(listener))
		_exit(2);
	while (!is_set(&t->stop)) {
		i = torture_random(WINDOW);
		end_pair(&pair[i]);
		add(new_pair(listener[torture_random(2)], &pair[i]) ?
			    &s->made : &s->failed);
		if (is_set(&t->pause))
			storm_rests(t, s);
		/* In bursts, to leave some time to others. */
		if (++n % 32 == 0)
			usleep(5000);
	}
	/* What is open is closed by the end of the process. */
	_exit(0);
}

unsigned int storm_some(unsigned int n, unsigned int window)
{
	struct pair pair[window];
	int listener[2];
	unsigned int i, made = 0;

	memset(pair, -1, sizeof(pair));
	if (prepare_net(listener))
		return 0;
	for (i = 0; i < n; i++) {
		end_pair(&pair[i % window]);
		made += new_pair(listener[i % 2], &pair[i % window]);
	}
	for (i = 0; i < window; i++)
		end_pair(&pair[i]);
	close(listener[0]);
	close(listener[1]);
	return made;
}

static pid_t child(unsigned int who, int cpu)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	torture_seed(who);
	if (cpu >= 0)
		tt_pin(cpu);
	return 0;
}

void storm_start(struct torture *t, unsigned int nth, int cpu)
{
	pid_t pid = child(100 + nth, cpu);

	if (!pid)
		storm_run(t, &t->storm[nth]);
	/* By the parent alone: the memory is shared. */
	t->storm[nth].pid = pid;
}

static bool all_paused(void *arg)
{
	struct torture *t = arg;
	unsigned int i;

	for (i = 0; i < TORTURE_CPUS; i++)
		if (t->storm[i].pid && !is_set(&t->storm[i].paused))
			return false;
	return true;
}

bool storm_pause(struct torture *t)
{
	set(&t->pause, 1);
	return tt_wait_for(all_paused, t, 60000);
}

void storm_resume(struct torture *t)
{
	set(&t->pause, 0);
}

unsigned int storm_made(const struct torture *t)
{
	unsigned int i, n = 0;

	for (i = 0; i < TORTURE_CPUS; i++)
		n += t->storm[i].made;
	return n;
}

const char *storm_stop(struct torture *t)
{
	unsigned int i;
	const char *why = NULL;

	set(&t->stop, 1);
	for (i = 0; i < TORTURE_CPUS; i++) {
		struct storm *s = &t->storm[i];
		int ret = s->pid ? tt_exit_of(s->pid) : 0;

		if (ret)
			why = tt_why("storm %u ended with %d", i, ret);
		if (s->pid && !s->made)
			why = tt_why("storm %u made no connection", i);
		/* Ports and backlogs run out, now and then. */
		if (s->failed > 10 + s->made / 10)
			why = tt_why("storm %u: %u connections failed", i,
				     s->failed);
		s->pid = 0;
	}
	return why;
}

/* ---- watchers ---- */

static bool watcher_took_all(struct tt_reader *rd)
{
	struct tcptrail_info info;

	return !tt_info(rd->fd, &info) && info.written == tt_last(rd);
}

static void watcher_sum(struct watcher *w, struct tt_reader *rd)
{
	struct tcptrail_info info;

	w->records += tt_delivered(rd);
	w->lost += tt_lost(rd);
	if (!rd->wrong[0] && tt_info(rd->fd, &info))
		strcpy(rd->wrong, "no info");
	if (!rd->wrong[0] && (info.delivered != tt_delivered(rd) ||
			      info.lost != tt_lost(rd)))
		snprintf(rd->wrong, sizeof(rd->wrong),
			 "info: %llu delivered %llu lost, read: %llu %llu",
			 (unsigned long long)info.delivered,
			 (unsigned long long)info.lost,
			 (unsigned long long)tt_delivered(rd),
			 (unsigned long long)tt_lost(rd));
	if (!rd->wrong[0] && tt_delivered(rd) + tt_lost(rd) != tt_span(rd))
		strcpy(rd->wrong, "delivered and lost are not all");
	if (rd->wrong[0] && !w->wrong[0])
		strcpy(w->wrong, rd->wrong);
}

static void watch_on(struct torture *t, struct watcher *w, int kind)
{
	struct tt_reader *rd = tt_open(kind == WATCH_ASLEEP ? 0 : O_NONBLOCK);
	union tt_record rec;
	int ret;

	if (!rd) {
		strcpy(w->wrong, "cannot open");
		_exit(1);
	}
	w->opened++;
	rd->chunk = kind == WATCH_SLOW ? 1024 : sizeof(rd->buf);
	/* With nobody left to wake it, the last part is read without waiting. */
	while (!is_set(&t->stop)) {
		struct pollfd poll_fd = { .fd = rd->fd, .events = POLLIN };

		if (kind == WATCH_ASLEEP && poll(&poll_fd, 1, 100) <= 0)
			continue;
		ret = tt_next(rd, &rec);
		if (ret < 0)
			snprintf(w->wrong, sizeof(w->wrong), "read: %d", ret);
		if (!ret || (kind == WATCH_SLOW && !torture_random(16)))
			usleep(torture_random(4000));
	}
	fcntl(rd->fd, F_SETFL, O_NONBLOCK);
	while (!tt_drain(rd) && !watcher_took_all(rd))
		usleep(1000);
	watcher_sum(w, rd);
	tt_close(rd);
}

static void watch_again(struct torture *t, struct watcher *w)
{
	struct tt_reader *rd;
	union tt_record rec;
	unsigned int i;

	while (!is_set(&t->stop)) {
		rd = tt_open(O_NONBLOCK);
		if (!rd) {
			usleep(1000);
			continue;
		}
		w->opened++;
		for (i = torture_random(400); i; i--)
			if (tt_next(rd, &rec) <= 0)
				break;
		if (rd->wrong[0] && !w->wrong[0])
			strcpy(w->wrong, rd->wrong);
		w->records += tt_delivered(rd);
		tt_close(rd);
		/* Leave a gap in which it can be unloaded. */
		usleep(torture_random(20000));
	}
}

void watcher_start(struct torture *t, unsigned int nth, int kind, int cpu)
{
	struct watcher *w = &t->watcher[nth];
	pid_t pid = child(200 + nth, cpu);

	if (pid) {
		/* By the parent alone: the memory is shared. */
		w->pid = pid;
		return;
	}
	if (kind == WATCH_AGAIN)
		watch_again(t, w);
	else
		watch_on(t, w, kind);
	_exit(0);
}

const char *watcher_stop(struct torture *t)
{
	const char *why = NULL;
	unsigned int i;

	set(&t->stop, 1);
	for (i = 0; i < TORTURE_CPUS; i++) {
		struct watcher *w = &t->watcher[i];
		int ret = w->pid ? tt_exit_of(w->pid) : 0;

		if (!w->pid)
			continue;
		if (w->wrong[0])
			why = tt_why("watcher %u: %s", i, w->wrong);
		else if (ret)
			why = tt_why("watcher %u ended with %d", i, ret);
		else if (!w->opened)
			why = tt_why("watcher %u never opened it", i);
		else if (!w->records)
			why = tt_why("watcher %u read nothing", i);
		w->pid = 0;
	}
	return why;
}
