// SPDX-License-Identifier: GPL-2.0
#include <string.h>

#include "age.h"
#include "facts.h"
#include "format.h"
#include "netns.h"

#define MS	1000000ULL
/* TCP_TIMEWAIT_LEN and TCP_TIMEOUT_INIT of the kernel's net/tcp.h */
#define TIME_WAIT_NS	(60 * NSEC_PER_SEC)
#define SYNACK_RTO_NS	NSEC_PER_SEC
#define MAX_BACKOFF	16

/* What is gone of @whole_ns if @left_ms are left. */
static uint64_t gone(uint64_t whole_ns, uint32_t left_ms)
{
	return whole_ns > left_ms * MS ? whole_ns - left_ms * MS : 0;
}

/*
 * Each retransmission waits twice as long as the one before; the first ones of
 * a SYN may not (tcp_syn_linear_timeouts), they don't count as backoff.
 */
uint64_t age_of_backoff(const struct diag_sock *s)
{
	unsigned int backoff = min(s->info.backoff, MAX_BACKOFF);
	unsigned int linear = s->info.retransmits > backoff ?
			      s->info.retransmits - backoff : 0;
	uint64_t first = (uint64_t)(s->info.rto_us >> backoff) * 1000;
	uint64_t past = first * linear + first * ((1ULL << backoff) - 1);

	return past + gone(s->info.rto_us * 1000ULL, s->expires_ms);
}

static uint64_t request_age(const struct diag_sock *s)
{
	unsigned int n = min(s->retrans, MAX_BACKOFF);

	return SYNACK_RTO_NS * ((1ULL << n) - 1) +
	       gone(SYNACK_RTO_NS << n, s->expires_ms);
}

static uint64_t mini_age(const struct diag_sock *s,
			 const struct netns_settings *set)
{
	uint64_t whole = TIME_WAIT_NS;

	if (s->state == TCPTRAIL_FIN_WAIT2 && set && set->fin_timeout > 0)
		whole = set->fin_timeout * NSEC_PER_SEC;
	return gone(whole, s->expires_ms);
}

/* Since the peer was last heard of, if nothing tells more. */
static uint64_t full_age(const struct diag_sock *s)
{
	bool fin_out = s->state == TCPTRAIL_FIN_WAIT1 ||
		       s->state == TCPTRAIL_LAST_ACK ||
		       s->state == TCPTRAIL_CLOSING;

	if (s->state == TCPTRAIL_SYN_SENT)
		return age_of_backoff(s);
	/* A zero window is probed, and the probes are answered. */
	if (s->timer == DIAG_TIMER_PROBE)
		return s->info.data_sent_ms * MS;
	if (fin_out && s->info.retransmits)
		return min(age_of_backoff(s), s->info.ack_recv_ms * MS);
	return s->info.ack_recv_ms * MS;
}

static struct age estimate(const struct diag_sock *s,
			   const struct netns_settings *set)
{
	if (s->mini)
		return (struct age){ AGE_ESTIMATE, mini_age(s, set) };
	if (s->request && s->timer == DIAG_TIMER_RETRANS)
		return (struct age){ AGE_ESTIMATE, request_age(s) };
	if (s->has_info)
		return (struct age){ AGE_ESTIMATE, full_age(s) };
	return (struct age){ AGE_UNKNOWN, 0 };
}

struct age age_of(const struct diag_sock *s, const struct fact *fact,
		  const struct netns_settings *set, uint64_t now_ns)
{
	if (fact && fact->since_ns && fact->since_ns <= now_ns)
		return (struct age){ AGE_EXACT, now_ns - fact->since_ns };
	return estimate(s, set);
}

const char *age_text(char *buf, const struct age *age)
{
	if (age->kind == AGE_UNKNOWN)
		return strcpy(buf, "?");
	*buf = '~';
	format_duration(buf + (age->kind == AGE_ESTIMATE), age->ns);
	return buf;
}
