// SPDX-License-Identifier: GPL-2.0
/*
 * Only what is asked for is kept: the history of everything would be many
 * times larger than the answer.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "facts.h"
#include "state.h"
#include "util.h"

/* Losing records so often means that reading can't keep up at all. */
#define MAX_RESYNCS	8

struct cookies {
	uint32_t *slot;		/* index of the socket plus 1 */
	size_t size;
	const struct diag *diag;
};

static size_t slot_of(const struct cookies *t, uint64_t cookie)
{
	return (cookie * 0x9e3779b97f4a7c15ULL >> 32) & (t->size - 1);
}

static void cookies_init(struct cookies *t, const struct diag *d)
{
	t->size = 1024;
	t->diag = d;
	while (t->size < 2 * d->n)
		t->size *= 2;
	t->slot = xzalloc(t->size * sizeof(*t->slot));
	for (size_t i = 0; i < d->n; i++) {
		size_t at = slot_of(t, d->sock[i].who.cookie);

		while (t->slot[at])
			at = (at + 1) & (t->size - 1);
		t->slot[at] = i + 1;
	}
}

static struct fact *find(const struct facts *f, const struct cookies *t,
			 uint64_t cookie, const struct diag_sock **sock)
{
	size_t at = slot_of(t, cookie);

	for (; t->slot[at]; at = (at + 1) & (t->size - 1)) {
		*sock = &t->diag->sock[t->slot[at] - 1];
		if ((*sock)->who.cookie == cookie)
			return &f->fact[t->slot[at] - 1];
	}
	return NULL;
}

/* ---- trails ---- */

static uint64_t packed_time(const struct tcptrail_trail *rec, size_t i)
{
	uint64_t ns = TCPTRAIL_PACK_NS(rec->steps[i]);

	return ns == TCPTRAIL_PACK_NS_MAX ? 0 : rec->conn.birth_ns + ns;
}

static unsigned int packed_state(const struct tcptrail_trail *rec, size_t i)
{
	return state_shown(TCPTRAIL_PACK_STATE(rec->steps[i]));
}

/* The last visit began with the first of the steps that stay in its state. */
static uint64_t trail_since(const struct tcptrail_trail *rec)
{
	size_t i = rec->nsteps;
	unsigned int state;

	if (!i || i > TCPTRAIL_STEPS)
		return 0;
	state = packed_state(rec, --i);
	while (i > 0 && packed_state(rec, i - 1) == state)
		i--;
	/* It had been there already when it was first seen. */
	if (!i && state_shown(rec->first_old) == state)
		return 0;
	return packed_time(rec, i);
}

static void add_trail(struct fact *fact, const struct tcptrail_trail *rec)
{
	fact->known = true;
	fact->nsteps = rec->nsteps;
	fact->birth_ns = rec->conn.birth_ns;
	fact->flags = rec->conn.flags;
	fact->synack_rtx = rec->synack_rtx;
	fact->opener = rec->opener;
	fact->closer = rec->closer;
	fact->opener.comm[sizeof(fact->opener.comm) - 1] = 0;
	fact->closer.comm[sizeof(fact->closer.comm) - 1] = 0;
	fact->since_ns = trail_since(rec);
	for (size_t i = 0; i < min(rec->nsteps, TCPTRAIL_STEPS); i++)
		fact->crossed |= packed_state(rec, i) == TCPTRAIL_CLOSING;
	fact->state = !rec->nsteps ? state_shown(rec->first_old) :
		      rec->nsteps > TCPTRAIL_STEPS ? 0 :
		      packed_state(rec, rec->nsteps - 1);
}

/* What happened after its trail was told. */
static void add_step(struct fact *fact, const struct tcptrail_step *rec)
{
	unsigned int state = state_shown(rec->new_state);

	if (!fact->known || rec->conn.birth_ns != fact->birth_ns ||
	    rec->step == TCPTRAIL_NO_STEP || rec->step < fact->nsteps)
		return;
	fact->nsteps = rec->step + 1;
	fact->flags |= rec->conn.flags;
	if (state != fact->state)
		fact->since_ns = rec->hdr.ts_ns;
	fact->crossed |= state == TCPTRAIL_CLOSING;
	fact->state = state;
}

static void add_record(struct facts *f, const struct cookies *t,
		       const struct tcptrail_hdr *hdr)
{
	const struct tcptrail_step *rec = (const void *)hdr;
	const struct diag_sock *sock;
	struct fact *fact;

	if (hdr->type != TCPTRAIL_STEP && hdr->type != TCPTRAIL_TRAIL)
		return;
	/* Both kinds have the connection in the same place. */
	fact = find(f, t, rec->conn.cookie, &sock);
	if (!fact)
		return;
	if (hdr->type == TCPTRAIL_STEP)
		add_step(fact, rec);
	else
		add_trail(fact, (const void *)hdr);
}

/* Both were asked one after the other: in between a socket may have moved. */
static void drop_moved(struct facts *f, const struct diag *d)
{
	for (size_t i = 0; i < d->n; i++)
		if (f->fact[i].known && f->fact[i].state != d->sock[i].state)
			f->fact[i].since_ns = 0;
}

/* ---- the source ---- */

static void read_to_sync(struct facts *f, const struct cookies *t,
			 struct source *src)
{
	const struct tcptrail_hdr *hdr;
	unsigned int resyncs = 0;

	for (;;) {
		hdr = source_next(src);
		if (!hdr && (!src->live || !source_wait(src)))
			return;
		if (!hdr)
			continue;
		add_record(f, t, hdr);
		if (hdr->type == TCPTRAIL_SYNC && src->live)
			return;
		if (hdr->type != TCPTRAIL_LOST || !src->live)
			continue;
		if (++resyncs <= MAX_RESYNCS)
			source_resync(src);
		else
			f->lost += ((const struct tcptrail_lost *)hdr)->lost;
	}
}

static void init(struct facts *f, const struct diag *d)
{
	memset(f, 0, sizeof(*f));
	f->fact = xzalloc((d->n + 1) * sizeof(*f->fact));
}

void facts_read_source(struct facts *f, const struct diag *d,
		       struct source *src)
{
	struct cookies t;

	init(f, d);
	f->module = true;
	cookies_init(&t, d);
	read_to_sync(f, &t, src);
	drop_moved(f, d);
	free(t.slot);
}

const char *facts_no_module(void)
{
	int fd = open(TCPTRAIL_DEVICE, O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		close(fd);
		return NULL;
	}
	return errno == EACCES || errno == EPERM ?
	       "you may not read " TCPTRAIL_DEVICE : "the module is not loaded";
}

void facts_read(struct facts *f, const struct diag *d)
{
	const char *why = facts_no_module();
	struct source *src;

	if (why) {
		init(f, d);
		f->why = why;
		return;
	}
	src = source_open(NULL, ST_ERROR);
	facts_read_source(f, d, src);
	source_close(src);
}

void facts_free(struct facts *f)
{
	free(f->fact);
	memset(f, 0, sizeof(*f));
}
