// SPDX-License-Identifier: GPL-2.0
/*
 * Which field has nobody filled? A module that was built with TCPTRAIL_POISON
 * fills slots, trails and buffers with one byte before they are used.
 *
 * A field that holds nothing but that byte was not filled, unless its value
 * happens to be that. So tests use bytes that are no character, and make ports
 * above those that are given to sockets, 0xf1 and 0xf7; and they use both.
 */
#include <stdio.h>
#include <string.h>

#include "tt.h"

struct field {
	unsigned short at, size;
	const char *name;
};

#define FIELD(of, member) { \
	offsetof(struct of, member), sizeof(((struct of *)0)->member), #member }
/* Of an array of bytes each is judged. */
#define BYTES(of, member) { \
	offsetof(struct of, member), 0x100 + sizeof(((struct of *)0)->member), #member }
#define PART(of, member, from, bytes) { \
	offsetof(struct of, member) + (from), bytes, #member }
#define TASK(of, member) \
	FIELD(of, member.tgid), FIELD(of, member.start_ticks), \
	BYTES(of, member.comm)
#define HEAD(of) \
	FIELD(of, hdr.seq), FIELD(of, hdr.size), FIELD(of, hdr.type), \
	FIELD(of, hdr.pad), FIELD(of, hdr.cpu), FIELD(of, hdr.ts_ns)
#define CONN(of) \
	HEAD(of), FIELD(of, conn.cookie), FIELD(of, conn.birth_ns), \
	PART(of, conn.saddr, 0, 8), PART(of, conn.saddr, 8, 4), \
	PART(of, conn.saddr, 12, 4), PART(of, conn.daddr, 0, 8), \
	PART(of, conn.daddr, 8, 4), PART(of, conn.daddr, 12, 4), \
	FIELD(of, conn.netns_cookie), FIELD(of, conn.netns_ino), \
	FIELD(of, conn.ifindex), FIELD(of, conn.sport), \
	FIELD(of, conn.dport), FIELD(of, conn.flags), FIELD(of, conn.err)

static const struct field step[] = {
#define F(member) FIELD(tcptrail_step, member)
	CONN(tcptrail_step),
	F(step), F(old_state), F(new_state), F(cause), F(reason), F(count),
	F(iss), F(irs), F(listener), F(inode), F(cgroup), F(uid), F(mark),
	F(snd_una), F(snd_nxt), F(rcv_nxt), F(snd_wnd), F(rcv_wnd), F(unread),
	F(unsent), F(srtt_us), F(retrans), F(total_retrans), F(bytes_in),
	F(bytes_out), TASK(tcptrail_step, task),
#undef F
};

static const struct field trail[] = {
#define F(member) FIELD(tcptrail_trail, member)
	CONN(tcptrail_trail),
	F(nsteps), F(first_old), F(objects), F(synack_rtx), F(tw_restarts),
	BYTES(tcptrail_trail, pad), F(iss), F(irs),
	TASK(tcptrail_trail, opener), TASK(tcptrail_trail, closer),
	F(steps[0]), F(steps[1]), F(steps[2]), F(steps[3]), F(steps[4]),
	F(steps[5]), F(steps[6]), F(steps[7]), F(steps[8]), F(steps[9]),
	F(steps[10]), F(steps[11]),
#undef F
};
_Static_assert(TCPTRAIL_STEPS == 12, "all packed steps are listed");

static const struct field lost[] = {
	HEAD(tcptrail_lost), FIELD(tcptrail_lost, lost),
	FIELD(tcptrail_lost, first_seq),
};

/* All fields end where the next one begins, and the last one with the struct. */
static const char *check_table(const struct field *f, size_t n, size_t size)
{
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		if (f[i].at != at)
			return tt_why("no field at byte %zu, before %s", at, f[i].name);
		at += f[i].size & 0xff;
	}
	return at == size ? NULL : tt_why("%zu of %zu bytes are fields", at, size);
}

static bool all_are(const unsigned char *s, size_t n, unsigned int byte)
{
	while (n)
		if (s[--n] != byte)
			return false;
	return true;
}

static bool is_poisoned(const struct field *f, const unsigned char *rec,
			unsigned int byte)
{
	if (f->size & 0x100)
		return memchr(rec + f->at, byte, f->size & 0xff);
	return all_are(rec + f->at, f->size, byte);
}

static const char *find(const struct field *f, size_t n, size_t size,
			const union tt_record *rec, unsigned int byte)
{
	const char *why = check_table(f, n, size);

	for (size_t i = 0; !why && i < n && f[i].at < rec->hdr.size; i++)
		if (is_poisoned(&f[i], (const void *)rec, byte))
			return tt_why("nobody filled %s", f[i].name);
	return why;
}

#define FIND(table, type) \
	find(table, sizeof(table) / sizeof(*(table)), sizeof(struct type), rec, byte)

const char *tt_poisoned(const union tt_record *rec, unsigned int byte)
{
	switch (rec->hdr.type) {
	case TCPTRAIL_STEP:
	case TCPTRAIL_EVENT:
		return FIND(step, tcptrail_step);
	case TCPTRAIL_END:
	case TCPTRAIL_TRAIL:
		return FIND(trail, tcptrail_trail);
	case TCPTRAIL_LOST:
		return FIND(lost, tcptrail_lost);
	}
	return is_poisoned(&lost[0], (const void *)rec, byte) ||
	       is_poisoned(&lost[5], (const void *)rec, byte) ? "nobody filled hdr" : NULL;
}
