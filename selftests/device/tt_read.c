// SPDX-License-Identifier: GPL-2.0
/* A reader that holds every record against linux/tcptrail.h; see tt.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tt.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

#define FLAGS_KNOWN 0x7fff
#define SIZE_MINI offsetof(struct tcptrail_step, inode)
#define SIZE_FULL offsetof(struct tcptrail_step, task)

const char *tt_why(const char *format, ...)
{
	static char text[200];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return text;
}

/* ---- one record by itself: NULL, or what is wrong ---- */

static bool is_zero(const void *at, size_t len)
{
	const unsigned char *byte = at;

	while (len)
		if (byte[--len])
			return false;
	return true;
}

static const char *check_task(const struct tcptrail_task *task)
{
	if (!task->tgid)
		return is_zero(task, sizeof(*task)) ? NULL : "half a task";
	if (!memchr(task->comm, 0, sizeof(task->comm)))
		return "comm without an end";
	return NULL;
}

/* Linux 5.10 gives cookies to few namespaces, and does not tell them. */
static bool netns_have_cookies(void)
{
	static int have = -1;
	uint64_t cookie;
	socklen_t len = sizeof(cookie);

	if (have < 0) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		have = !getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len);
		close(fd);
	}
	return have;
}

static const char *check_conn(const struct tcptrail_conn *conn)
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (!conn->cookie)
		return "no cookie";
	if (conn->flags & ~FLAGS_KNOWN)
		return "unknown flag";
	if (!conn->netns_ino || (!conn->netns_cookie && netns_have_cookies()))
		return "no namespace";
	if (!(conn->flags & TCPTRAIL_F_IPV6)) {
		if (memcmp(conn->saddr, mapped, sizeof(mapped)))
			return "local IPv4 address is not mapped";
		if (memcmp(conn->daddr, mapped, sizeof(mapped)) &&
		    !is_zero(conn->daddr, sizeof(conn->daddr)))
			return "remote IPv4 address is not mapped";
	}
	return NULL;
}

static const char *check_numbers(const struct tcptrail_conn *conn,
				 uint32_t iss, uint32_t irs)
{
	if (iss && !(conn->flags & TCPTRAIL_F_ISS))
		return "iss without its flag";
	if (irs && !(conn->flags & TCPTRAIL_F_IRS))
		return "irs without its flag";
	if ((iss || irs) && (conn->flags & TCPTRAIL_F_REDACTED))
		return "numbers in a redacted record";
	return NULL;
}

static bool is_state(unsigned int state)
{
	return state >= TCPTRAIL_ESTABLISHED && state <= TCPTRAIL_NEW_SYN_RECV;
}

/* accept() changes no state, nor does close() after shutdown(). */
static bool may_stay(unsigned int state, unsigned int cause)
{
	if (cause == TCPTRAIL_C_ACCEPT)
		return true;
	return (cause == TCPTRAIL_C_CLOSE || cause == TCPTRAIL_C_EXIT) &&
	       (state == TCPTRAIL_FIN_WAIT1 || state == TCPTRAIL_FIN_WAIT2 ||
		state == TCPTRAIL_CLOSING || state == TCPTRAIL_LAST_ACK);
}

static const char *check_step(const struct tcptrail_step *step)
{
	bool event = step->hdr.type == TCPTRAIL_EVENT;
	size_t size = step->hdr.size;

	if (size != SIZE_MINI && size != SIZE_FULL && size != sizeof(*step))
		return "size is none of a step";
	if (!is_state(step->old_state) || !is_state(step->new_state))
		return "unknown state";
	if (step->cause > TCPTRAIL_C_MAX)
		return "unknown cause";
	if (event && (step->old_state != step->new_state || step->step != TCPTRAIL_NO_STEP))
		return "an event that is a step";
	if (!event && step->cause >= TCPTRAIL_C_SYN_OUT &&
	    step->cause <= TCPTRAIL_C_TW_RESTART)
		return "a step with the cause of an event";
	if (!event && step->old_state == step->new_state &&
	    !may_stay(step->old_state, step->cause))
		return "a step that goes nowhere";
	if (!event && (step->step == TCPTRAIL_NO_STEP) !=
		      !step->conn.birth_ns)
		return "a step number without a birth, or the reverse";
	if (step->reason && step->cause != TCPTRAIL_C_RST_OUT)
		return "a reason for nothing";
	if (step->count && step->cause != TCPTRAIL_C_SYNACK_RTX &&
	    step->cause != TCPTRAIL_C_TW_RESTART)
		return "a count of nothing";
	if (step->listener && step->new_state != TCPTRAIL_NEW_SYN_RECV)
		return "a listener that has no request";
	if (!step->conn.birth_ns && !event &&
	    !(step->conn.flags & TCPTRAIL_F_NO_TRAIL))
		return "no birth, although there is a trail";
	if (step->conn.birth_ns > step->hdr.ts_ns)
		return "recorded before its birth";
	if (size == sizeof(*step) && check_task(&step->task))
		return check_task(&step->task);
	return check_numbers(&step->conn, step->iss, step->irs);
}

static const char *check_trail(const struct tcptrail_trail *trail)
{
	bool end = trail->hdr.type == TCPTRAIL_END;
	unsigned int i;

	if (trail->hdr.size != sizeof(*trail))
		return "size is not that of a trail";
	if (!is_zero(trail->pad, sizeof(trail->pad)))
		return "padding of a trail is not zero";
	if (end != !trail->objects || trail->objects > 7)
		return "objects of a trail";
	if (!trail->conn.birth_ns)
		return "a trail without a birth";
	if (!is_state(trail->first_old))
		return "unknown first state";
	for (i = 0; i < TCPTRAIL_STEPS; i++) {
		uint64_t step = trail->steps[i];

		if (i >= trail->nsteps && step)
			return "steps behind the last one";
		if (i >= trail->nsteps)
			continue;
		if (!is_state(TCPTRAIL_PACK_STATE(step)) ||
		    TCPTRAIL_PACK_CAUSE(step) > TCPTRAIL_C_MAX)
			return "packed state or cause is unknown";
		if (i && TCPTRAIL_PACK_NS(step) <
			 TCPTRAIL_PACK_NS(trail->steps[i - 1]))
			return "packed times go back";
	}
	if (trail->nsteps && TCPTRAIL_PACK_NS(trail->steps[0]) &&
	    !(trail->conn.flags & TCPTRAIL_F_LATE))
		return "step 0 is not at the birth";
	if (check_task(&trail->opener) || check_task(&trail->closer))
		return "half a task in a trail";
	return check_numbers(&trail->conn, trail->iss, trail->irs);
}

const char *tt_check(const union tt_record *rec)
{
	const struct tcptrail_hdr *hdr = &rec->hdr;
	const char *why;

	if (hdr->pad)
		return "padding of the header is not zero";
	if (!hdr->ts_ns)
		return "no time";
	switch (hdr->type) {
	case TCPTRAIL_STEP:
	case TCPTRAIL_EVENT:
		why = check_conn(&rec->step.conn);
		return why ? why : check_step(&rec->step);
	case TCPTRAIL_END:
	case TCPTRAIL_TRAIL:
		why = check_conn(&rec->trail.conn);
		return why ? why : check_trail(&rec->trail);
	case TCPTRAIL_LOST:
		if (hdr->size != sizeof(rec->lost) || !rec->lost.lost)
			return "a LOST of nothing";
		return NULL;
	case TCPTRAIL_SYNC:
		return hdr->size == sizeof(*hdr) ? NULL : "size of a SYNC";
	}
	return "unknown type";
}

/* ---- one record after the other ---- */

static bool from_ring(const struct tcptrail_hdr *hdr)
{
	return hdr->type <= TCPTRAIL_END;
}

static const char *follow_ring(struct tt_ring *ring,
			       const union tt_record *rec)
{
	bool lost = rec->hdr.type == TCPTRAIL_LOST;
	uint64_t seq = lost ? rec->lost.first_seq : rec->hdr.seq;
	uint64_t n = lost ? rec->lost.lost : 1;
	uint64_t expected = ring->first ? ring->next : seq;

	if (!seq)
		return "a record of a ring without seq";
	if (!ring->first)
		ring->first = seq;
	ring->next = seq + n;
	if (lost)
		ring->lost += n;
	else
		ring->delivered++;
	if (seq != expected)
		return tt_why("CPU %u: seq %llu instead of %llu", rec->hdr.cpu,
			      (unsigned long long)seq,
			      (unsigned long long)expected);
	return NULL;
}

static const char *follow_phase(struct tt_reader *rd,
				const struct tcptrail_hdr *hdr)
{
	if (hdr->type == TCPTRAIL_SYNC) {
		rd->syncs++;
		if (rd->phase == TT_LIVE)
			return "one SYNC too many";
		rd->phase = TT_LIVE;
	} else if (hdr->type == TCPTRAIL_TRAIL) {
		rd->trails++;
		if (rd->phase > TT_TRAILS)
			return "a TRAIL after the trails";
		rd->phase = TT_TRAILS;
	} else if (rd->phase == TT_TRAILS) {
		rd->phase = TT_CATCH_UP;
	}
	return NULL;
}

static const char *follow(struct tt_reader *rd, const union tt_record *rec)
{
	const struct tcptrail_hdr *hdr = &rec->hdr;
	const char *why;

	if (from_ring(hdr) || hdr->type == TCPTRAIL_LOST) {
		if (hdr->cpu >= TT_CPUS)
			return "a CPU that there is not";
		why = follow_ring(&rd->ring[hdr->cpu], rec);
		if (why)
			return why;
	}
	if (!from_ring(hdr) && hdr->seq)
		return "seq in a record that comes from no ring";
	return follow_phase(rd, hdr);
}

static void complain(struct tt_reader *rd, const union tt_record *rec,
		     const char *why)
{
	if (!why || rd->wrong[0])
		return;
	snprintf(rd->wrong, sizeof(rd->wrong),
		 "%.100s (type %u size %u cpu %u seq %llu cause %u)", why,
		 rec->hdr.type, rec->hdr.size, rec->hdr.cpu,
		 (unsigned long long)rec->hdr.seq,
		 rec->hdr.type <= TCPTRAIL_EVENT ? rec->step.cause : 0);
}

/* ---- reading ---- */

struct tt_reader *tt_reader(int fd)
{
	struct tt_reader *rd = calloc(1, sizeof(*rd));

	if (!rd)
		return NULL;
	rd->fd = fd;
	rd->chunk = sizeof(rd->buf);
	return rd;
}

struct tt_reader *tt_open(int flags)
{
	int fd = open(TCPTRAIL_DEVICE, O_RDONLY | O_CLOEXEC | flags);

	return fd < 0 ? NULL : tt_reader(fd);
}

void tt_close(struct tt_reader *rd)
{
	if (rd)
		close(rd->fd);
	free(rd);
}

void tt_restart(struct tt_reader *rd, enum tt_phase phase)
{
	memset(rd->ring, 0, sizeof(rd->ring));
	rd->have = 0;
	rd->at = 0;
	rd->phase = phase;
	rd->syncs = 0;
	rd->trails = 0;
}

static int refill(struct tt_reader *rd)
{
	ssize_t n = read(rd->fd, rd->buf, rd->chunk);

	rd->at = 0;
	rd->have = n > 0 ? n : 0;
	rd->reads++;
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	return n ? 1 : -EPIPE;
}

int tt_next(struct tt_reader *rd, union tt_record *rec)
{
	size_t size;
	int ret;

	if (rd->at == rd->have) {
		ret = refill(rd);
		if (ret <= 0)
			return ret;
	}
	memset(rec, 0, sizeof(*rec));
	memcpy(&rec->hdr, rd->buf + rd->at,
	       rd->have - rd->at < sizeof(rec->hdr) ? rd->have - rd->at :
						      sizeof(rec->hdr));
	size = rec->hdr.size;
	if (size < sizeof(rec->hdr) || size % 8 || size > sizeof(*rec) ||
	    size > rd->have - rd->at) {
		complain(rd, rec, "size");
		return -EBADMSG;
	}
	memcpy(rec, rd->buf + rd->at, size);
	rd->at += size;
	complain(rd, rec, tt_check(rec));
	complain(rd, rec, follow(rd, rec));
	return 1;
}

int tt_skip_to_sync(struct tt_reader *rd)
{
	union tt_record rec;
	int ret;

	while (!rd->syncs) {
		ret = tt_next(rd, &rec);
		if (ret <= 0)
			return ret ? ret : -EAGAIN;
	}
	return 0;
}

int tt_drain(struct tt_reader *rd)
{
	union tt_record rec;
	int ret;

	while ((ret = tt_next(rd, &rec)) > 0)
		;
	return ret;
}

int tt_info(int fd, struct tcptrail_info *info)
{
	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	return ioctl(fd, TCPTRAIL_IOC_INFO, info) ? -errno : 0;
}

#define SUM(name, expression)					\
uint64_t name(const struct tt_reader *rd)			\
{								\
	uint64_t sum = 0;					\
	int i;							\
								\
	for (i = 0; i < TT_CPUS; i++) {				\
		const struct tt_ring *r = &rd->ring[i];		\
								\
		sum += expression;				\
	}							\
	return sum;						\
}

SUM(tt_delivered, r->delivered)
SUM(tt_lost, r->lost)
SUM(tt_last, r->first ? r->next - 1 : 0)
SUM(tt_span, r->next - r->first)
