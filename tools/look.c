// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fnmatch.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "index.h"
#include "look.h"

/* ---- taking it ---- */

static uint64_t boot_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

static void dump_own(struct look *l)
{
	struct netns *own = &l->nets.net[0];

	netns_read_settings(&own->set, "/proc/sys/net");
	if (!diag_dump(&l->diag, 0, own->ino))
		err(ST_ERROR, "the kernel does not tell of its sockets (tcp_diag)");
}

/* Whoever may enter one other namespace may enter all. */
static void dump_others(struct look *l)
{
	for (size_t i = 1; i < l->nets.n; i++) {
		struct netns *net = &l->nets.net[i];

		if (!netns_enter(&l->nets, net)) {
			l->unseen++;
			continue;
		}
		netns_read_settings(&net->set, "/proc/sys/net");
		if (!diag_dump(&l->diag, i, net->ino))
			l->unseen++;
	}
	netns_leave(&l->nets);
	l->own_only = l->unseen == l->nets.n - 1 &&
		      (l->unseen || l->nets.hidden);
}

/*
 * Nobody holds it, it seems; or its process ended, and the socket with it,
 * since the kernel was asked. Only who asks again may say the former. The
 * sockets stand in the order of their namespaces, our own first.
 */
static void drop_gone(struct look *l)
{
	size_t entered = 0;

	for (size_t i = 0; i < l->diag.n; i++) {
		struct diag_sock *s = &l->diag.sock[i];

		if (!s->inode || l->holders.first[i] != NO_HOLDER ||
		    s->state == TCPTRAIL_LISTEN)
			continue;
		if (s->net != entered &&
		    !netns_enter(&l->nets, &l->nets.net[s->net]))
			continue;
		entered = s->net;
		s->gone = !diag_still(s);
	}
	if (entered)
		netns_leave(&l->nets);
}

/* CAP_NET_ADMIN in our own user namespace; that of the sockets may differ. */
static bool may_administer(void)
{
	unsigned long long caps = 0;
	FILE *f = fopen("/proc/self/status", "re");
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "CapEff: %llx", &caps) == 1)
			break;
	if (f)
		fclose(f);
	return caps >> CAP_NET_ADMIN & 1;
}

static bool in_path(const char *program)
{
	static const char *const dirs[] = {
		"/usr/sbin", "/usr/bin", "/sbin", "/bin",
		"/usr/local/sbin", "/usr/local/bin",
	};
	char path[128];

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		snprintf(path, sizeof(path), "%s/%s", dirs[i], program);
		if (!access(path, X_OK))
			return true;
	}
	return false;
}

/* PROC_PID_INIT_INO of the kernel's include/linux/proc_ns.h */
static bool initial_pids(void)
{
	struct stat st;

	return !stat("/proc/self/ns/pid", &st) && st.st_ino == 0xeffffffcU;
}

static void take_machine(struct look *l)
{
	struct utsname kernel;

	netns_find(&l->nets, true);
	l->now_ns = boot_now();
	dump_own(l);
	dump_others(l);
	l->live = true;
	l->same_pids = initial_pids();
	l->root = !geteuid();
	l->can_destroy = may_administer() && diag_can_destroy() &&
			 in_path("ss");
	l->ends_orphans = !uname(&kernel) &&
			  diag_ends_orphans(kernel.release, kernel.version);
	l->has_ss = in_path("ss");
	l->has_ip = in_path("ip");
	l->has_sysctl = in_path("sysctl");
	l->has_stack = l->root && !access("/proc/self/stack", R_OK);
	holders_find(&l->holders, &l->diag, "/proc");
	if (l->root && !l->holders.hidden)
		drop_gone(l);
	facts_read(&l->facts, &l->diag);
}

static void take_fixture(struct look *l, const struct look_from *from)
{
	struct source *src = NULL;

	netns_find(&l->nets, false);
	l->now_ns = from->now_ns;
	netns_read_settings(&l->nets.net[0].set, from->sys);
	if (!diag_read(&l->diag, from->diag, 0, 1))
		err(ST_ERROR, "%s", from->diag);
	l->same_pids = l->root = l->can_destroy = true;
	l->ends_orphans = diag_ends_orphans(from->release, from->version);
	l->has_ss = l->has_ip = l->has_sysctl = l->has_stack = true;
	holders_find(&l->holders, &l->diag, from->proc);
	if (from->trails)
		src = source_open(from->trails, ST_ERROR);
	if (!src) {
		l->facts.fact = xzalloc((l->diag.n + 1) * sizeof(*l->facts.fact));
		l->facts.why = "the module is not loaded";
		return;
	}
	facts_read_source(&l->facts, &l->diag, src);
	source_close(src);
}

void look_take(struct look *l, const struct look_from *from)
{
	memset(l, 0, sizeof(*l));
	if (from)
		take_fixture(l, from);
	else
		take_machine(l);
	l->index = index_new(&l->diag, &l->nets);
}

void look_free(struct look *l)
{
	index_free(l->index);
	facts_free(&l->facts);
	holders_free(&l->holders);
	diag_free(&l->diag);
	netns_free(&l->nets);
}

/* ---- what is known of one ---- */

bool look_passive(const struct look *l, size_t i)
{
	const struct fact *fact = &l->facts.fact[i];

	if (fact->known && !(fact->flags & TCPTRAIL_F_LATE))
		return fact->flags & TCPTRAIL_F_PASSIVE;
	return index_passive(l->index, i);
}

const struct tcptrail_task *look_opener(const struct look *l, size_t i)
{
	const struct tcptrail_task *opener = &l->facts.fact[i].opener;

	return opener->tgid && l->same_pids ? opener : NULL;
}

static const struct diag_sock *sock_or_null(const struct look *l, ssize_t i)
{
	return i < 0 ? NULL : &l->diag.sock[i];
}

static void add_opener(const struct look *l, size_t i, struct evidence *ev)
{
	const struct tcptrail_task *opener = look_opener(l, i);

	ev->opener_known = opener;
	ev->opener_holds = opener &&
			   holders_has(&l->holders, i, opener->tgid,
				       opener->start_ticks);
}

const struct diag_sock *look_peer(const struct look *l, size_t i)
{
	return sock_or_null(l, index_peer(l->index, i));
}

void look_evidence(const struct look *l, size_t i, uint64_t over_ns,
		   struct evidence *ev)
{
	const struct diag_sock *s = &l->diag.sock[i];
	const struct fact *fact = &l->facts.fact[i];

	memset(ev, 0, sizeof(*ev));
	ev->s = s;
	ev->set = &l->nets.net[s->net].set;
	ev->over_ns = over_ns;
	ev->age = age_of(s, fact, ev->set, l->now_ns);
	ev->flags = fact->flags;
	ev->steps_known = fact->known && !(fact->flags & TCPTRAIL_F_LATE);
	ev->crossed = fact->crossed;
	ev->hidden = l->holders.hidden || !l->root;
	if (s->inode)
		ev->nholders = holders_count(&l->holders, i);
	add_opener(l, i, ev);
	if (s->state == TCPTRAIL_LISTEN)
		return;
	ev->listener = sock_or_null(l, index_listener(l->index, i,
						      &ev->nlisteners));
	ev->passive = look_passive(l, i);
	ev->crowd = index_crowd(l->index, i);
}

/* ---- filters ---- */

void look_conn(const struct look *l, size_t i, struct conn *c)
{
	memset(c, 0, sizeof(*c));
	c->who = l->diag.sock[i].who;
	c->cookie = c->who.cookie;
	c->first_old = l->diag.sock[i].state;
}

static bool is_process(const struct filter *f, uint32_t pid, const char *comm)
{
	return f->op == FILTER_PID ? pid == f->num : !fnmatch(f->text, comm, 0);
}

/* Any that holds it, opened it or closed it. */
static bool match_process(const struct look *l, const struct filter *f, size_t i)
{
	const struct fact *fact = &l->facts.fact[i];
	uint32_t at = l->holders.first[i];
	bool found;

	found = (fact->opener.tgid &&
		 is_process(f, fact->opener.tgid, fact->opener.comm)) ||
		(fact->closer.tgid &&
		 is_process(f, fact->closer.tgid, fact->closer.comm));
	for (; at != NO_HOLDER && !found; at = l->holders.holder[at].next) {
		const struct process *p =
			&l->holders.process[l->holders.holder[at].process];

		found = is_process(f, p->pid, p->comm);
	}
	return found == (f->cmp == CMP_EQ);
}

bool look_match(const struct look *l, const struct filter *f, size_t i)
{
	struct conn c;

	if (l->diag.sock[i].gone)
		return false;
	if (!f)
		return true;
	switch (f->op) {
	case FILTER_AND:
		return look_match(l, f->a, i) && look_match(l, f->b, i);
	case FILTER_OR:
		return look_match(l, f->a, i) || look_match(l, f->b, i);
	case FILTER_NOT:
		return !look_match(l, f->a, i);
	case FILTER_PID:
	case FILTER_COMM:
		return match_process(l, f, i);
	case FILTER_CGROUP:
		return (l->diag.sock[i].cgroup == f->num) == (f->cmp == CMP_EQ);
	default:
		look_conn(l, i, &c);
		return filter_match(f, &c, NULL);
	}
}
