// SPDX-License-Identifier: GPL-2.0
#include <ctype.h>
#include <string.h>

#include "format.h"
#include "next.h"
#include "state.h"

struct maker {
	const struct look *l;
	const struct group *g;
	const struct diag_sock *s;	/* the oldest */
	const struct netns *net;
	const struct process *actor;
};

/* ---- pieces ---- */

/* A word for a shell, and for a terminal, whatever is in it. */
static void add_word(struct text *t, const char *word)
{
	static const char plain[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:@%+,/-";

	if (*word != '-' && !word[strspn(word, plain)]) {
		text_add(t, "%s", word);
		return;
	}
	text_add(t, "$'");
	for (; *word; word++)
		text_add(t, strchr(plain, *word) ? "%c" : "\\x%02x",
			 (unsigned char)*word);
	text_add(t, "'");
}

/* Into the namespace of the sockets, if it is not our own. */
static void add_prefix(const struct maker *m, struct text *t)
{
	if (m->net == &m->l->nets.net[0])
		return;
	if (m->net->name) {
		text_add(t, "ip netns exec ");
		add_word(t, m->net->name);
		text_add(t, " ");
	} else {
		text_add(t, "nsenter -t %u -n ", m->net->pid);
	}
}

/* As ss reads it: ss -K does not see an IPv4-mapped socket as IPv4. */
static void add_end(struct text *t, const struct diag_sock *s,
		    const uint8_t *addr, unsigned int port)
{
	bool v6 = s->who.flags & TCPTRAIL_F_IPV6;
	struct tcptrail_conn who = s->who;
	char buf[FORMAT_MAX];

	who.ifindex = 0;
	format_addr(buf, &who, addr);
	text_add(t, v6 ? "[%s%s]" : "%s%s",
		 v6 && addr_is_v4(addr) ? "::ffff:" : "", buf);
	if (port)
		text_add(t, ":%u", port);
}

static void add_one(struct text *t, const struct diag_sock *s)
{
	text_add(t, "src ");
	add_end(t, s, s->who.saddr, s->who.sport);
	text_add(t, " dst ");
	add_end(t, s, s->who.daddr, s->who.dport);
}

static const char *ss_state(unsigned int state)
{
	static const char *const names[] = {
		[TCPTRAIL_ESTABLISHED] = "established",
		[TCPTRAIL_SYN_SENT] = "syn-sent",
		[TCPTRAIL_SYN_RECV] = "syn-recv",
		[TCPTRAIL_FIN_WAIT1] = "fin-wait-1",
		[TCPTRAIL_FIN_WAIT2] = "fin-wait-2",
		[TCPTRAIL_TIME_WAIT] = "time-wait",
		[TCPTRAIL_CLOSE_WAIT] = "close-wait",
		[TCPTRAIL_LAST_ACK] = "last-ack",
		[TCPTRAIL_LISTEN] = "listening",
		[TCPTRAIL_CLOSING] = "closing",
	};

	return names[state];
}

/* Healthy connections have the state and the port, too: only exactly one. */
static bool exactly_one(const struct maker *m)
{
	return m->g->n == 1 || m->s->state == TCPTRAIL_ESTABLISHED;
}

static unsigned int shared_port(const struct maker *m)
{
	return m->g->passive ? m->s->who.sport : m->s->who.dport;
}

static void add_choice(const struct maker *m, struct text *t)
{
	if (exactly_one(m)) {
		add_one(t, m->s);
		return;
	}
	text_add(t, "state %s %s = :%u", ss_state(m->s->state),
		 m->g->passive ? "sport" : "dport", shared_port(m));
	if (!m->g->passive && m->g->same_remote) {
		text_add(t, " dst ");
		add_end(t, m->s, m->s->who.daddr, 0);
	}
}

/* ---- advice ---- */

static bool advise_continue(const struct maker *m, struct next *n)
{
	if (!m->actor || m->actor->state != 'T')
		return false;
	n->kind = "mend";
	text_add(&n->cmd, "kill -CONT %u", m->actor->pid);
	text_add(&n->does, "lets the process go on: it is stopped");
	return true;
}

static bool advise_stack(const struct maker *m, struct next *n)
{
	if (!m->actor)
		return false;
	n->kind = "look";
	text_add(&n->cmd, m->l->has_stack ? "cat /proc/%u/task/*/stack" :
		 "cat /proc/%u/task/*/wchan", m->actor->pid);
	text_add(&n->does, "shows where its threads hang in the kernel");
	return true;
}

/* Of the oldest; the actor need not hold it, but holds one that is alike. */
static int oldest_fd(const struct maker *m)
{
	uint32_t at = m->l->holders.first[m->g->example[0]];

	for (; at != NO_HOLDER; at = m->l->holders.holder[at].next)
		if (m->l->holders.holder[at].process == m->g->actor)
			return m->l->holders.holder[at].fd;
	return -1;
}

static bool advise_descriptors(const struct maker *m, struct next *n)
{
	if (!m->actor)
		return false;
	n->kind = "look";
	text_add(&n->cmd, "ls -l /proc/%u/fd", m->actor->pid);
	text_add(&n->does, "shows what it has open");
	if (oldest_fd(m) >= 0)
		text_add(&n->does, "; %s is descriptor %d", m->g->n > 1 ?
			 "the oldest" : "this socket", oldest_fd(m));
	return true;
}

/* Only who inherited it: that is who is forgotten. */
static bool inherited(const struct maker *m)
{
	uint32_t i = m->g->example[0], at = m->l->holders.first[i];
	const struct tcptrail_task *opener = look_opener(m->l, i);

	if (opener)
		return opener->tgid != m->actor->pid;
	for (; at != NO_HOLDER; at = m->l->holders.holder[at].next)
		if (m->l->holders.process[m->l->holders.holder[at].process].pid
		    == m->actor->ppid)
			return true;
	return false;
}

static bool advise_kill(const struct maker *m, struct next *n)
{
	char comm[FORMAT_MAX];

	if (!m->actor || !inherited(m))
		return advise_descriptors(m, n);
	n->kind = "end";
	text_add(&n->cmd, "kill %u", m->actor->pid);
	text_add(&n->does, look_opener(m->l, m->g->example[0]) ?
		 "ends %s, which holds the socket, but did not open it" :
		 "ends %s, a child of another process that holds the socket",
		 format_comm(comm, m->actor->comm));
	return true;
}

static bool is_orphan(const struct diag_sock *s)
{
	return !s->inode && (s->state == TCPTRAIL_FIN_WAIT1 ||
			     s->state == TCPTRAIL_FIN_WAIT2 ||
			     s->state == TCPTRAIL_CLOSING ||
			     s->state == TCPTRAIL_LAST_ACK);
}

/* Minisockets can't be ended on many kernels, and end by themselves soon. */
static bool advise_destroy(const struct maker *m, struct next *n)
{
	if (!m->l->can_destroy || m->s->mini ||
	    (is_orphan(m->s) && !m->l->ends_orphans))
		return false;
	n->kind = "end";
	add_prefix(m, &n->cmd);
	/* A mapped address is found only among IPv6; a port among both. */
	text_add(&n->cmd, "ss %s-tK ", exactly_one(m) &&
		 m->s->who.flags & TCPTRAIL_F_IPV6 ? "-6 " : "");
	add_choice(m, &n->cmd);
	if (exactly_one(m))
		text_add(&n->does, "ends %s", m->g->n == 1 ? "the socket" :
			 "the oldest one");
	else
		text_add(&n->does, "ends every %s of port %u",
			 state_name(m->s->state), shared_port(m));
	return true;
}

static bool advise_look(const struct maker *m, struct next *n)
{
	if (!m->l->has_ss)
		return false;
	n->kind = "look";
	add_prefix(m, &n->cmd);
	text_add(&n->cmd, "ss -tnoi ");
	add_choice(m, &n->cmd);
	text_add(&n->does, "shows timers, queues and windows");
	return true;
}

static bool advise_route(const struct maker *m, struct next *n)
{
	if (!m->l->has_ip)
		return false;
	n->kind = "look";
	add_prefix(m, &n->cmd);
	text_add(&n->cmd, "ip route get ");
	if (addr_is_v4(m->s->who.daddr)) {
		struct tcptrail_conn who = m->s->who;
		char buf[FORMAT_MAX];

		text_add(&n->cmd, "%s", format_addr(buf, &who, who.daddr));
	} else {
		struct text t = { 0 };

		add_end(&t, m->s, m->s->who.daddr, 0);
		t.s[t.len - 1] = 0;
		text_add(&n->cmd, "%s", t.s + 1);
		text_free(&t);
	}
	text_add(&n->does, "shows the way to the peer");
	return true;
}

static bool show_setting(const struct maker *m, struct next *n,
			 const char *name, const char *does)
{
	n->kind = "look";
	add_prefix(m, &n->cmd);
	text_add(&n->cmd, "cat /proc/sys/net/%s", name);
	text_add(&n->does, "%s", does);
	return true;
}

static bool change_setting(const struct maker *m, struct next *n,
			   const char *setting, const char *does)
{
	if (!m->l->has_sysctl || !m->l->root)
		return false;
	n->kind = "mend";
	add_prefix(m, &n->cmd);
	text_add(&n->cmd, "sysctl -w %s", setting);
	text_add(&n->does, "%s", does);
	return true;
}

static bool advise_fin_timeout(const struct maker *m, struct next *n)
{
	return show_setting(m, n, "ipv4/tcp_fin_timeout",
			    "shows after how many seconds the kernel drops it");
}

static bool advise_retries(const struct maker *m, struct next *n)
{
	const char *name = "ipv4/tcp_orphan_retries";

	if (m->s->state == TCPTRAIL_SYN_SENT)
		name = "ipv4/tcp_syn_retries";
	else if (m->s->state == TCPTRAIL_SYN_RECV)
		name = "ipv4/tcp_synack_retries";
	else if (m->s->inode)
		name = "ipv4/tcp_retries2";
	return show_setting(m, n, name,
			    "shows how often the kernel tries again");
}

static bool advise_syncookies(const struct maker *m, struct next *n)
{
	if (m->net->set.syncookies)
		return show_setting(m, n, "ipv4/tcp_syncookies",
				    "shows whether SYN cookies are used (1: when the queue is full)");
	return change_setting(m, n, "net.ipv4.tcp_syncookies=1",
			      "lets real clients in when the queue is full");
}

static bool advise_backlog(const struct maker *m, struct next *n)
{
	if (!m->l->has_ss)
		return false;
	n->kind = "look";
	add_prefix(m, &n->cmd);
	text_add(&n->cmd, "ss -tln sport = :%u", m->s->who.sport);
	text_add(&n->does, "shows how many wait (Recv-Q) and the backlog (Send-Q)");
	return true;
}

static bool loopback(const uint8_t *addr)
{
	static const uint8_t one[16] = { [15] = 1 };

	return addr_is_v4(addr) ? addr[12] == 127 : !memcmp(addr, one, 16);
}

static bool advise_tw_reuse(const struct maker *m, struct next *n)
{
	const struct netns_settings *set = &m->net->set;

	if (set->tw_reuse == 1 ||
	    (set->tw_reuse == 2 && loopback(m->s->who.daddr)))
		return show_setting(m, n, "ipv4/ip_local_port_range",
				    "shows the ports that connect() chooses from");
	return change_setting(m, n, "net.ipv4.tcp_tw_reuse=1",
			      "lets connect() take ports whose TIME_WAIT is older than 1 s");
}

static bool (*const advisers[])(const struct maker *, struct next *) = {
	[ADV_CONTINUE] = advise_continue,
	[ADV_STACK] = advise_stack,
	[ADV_DESCRIPTORS] = advise_descriptors,
	[ADV_KILL] = advise_kill,
	[ADV_DESTROY] = advise_destroy,
	[ADV_ROUTE] = advise_route,
	[ADV_FIN_TIMEOUT] = advise_fin_timeout,
	[ADV_RETRIES] = advise_retries,
	[ADV_SYNCOOKIES] = advise_syncookies,
	[ADV_BACKLOG] = advise_backlog,
	[ADV_TW_REUSE] = advise_tw_reuse,
	[ADV_LOOK] = advise_look,
};

size_t next_of(const struct look *l, const struct group *g, struct next *next)
{
	struct maker m = { .l = l, .g = g, .s = &l->diag.sock[g->example[0]] };
	size_t n = 0;

	m.net = &l->nets.net[m.s->net];
	if (g->actor != NO_HOLDER)
		m.actor = &l->holders.process[g->actor];
	memset(next, 0, MAX_ADVICE * sizeof(*next));
	for (size_t i = 0; i < MAX_ADVICE && g->rule->next[i]; i++)
		n += advisers[g->rule->next[i]](&m, &next[n]);
	return n;
}

void next_free(struct next *next, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		text_free(&next[i].cmd);
		text_free(&next[i].does);
	}
}
