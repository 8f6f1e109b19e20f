// SPDX-License-Identifier: GPL-2.0
/*
 * mkrec TEXT RECORDING: turns a readable text into a recording.
 *
 * Each line is one record: a word, then name=value pairs; # starts a comment.
 * What a line does not say is what the last line with the same id said, so
 * that addresses are written once.
 *
 *   info  hooks=all|HEX boot=NS real=NS abi=N magic=HEX
 *   step  id=HEX n=N t=NS old=STATE new=STATE cause=NAME ...
 *   event id=HEX t=NS new=STATE cause=NAME count=N reason=N
 *   trail|end id=HEX t=NS first=STATE STATE/cause@NS ... nsteps=N objects=N
 *   lost  cpu=N count=N [from=SEQ]
 *   sync  t=NS
 *   raw   type=N size=N
 *
 * Of a connection: local=A:P remote=A:P (v6 as [A]:P) birth=NS netns=N
 * ifindex=N flags=late,passive,... err=N iss=N irs=N. Of a step: size=
 * mini|full|task, comm=NAME pid=N start=N, and the fields by name. Of any:
 * cpu=N seq=N.
 */
#include <arpa/inet.h>
#include <err.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/tcptrail.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MAX_IDS 16384
#define MAX_CPUS 64

static const char *const state_names[] = {
	"?", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2",
	"TIME_WAIT", "CLOSE", "CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING",
	"REQUEST",
};

static const char *const cause_names[] = {
	"unknown", "connect", "listen", "syn_in", "synack_in", "ack_in",
	"accept", "fin_in", "close", "shutdown", "exit", "ack_of_fin",
	"fin_ack_in", "rst_in", "linger0", "unread", "data_after_close",
	"rtx_timeout", "keepalive", "user_timeout", "fin_wait2_timeout",
	"tw_expired", "tw_new_syn", "tw_reused", "tw_rst", "tw_limit",
	"refused", "unreachable", "destroyed", "disconnect", "repair",
	"listener_closed", "netns_exit", "lost_race", "no_memory",
	"synack_timeout", "req_reset", "syncookie", "fastopen",
	"connect_failed", "acceptq_full", "syn_out", "synack_rtx", "rst_out",
	"tw_restart",
};

static const char *const flag_names[] = {
	"late", "ipv6", "passive", "accepted", "iss", "irs", "mini",
	"syncookie", "fastopen", "mptcp", "req_acked", "defer", "no_trail",
	"redacted", "unseen",
};

/* What is remembered of an id. */
struct known {
	struct tcptrail_conn conn;
	uint32_t iss, irs;
	bool used;
};

static struct known known[MAX_IDS];
static uint64_t next_seq[MAX_CPUS];
static unsigned int line_nr;
static FILE *out;

static unsigned int lookup(const char *const *names, size_t n, const char *s)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(names[i], s))
			return i;
	errx(1, "line %u: unknown word %s", line_nr, s);
}

static unsigned int state_of(const char *s)
{
	return lookup(state_names, ARRAY_SIZE(state_names), s);
}

static unsigned int cause_of(const char *s)
{
	return lookup(cause_names, ARRAY_SIZE(cause_names), s);
}

static struct known *known_of(uint64_t cookie)
{
	for (size_t i = 0; i < MAX_IDS; i++) {
		struct known *k = &known[(cookie + i) % MAX_IDS];

		if (k->used && k->conn.cookie == cookie)
			return k;
		if (!k->used) {
			k->used = true;
			k->conn.cookie = cookie;
			return k;
		}
	}
	errx(1, "line %u: too many ids", line_nr);
}

static uint16_t flags_of(char *s)
{
	uint16_t flags = 0;
	char *word;

	while ((word = strsep(&s, ",")))
		if (*word)
			flags |= 1 << lookup(flag_names,
					     ARRAY_SIZE(flag_names), word);
	return flags;
}

static void set_endpoint(char *s, uint8_t *addr, uint16_t *port)
{
	char *colon = strrchr(s, ':');
	struct in_addr v4;

	*port = atoi(colon + 1);
	*colon = 0;
	if (*s == '[') {
		s[strlen(s) - 1] = 0;
		if (inet_pton(AF_INET6, s + 1, addr) != 1)
			errx(1, "line %u: bad address %s", line_nr, s);
		return;
	}
	if (inet_pton(AF_INET, s, &v4) != 1)
		errx(1, "line %u: bad address %s", line_nr, s);
	memset(addr, 0, 10);
	memset(addr + 10, 0xff, 2);
	memcpy(addr + 12, &v4, 4);
}

static uint64_t num(const char *s)
{
	return strtoull(s, NULL, 0);
}

/* ---- the line being read ---- */

static struct tcptrail_step step;
static struct tcptrail_trail trail;
static struct tcptrail_lost lost;
static struct tcptrail_info info;
static uint64_t raw_type, raw_size, nsteps_said;
static bool seq_said;

static bool set_conn(struct known *k, const char *name, char *val)
{
	struct tcptrail_conn *c = &k->conn;

	if (!strcmp(name, "local"))
		set_endpoint(val, c->saddr, &c->sport);
	else if (!strcmp(name, "remote"))
		set_endpoint(val, c->daddr, &c->dport);
	else if (!strcmp(name, "birth"))
		c->birth_ns = num(val);
	else if (!strcmp(name, "netns"))
		c->netns_ino = c->netns_cookie = num(val);
	else if (!strcmp(name, "ifindex"))
		c->ifindex = num(val);
	else if (!strcmp(name, "flags"))
		c->flags = flags_of(val);
	else if (!strcmp(name, "err"))
		c->err = num(val);
	else if (!strcmp(name, "iss"))
		k->iss = num(val);
	else if (!strcmp(name, "irs"))
		k->irs = num(val);
	else
		return false;
	return true;
}

#define NUMBERS(X) \
	X(reason) X(count) X(listener) X(inode) X(cgroup) X(uid) X(mark) \
	X(snd_una) X(snd_nxt) X(rcv_nxt) X(snd_wnd) X(rcv_wnd) X(unread) \
	X(unsent) X(srtt_us) X(retrans) X(total_retrans) X(bytes_in) \
	X(bytes_out)

static bool set_number(const char *name, const char *val)
{
#define X(field) \
	if (!strcmp(name, #field)) { \
		step.field = num(val); \
		return true; \
	}
	NUMBERS(X)
#undef X
	return false;
}

static size_t size_of(const char *val)
{
	if (!strcmp(val, "mini"))
		return offsetof(struct tcptrail_step, inode);
	if (!strcmp(val, "full"))
		return offsetof(struct tcptrail_step, task);
	return sizeof(struct tcptrail_step);
}

/* \xNN stands for any byte. */
static void set_comm(char *to, const char *val)
{
	size_t n = 0;

	while (*val && n < 15) {
		if (!strncmp(val, "\\x", 2)) {
			char hex[3] = { val[2], val[3], 0 };

			to[n++] = strtoul(hex, NULL, 16);
			val += 4;
		} else {
			to[n++] = *val++;
		}
	}
}

static void set_task(struct tcptrail_task *task, const char *name,
		     const char *val)
{
	if (!strcmp(name, "comm"))
		set_comm(task->comm, val);
	else if (!strcmp(name, "pid"))
		task->tgid = num(val);
	else
		task->start_ticks = num(val);
}

static bool set_step(const char *name, const char *val)
{
	if (!strcmp(name, "n"))
		step.step = num(val);
	else if (!strcmp(name, "old"))
		step.old_state = state_of(val);
	else if (!strcmp(name, "new"))
		step.new_state = state_of(val);
	else if (!strcmp(name, "cause"))
		step.cause = cause_of(val);
	else if (!strcmp(name, "size"))
		step.hdr.size = size_of(val);
	else if (!strcmp(name, "comm") || !strcmp(name, "pid") ||
		 !strcmp(name, "start"))
		set_task(&step.task, name, val);
	else
		return set_number(name, val);
	return true;
}

static bool set_trail(const char *name, const char *val)
{
	if (!strncmp(name, "opener_", 7))
		set_task(&trail.opener, name + 7, val);
	else if (!strncmp(name, "closer_", 7))
		set_task(&trail.closer, name + 7, val);
	else if (!strcmp(name, "first"))
		trail.first_old = state_of(val);
	else if (!strcmp(name, "nsteps"))
		nsteps_said = num(val);
	else if (!strcmp(name, "objects"))
		trail.objects = num(val);
	else if (!strcmp(name, "synack_rtx"))
		trail.synack_rtx = num(val);
	else if (!strcmp(name, "tw_restarts"))
		trail.tw_restarts = num(val);
	else
		return false;
	return true;
}

static bool set_other(const char *name, const char *val)
{
	if (!strcmp(name, "cpu"))
		step.hdr.cpu = num(val);
	else if (!strcmp(name, "seq"))
		step.hdr.seq = num(val), seq_said = true;
	else if (!strcmp(name, "t"))
		step.hdr.ts_ns = num(val);
	else if (!strcmp(name, "from"))
		lost.first_seq = num(val);
	else if (!strcmp(name, "type"))
		raw_type = num(val);
	else if (!strcmp(name, "bytes"))
		raw_size = num(val);
	else
		return false;
	return true;
}

static bool set_info(const char *name, const char *val)
{
	const uint64_t all = (1ULL << TCPTRAIL_H_COUNT) - 1;

	if (!strcmp(name, "hooks"))
		info.hooks = !strcmp(val, "all") ? all : num(val);
	else if (!strcmp(name, "boot"))
		info.boot_ns = num(val);
	else if (!strcmp(name, "real"))
		info.real_ns = num(val);
	else if (!strcmp(name, "abi"))
		info.abi = num(val);
	else if (!strcmp(name, "magic"))
		info.magic = num(val);
	else
		return false;
	return true;
}

/* STATE/cause@NS, NS since birth */
static void add_packed(char *word)
{
	char *slash = strchr(word, '/'), *at = strchr(word, '@');

	if (!slash || !at)
		errx(1, "line %u: what is %s?", line_nr, word);
	*slash = *at = 0;
	if (trail.nsteps < TCPTRAIL_STEPS)
		trail.steps[trail.nsteps] = num(at + 1) << 10 |
			(uint64_t)cause_of(slash + 1) << 4 | state_of(word);
	trail.nsteps++;
}

/* ---- writing ---- */

static void put(const void *data, size_t size)
{
	if (fwrite(data, size, 1, out) != 1)
		err(1, "writing");
}

static void number(struct tcptrail_hdr *hdr)
{
	uint64_t *next = &next_seq[hdr->cpu % MAX_CPUS];

	if (!seq_said)
		hdr->seq = *next + 1;
	*next = hdr->seq;
}

static void put_step(struct known *k, unsigned int type)
{
	step.hdr.type = type;
	number(&step.hdr);
	step.conn = k->conn;
	step.iss = k->conn.flags & TCPTRAIL_F_ISS ? k->iss : 0;
	step.irs = k->conn.flags & TCPTRAIL_F_IRS ? k->irs : 0;
	if (type == TCPTRAIL_EVENT) {
		step.step = TCPTRAIL_NO_STEP;
		step.old_state = step.new_state;
	}
	put(&step, step.hdr.size);
}

static void put_trail(struct known *k, unsigned int type)
{
	trail.hdr = step.hdr;
	trail.hdr.size = sizeof(trail);
	trail.hdr.type = type;
	if (type == TCPTRAIL_END)
		number(&trail.hdr);
	trail.conn = k->conn;
	trail.iss = k->conn.flags & TCPTRAIL_F_ISS ? k->iss : 0;
	trail.irs = k->conn.flags & TCPTRAIL_F_IRS ? k->irs : 0;
	if (nsteps_said)
		trail.nsteps = nsteps_said;
	put(&trail, sizeof(trail));
}

static void put_lost(void)
{
	uint64_t *next = &next_seq[step.hdr.cpu % MAX_CPUS];

	lost.hdr = step.hdr;
	lost.hdr.size = sizeof(lost);
	lost.hdr.type = TCPTRAIL_LOST;
	lost.lost = step.count;
	if (!lost.first_seq)
		lost.first_seq = *next + 1;
	*next = lost.first_seq + lost.lost - 1;
	put(&lost, sizeof(lost));
}

static void put_raw(void)
{
	static const char zeroes[65536];
	struct tcptrail_hdr hdr = step.hdr;

	hdr.type = raw_type;
	hdr.size = raw_size;
	number(&hdr);
	put(&hdr, sizeof(hdr));
	if (raw_size > sizeof(hdr))
		put(zeroes, raw_size - sizeof(hdr));
}

static void start_line(void)
{
	memset(&step, 0, sizeof(step));
	memset(&trail, 0, sizeof(trail));
	memset(&lost, 0, sizeof(lost));
	step.hdr.size = size_of("full");
	trail.first_old = TCPTRAIL_CLOSE;
	nsteps_said = 0;
	seq_said = false;
}

static void put_line(const char *verb, struct known *k)
{
	if (strcmp(verb, "info") && info.size) {
		put(&info, sizeof(info));
		info.size = 0;
	}
	if (!strcmp(verb, "step"))
		put_step(k, TCPTRAIL_STEP);
	else if (!strcmp(verb, "event"))
		put_step(k, TCPTRAIL_EVENT);
	else if (!strcmp(verb, "trail"))
		put_trail(k, TCPTRAIL_TRAIL);
	else if (!strcmp(verb, "end"))
		put_trail(k, TCPTRAIL_END);
	else if (!strcmp(verb, "lost"))
		put_lost();
	else if (!strcmp(verb, "raw"))
		put_raw();
	else if (!strcmp(verb, "sync")) {
		step.hdr.size = sizeof(step.hdr);
		step.hdr.type = TCPTRAIL_SYNC;
		put(&step.hdr, sizeof(step.hdr));
	} else if (strcmp(verb, "info"))
		errx(1, "line %u: what is %s?", line_nr, verb);
}

static void set_word(const char *verb, struct known **k, char *word)
{
	char *val = strchr(word, '=');

	if (!val) {
		add_packed(word);
		return;
	}
	*val++ = 0;
	if (!strcmp(word, "id"))
		*k = known_of(strtoull(val, NULL, 16));
	else if (!(!strcmp(verb, "info") ? set_info(word, val) :
		   (*k && set_conn(*k, word, val)) || set_trail(word, val) ||
		   set_step(word, val) || set_other(word, val)))
		errx(1, "line %u: what is %s?", line_nr, word);
}

static void do_line(char *line)
{
	char *rest = line, *word, *verb = NULL;
	struct known *k = NULL;

	line[strcspn(line, "#\n")] = 0;
	start_line();
	while ((word = strsep(&rest, " \t"))) {
		if (!*word)
			continue;
		if (!verb)
			verb = word;
		else
			set_word(verb, &k, word);
	}
	if (verb)
		put_line(verb, k);
}

static void start_info(void)
{
	info.size = sizeof(info);
	info.magic = TCPTRAIL_MAGIC;
	info.abi = TCPTRAIL_ABI;
	info.cpus = 2;
	info.features = TCPTRAIL_FEAT_TRAIL;
	info.hooks = info.hooks_known = (1ULL << TCPTRAIL_H_COUNT) - 1;
	info.slots = 4096;
	info.user_hz = 100;
	info.real_ns = 1700000000000000000ULL;
	strcpy(info.version, "0");
	strcpy(info.release, "6.12.0-test");
}

int main(int argc, char **argv)
{
	char line[4096];
	FILE *in;

	if (argc != 3)
		errx(2, "usage: mkrec TEXT RECORDING");
	in = fopen(argv[1], "r");
	out = fopen(argv[2], "w");
	if (!in || !out)
		err(1, "%s", in ? argv[2] : argv[1]);
	start_info();
	while (fgets(line, sizeof(line), in)) {
		line_nr++;
		do_line(line);
	}
	if (info.size)
		put(&info, sizeof(info));
	return fclose(out) ? 1 : 0;
}
