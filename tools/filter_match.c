// SPDX-License-Identifier: GPL-2.0
/* Applies filter expressions to connections. */
#include <fnmatch.h>
#include <string.h>

#include "filter.h"
#include "format.h"
#include "state.h"

static bool compare(enum filter_compare cmp, uint64_t a, uint64_t b)
{
	switch (cmp) {
	case CMP_EQ:
		return a == b;
	case CMP_NE:
		return a != b;
	case CMP_LT:
		return a < b;
	case CMP_GT:
		return a > b;
	case CMP_LE:
		return a <= b;
	case CMP_GE:
		return a >= b;
	}
	return false;
}

static bool same_prefix(const uint8_t *a, const uint8_t *b, unsigned int bits)
{
	unsigned int bytes = bits / 8, rest = bits % 8;

	return !memcmp(a, b, bytes) &&
	       (!rest || !((a[bytes] ^ b[bytes]) >> (8 - rest)));
}

static bool match_port(const struct filter *f, unsigned int port)
{
	return f->port < 0 || compare(f->cmp, port, f->port);
}

static bool match_host(const struct filter *f, const uint8_t *addr,
		       unsigned int port)
{
	bool same = (f->port < 0 || port == (unsigned int)f->port) &&
		    (!f->bits || same_prefix(addr, f->addr, f->bits));

	return same == (f->cmp == CMP_EQ);
}

/* One of the tasks: that of the step, else opener and closer. */
static bool match_task(const struct filter *f, const struct tcptrail_task *t)
{
	if (!t || !t->tgid)
		return false;
	if (f->op == FILTER_PID)
		return t->tgid == f->num;
	return !fnmatch(f->text, t->comm, 0);
}

static bool match_tasks(const struct filter *f, const struct conn *c,
			const struct step *s)
{
	bool found = match_task(f, &c->opener) || match_task(f, &c->closer) ||
		     (s && match_task(f, conn_step_task(c, s)));

	return found == (f->cmp == CMP_EQ);
}

/* Does any record of a full socket say so? Requests and trails don't know. */
static bool match_full(const struct filter *f, const struct conn *c)
{
	bool found = false;

	for (size_t i = 0; i < c->nsteps && !found; i++) {
		const struct step *s = c->step[i];

		if (!s || !step_is_full(s))
			continue;
		found = f->op == FILTER_CGROUP ? s->rec->cgroup == f->num :
			(s->rec->mark & f->mask) == (f->num & f->mask);
	}
	return found == (f->cmp == CMP_EQ);
}

static bool match_family(const struct filter *f, const struct conn *c)
{
	bool v4 = !(c->who.flags & TCPTRAIL_F_IPV6) ||
		  (addr_is_v4(c->who.saddr) && addr_is_v4(c->who.daddr));

	return v4 == (f->num == 4);
}

/* A recording may hold numbers that are no state. */
static bool match_state(const struct filter *f, unsigned int state)
{
	return state < 64 && f->num >> state & 1;
}

static bool match_term(const struct filter *f, const struct conn *c,
		       const struct step *s)
{
	switch (f->op) {
	case FILTER_STATE:
		return match_state(f, s ? state_shown(s->new) : conn_state(c));
	case FILTER_SPORT:
		return match_port(f, c->who.sport);
	case FILTER_DPORT:
		return match_port(f, c->who.dport);
	case FILTER_SRC:
		return match_host(f, c->who.saddr, c->who.sport);
	case FILTER_DST:
		return match_host(f, c->who.daddr, c->who.dport);
	case FILTER_DEV:
		return compare(f->cmp, c->who.ifindex, f->num);
	case FILTER_MARK:
	case FILTER_CGROUP:
		return match_full(f, c);
	case FILTER_PID:
	case FILTER_COMM:
		return match_tasks(f, c, s);
	case FILTER_NETNS:
		return compare(f->cmp, c->who.netns_ino, f->num);
	case FILTER_COOKIE:
		return c->cookie == f->num;
	case FILTER_FAMILY:
		return match_family(f, c);
	default:
		return false;
	}
}

bool filter_match(const struct filter *f, const struct conn *c,
		  const struct step *s)
{
	if (!f)
		return true;
	switch (f->op) {
	case FILTER_AND:
		return filter_match(f->a, c, s) && filter_match(f->b, c, s);
	case FILTER_OR:
		return filter_match(f->a, c, s) || filter_match(f->b, c, s);
	case FILTER_NOT:
		return !filter_match(f->a, c, s);
	default:
		return match_term(f, c, s);
	}
}
