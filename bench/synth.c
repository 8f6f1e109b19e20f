// SPDX-License-Identifier: GPL-2.0
/*
 * Writes a recording of short connections to standard output: each has six
 * STEP records and an END, as a client that connects, closes and waits does.
 *
 * usage: synth RECORDS
 */
#include <err.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/tcptrail.h>

#define STEPS	6

static const struct {
	unsigned char state, cause;
} step_of[STEPS] = {
	{ TCPTRAIL_SYN_SENT, TCPTRAIL_C_CONNECT },
	{ TCPTRAIL_ESTABLISHED, TCPTRAIL_C_SYNACK_IN },
	{ TCPTRAIL_FIN_WAIT1, TCPTRAIL_C_CLOSE },
	{ TCPTRAIL_FIN_WAIT2, TCPTRAIL_C_ACK_OF_FIN },
	{ TCPTRAIL_TIME_WAIT, TCPTRAIL_C_FIN_IN },
	{ TCPTRAIL_CLOSE, TCPTRAIL_C_TW_EXPIRED },
};

static unsigned long long seq;

static void put(void *rec, size_t size, unsigned char type,
		unsigned long long ns)
{
	struct tcptrail_hdr *hdr = rec;

	hdr->seq = ++seq;
	hdr->size = size;
	hdr->type = type;
	hdr->ts_ns = ns;
	if (fwrite(rec, size, 1, stdout) != 1)
		err(1, "write");
}

static struct tcptrail_conn connection(unsigned long i, unsigned long long ns)
{
	struct tcptrail_conn conn = {
		.cookie = i + 1, .birth_ns = ns, .netns_cookie = 1,
		.netns_ino = 4026531840U, .sport = 10000 + i % 50000,
		.dport = 443,
		.flags = TCPTRAIL_F_ISS | TCPTRAIL_F_IRS,
	};

	memcpy(conn.saddr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\1", 16);
	memcpy(conn.daddr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\1\0", 16);
	conn.daddr[15] = i / 50000 + 1;
	return conn;
}

static void write_connection(unsigned long i)
{
	unsigned long long ns = 1000000000ULL + i * 20000, t = ns;
	struct tcptrail_step step = { .conn = connection(i, ns),
				      .iss = i * 64000, .irs = i * 64000 + 7 };
	struct tcptrail_trail end = { .conn = step.conn, .nsteps = STEPS,
				      .first_old = TCPTRAIL_CLOSE,
				      .iss = step.iss, .irs = step.irs };
	unsigned int k, old = TCPTRAIL_CLOSE;

	for (k = 0; k < STEPS; k++, t += 1000) {
		step.step = k;
		step.old_state = old;
		step.new_state = old = step_of[k].state;
		step.cause = step_of[k].cause;
		end.steps[k] = (t - ns) << 10 | step.cause << 4 | old;
		put(&step, k < 4 ? sizeof(step) :
		    offsetof(struct tcptrail_step, inode), TCPTRAIL_STEP, t);
	}
	put(&end, sizeof(end), TCPTRAIL_END, t);
}

int main(int argc, char **argv)
{
	unsigned long n = argc > 1 ? strtoul(argv[1], NULL, 10) / (STEPS + 1) : 0;
	struct tcptrail_info info = {
		.size = sizeof(info), .magic = TCPTRAIL_MAGIC,
		.abi = TCPTRAIL_ABI, .cpus = 1,
		.features = TCPTRAIL_FEAT_TRAIL,
		.hooks = (1ULL << TCPTRAIL_H_COUNT) - 1,
		.hooks_known = (1ULL << TCPTRAIL_H_COUNT) - 1,
		.slots = 4096, .user_hz = 100, .loaded_ns = 1000,
		.boot_ns = 1000000000ULL + n * 20000 + 1000000,
		.real_ns = 1700000000000000000ULL, .max_trails = 131072,
		.version = "0", .release = "synthetic",
	};
	struct tcptrail_hdr sync = { .size = sizeof(sync),
				     .type = TCPTRAIL_SYNC };
	unsigned long i;

	if (!n)
		errx(2, "usage: synth RECORDS");
	if (fwrite(&info, sizeof(info), 1, stdout) != 1)
		err(1, "write");
	for (i = 0; i < n; i++)
		write_connection(i);
	sync.ts_ns = info.boot_ns;
	fwrite(&sync, sizeof(sync), 1, stdout);
	return 0;
}
