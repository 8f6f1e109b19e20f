// SPDX-License-Identifier: GPL-2.0
/*
 * stream follow RECORDS [-j]: events -f of a device that is made up
 * stream record RECORDS: the same records as a recording, to standard output
 * stream facts RECORDS: what stuck and top keep of as many, RECORDS / 50000
 *	times one after the other
 *
 * The device has four rings. Its connections have both their ends here; their
 * cookies never repeat. Some never end, some are reset by a RST whose event
 * comes late and without a birth, some have no trail, and now and then records
 * are lost, the ENDs of some among them. Following that for ever must not take
 * more memory the longer it lasts: run.sh sets the limit.
 */
#include <err.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../facts.h"
#include "../source.h"
#include "../tcptrail.h"

#define CPUS		4
#define BATCH		700
#define LOSS_EVERY	5000
#define OPEN_MAX	300
#define ALIVE		64	/* pairs whose records are mixed */

/* One end of a connection on its way through its steps. */
struct end {
	struct tcptrail_trail trail;
	const unsigned char (*script)[3];	/* old, new, cause */
	unsigned int nsteps, at;
	bool over, stray, no_trail;
};

static const unsigned char client[][3] = {
	{ 7, 2, TCPTRAIL_C_CONNECT }, { 2, 1, TCPTRAIL_C_SYNACK_IN },
	{ 1, 4, TCPTRAIL_C_CLOSE }, { 4, 5, TCPTRAIL_C_ACK_OF_FIN },
	{ 5, 6, TCPTRAIL_C_FIN_IN }, { 6, 7, TCPTRAIL_C_TW_EXPIRED },
};
static const unsigned char server[][3] = {
	{ 10, 12, TCPTRAIL_C_SYN_IN }, { 12, 1, TCPTRAIL_C_ACK_IN },
	{ 1, 1, TCPTRAIL_C_ACCEPT }, { 1, 8, TCPTRAIL_C_FIN_IN },
	{ 8, 9, TCPTRAIL_C_CLOSE }, { 9, 7, TCPTRAIL_C_ACK_OF_FIN },
};

static struct end alive[2 * ALIVE];
static struct tcptrail_trail open_trail[OPEN_MAX];
static unsigned int nopen;
static unsigned char buffer[(BATCH + OPEN_MAX + 2 * ALIVE + 8) * 256];
static size_t fill;
static uint64_t seq[CPUS], total, wanted, pairs, clock_ns = 1000000000, pick = 1;
static bool resync;
static bool history;	/* records come before the round, not while it is waited */

static unsigned int chance(unsigned int n)
{
	pick = pick * 6364136223846793005ULL + 1442695040888963407ULL;
	return (pick >> 33) % n;
}

/* ---- records ---- */

/* @lost: it takes its number, but is never read. */
static void put(void *rec, size_t size, unsigned int type, int cpu, bool lost)
{
	struct tcptrail_hdr *hdr = rec;

	hdr->size = size;
	hdr->type = type;
	hdr->ts_ns = clock_ns;
	hdr->cpu = cpu < 0 ? 0 : cpu;
	hdr->seq = cpu < 0 ? 0 : ++seq[cpu];
	total += cpu >= 0;
	if (lost)
		return;
	memcpy(buffer + fill, rec, size);
	fill += size;
}

static void put_step(struct end *e, unsigned int cpu, bool lost)
{
	struct tcptrail_step step = { .conn = e->trail.conn, .step = e->at };
	const unsigned char *s = e->script[e->at];
	bool mini = s[0] == 6 || s[1] == 6 || s[1] == 12;

	step.old_state = s[0];
	step.new_state = s[1];
	step.cause = s[2];
	step.iss = e->trail.iss;
	step.irs = e->trail.irs;
	if (e->no_trail) {
		step.step = TCPTRAIL_NO_STEP;
		step.conn.birth_ns = 0;
		step.conn.flags |= TCPTRAIL_F_NO_TRAIL;
	}
	if (s[2] == TCPTRAIL_C_CONNECT || s[2] == TCPTRAIL_C_ACCEPT)
		step.task = (struct tcptrail_task){ 42, 7, "stream" };
	e->trail.steps[e->at++] = (clock_ns - e->trail.conn.birth_ns) << 10 |
				  s[2] << 4 | s[1];
	e->trail.nsteps = e->at;
	put(&step, mini ? offsetof(struct tcptrail_step, inode) :
	    step.task.tgid ? sizeof(step) : offsetof(struct tcptrail_step, task),
	    TCPTRAIL_STEP, cpu, lost);
}

static void put_stray(const struct end *e, unsigned int cpu)
{
	struct tcptrail_step rst = { .conn.cookie = e->trail.conn.cookie,
				     .step = TCPTRAIL_NO_STEP, .old_state = 7,
				     .new_state = 7,
				     .cause = TCPTRAIL_C_RST_OUT };

	put(&rst, offsetof(struct tcptrail_step, inode), TCPTRAIL_EVENT, cpu,
	    false);
}

static void put_lost(unsigned int cpu, uint64_t first, uint64_t n)
{
	struct tcptrail_lost lost = { .lost = n, .first_seq = first };

	put(&lost, sizeof(lost), TCPTRAIL_LOST, -1, false);
	((struct tcptrail_lost *)(buffer + fill - sizeof(lost)))->hdr.cpu = cpu;
	resync = true;
}

/* ---- connections ---- */

static void set_end(struct end *e, bool passive)
{
	struct tcptrail_conn *c = &e->trail.conn;
	uint16_t port = 1024 + pairs % 60000;

	memset(e, 0, sizeof(*e));
	c->cookie = 2 * pairs + passive + 1;
	c->birth_ns = clock_ns;
	c->sport = passive ? 80 : port;
	c->dport = passive ? port : 80;
	c->netns_ino = c->netns_cookie = 1;
	c->flags = TCPTRAIL_F_ISS | TCPTRAIL_F_IRS |
		   (passive ? TCPTRAIL_F_PASSIVE | TCPTRAIL_F_ACCEPTED : 0);
	memcpy(c->saddr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\1", 16);
	memcpy(c->daddr, c->saddr, 16);
	e->trail.iss = pairs * 3 + passive;
	e->trail.irs = pairs * 3 + !passive;
	e->trail.first_old = passive ? TCPTRAIL_LISTEN : TCPTRAIL_CLOSE;
	e->script = passive ? server : client;
	e->nsteps = 6;
	e->stray = pairs % 7 == 3;
	e->no_trail = pairs % 1000 == 11;
}

static void new_pair(unsigned int i)
{
	set_end(&alive[2 * i], false);
	set_end(&alive[2 * i + 1], true);
	pairs++;
}

static void keep_open(struct end *e)
{
	if (nopen < OPEN_MAX && !e->no_trail)
		open_trail[nopen++] = e->trail;
	e->over = true;
}

static void move(struct end *e, bool lost, unsigned int cpu)
{
	struct tcptrail_trail end;

	clock_ns += 1000 + chance(2000);
	/* It stays as it is for ever. */
	if (e->at == 2 && e->trail.conn.cookie % 997 == 0 && nopen < OPEN_MAX) {
		keep_open(e);
		return;
	}
	put_step(e, cpu, lost);
	if (e->at < e->nsteps)
		return;
	e->over = true;
	if (!e->no_trail) {
		end = e->trail;
		put(&end, sizeof(end), TCPTRAIL_END, cpu, lost);
	}
	if (e->stray)
		put_stray(e, chance(CPUS));
}

static void move_some(bool lost, unsigned int cpu)
{
	unsigned int i = chance(ALIVE);
	struct end *pair = &alive[2 * i];

	if (pair[0].over && pair[1].over)
		new_pair(i);
	if (!pair[1].over && (pair[0].over || chance(2)))
		move(&pair[1], lost, cpu);
	else
		move(&pair[0], lost, cpu);
}

/* ---- the device ---- */

static void put_trail(const struct tcptrail_trail *from)
{
	struct tcptrail_trail trail = *from;

	put(&trail, sizeof(trail), TCPTRAIL_TRAIL, -1, false);
}

/* The history that comes first would be all repeats. */
static void put_round(void)
{
	struct tcptrail_hdr sync = { 0 };

	for (unsigned int i = 0; i < nopen; i++)
		put_trail(&open_trail[i]);
	for (unsigned int i = 0; i < 2 * ALIVE; i++)
		if (!alive[i].over && alive[i].at && !alive[i].no_trail)
			put_trail(&alive[i].trail);
	put(&sync, sizeof(sync), TCPTRAIL_SYNC, -1, false);
	resync = false;
}

static void lose_some(void)
{
	unsigned int cpu = chance(CPUS);
	uint64_t first = seq[cpu] + 1;

	while (seq[cpu] < first + 99)
		move_some(true, cpu);
	put_lost(cpu, first, seq[cpu] + 1 - first);
}

static void put_batch(void)
{
	uint64_t until = total + BATCH;

	if (!history && total / LOSS_EVERY != (total + BATCH) / LOSS_EVERY)
		lose_some();
	while (total < until && total < wanted)
		move_some(false, chance(CPUS));
}

static void start(uint64_t records)
{
	wanted = records;
	for (unsigned int i = 0; i < ALIVE; i++)
		new_pair(i);
	if (!history)
		put_round();
}

/* The next of its records, and the round behind the last of them. */
static void put_history(void)
{
	if (total >= wanted)
		return;
	put_batch();
	if (total >= wanted)
		put_round();
}

static const struct tcptrail_info info = {
	.size = sizeof(info), .magic = TCPTRAIL_MAGIC, .abi = TCPTRAIL_ABI,
	.cpus = CPUS, .features = TCPTRAIL_FEAT_TRAIL,
	.hooks = (1ULL << TCPTRAIL_H_COUNT) - 1,
	.hooks_known = (1ULL << TCPTRAIL_H_COUNT) - 1,
	.slots = 1024, .user_hz = 100, .loaded_ns = 1000,
	.boot_ns = 1000000000, .real_ns = 1700000000000000000ULL,
	.max_trails = 131072, .version = "0", .release = "stream",
};

/* Once all that was made has been read, nothing is there until it is waited for. */
static int dev_fill(struct source *src)
{
	if (history)
		put_history();
	src->pos = 0;
	src->len = fill;
	fill = 0;
	return src->len > 0;
}

static bool dev_wait(struct source *src)
{
	(void)src;
	if (total >= wanted) {
		raise(SIGTERM);
		return false;
	}
	put_batch();
	return true;
}

static void dev_resync(struct source *src)
{
	src->pos = src->len = 0;
	put_round();
}

static void dev_nothing(struct source *src)
{
	(void)src;
}

static const struct source_ops dev_ops = {
	.fill = dev_fill,
	.wait = dev_wait,
	.resync = dev_resync,
	.refresh = dev_nothing,
	.close = dev_nothing,
};

struct source *source_open_dev(int status)
{
	struct source *src = xzalloc(sizeof(*src));

	(void)status;
	src->ops = &dev_ops;
	src->name = "made up";
	src->live = true;
	src->info = info;
	src->data = buffer;
	return src;
}

/* ---- what is done with it ---- */

static int record(uint64_t records)
{
	start(records);
	fwrite(&info, sizeof(info), 1, stdout);
	for (;;) {
		fwrite(buffer, fill, 1, stdout);
		fill = 0;
		if (total >= wanted)
			return fflush(stdout) ? ST_ERROR : ST_OK;
		put_batch();
		if (resync)
			put_round();
	}
}

/* As top does every two seconds: a new look, all history first. */
static int look(uint64_t records)
{
	struct diag d = { 0 };
	struct facts f;

	for (uint64_t done = 0; done < records; done += 50000) {
		struct source *src = source_open_dev(ST_ERROR);

		start(total + 50000);
		facts_read_source(&f, &d, src);
		if (total < wanted)
			errx(1, "only %llu of %llu records were read",
			     (unsigned long long)total,
			     (unsigned long long)wanted);
		facts_free(&f);
		source_close(src);
	}
	return ST_OK;
}

/* For run.sh: the most address space that there was, in KiB. */
static void tell_peak(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[128];

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "VmPeak:", 7))
			fprintf(stderr, "peak %lu\n", strtoul(line + 7, NULL, 10));
	if (f)
		fclose(f);
}

int main(int argc, char **argv)
{
	struct opts opts = { .last = -1, .follow = true, .quiet = true };
	uint64_t records;
	int status;

	if (argc < 3 || !parse_u64(argv[2], &records))
		errx(2, "usage: stream follow|record|facts RECORDS [-j]");
	opts.json = argc > 3;
	if (!strcmp(argv[1], "record"))
		return record(records);
	history = !strcmp(argv[1], "facts");
	if (!history)
		start(records);
	status = history ? look(records) : cmd_events(&opts);
	tell_peak();
	return status;
}
