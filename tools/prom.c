// SPDX-License-Identifier: GPL-2.0
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "group.h"
#include "prom.h"
#include "state.h"

static void head(const char *name, const char *type, const char *help)
{
	printf("# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void print_states(const struct stats *st, const struct groups *gs)
{
	head("tcptrail_sockets", "gauge", "TCP sockets by state.");
	for (unsigned int s = 1; s < STATS_STATES; s++) {
		size_t n = gs ? gs->by_state[s] : st->now[s];

		if (s != TCPTRAIL_CLOSE && s != TCPTRAIL_NEW_SYN_RECV)
			printf("tcptrail_sockets{state=\"%s\"} %zu\n",
			       state_name(s), n);
	}
}

/* Every rule has its line, also with 0, so that an alert can be written. */
static void print_stuck(const struct groups *gs)
{
	size_t *n = xzalloc(nrules * sizeof(*n));

	for (size_t i = 0; i < gs->n; i++)
		n[gs->group[i].rule - rules] += gs->group[i].n;
	head("tcptrail_stuck_sockets", "gauge",
	     "TCP sockets that are stuck, by the rule that says so.");
	for (size_t i = 0; i < nrules; i++)
		if (rules[i].severity == SEV_FAIL)
			printf("tcptrail_stuck_sockets{rule=\"%s\"} %zu\n",
			       rules[i].name, n[i]);
	free(n);
}

/*
 * Without _sum and _count, which would have to grow for ever: these are of the
 * connections remembered.
 * @label: "state=\"ESTABLISHED\"", or ""
 */
static void print_sample(const char *name, const char *label,
			 const struct sample *s)
{
	static const char *const quantiles[] = { "0.5", "0.9", "0.99", "1" };
	const char *comma = *label ? "," : "";

	for (size_t i = 0; s->n && i < ARRAY_SIZE(quantiles); i++)
		printf("%s{%s%squantile=\"%s\"} %.9g\n", name, label, comma,
		       quantiles[i],
		       sample_quantile(s, atof(quantiles[i])) / 1e9);
}

static void print_times(const struct stats *st)
{
	char label[64];

	head("tcptrail_state_seconds", "summary",
	     "Length of completed stays in a state, of the connections that are remembered.");
	for (unsigned int s = 1; s < STATS_STATES; s++) {
		if (s == TCPTRAIL_CLOSE || s == TCPTRAIL_NEW_SYN_RECV)
			continue;
		snprintf(label, sizeof(label), "state=\"%s\"", state_name(s));
		print_sample("tcptrail_state_seconds", label, &st->state[s]);
	}
	head("tcptrail_handshake_seconds", "summary",
	     "Length of completed handshakes, of the connections that are remembered.");
	print_sample("tcptrail_handshake_seconds", "side=\"client\"", &st->active);
	print_sample("tcptrail_handshake_seconds", "side=\"server\"",
		     &st->passive);
	head("tcptrail_accept_wait_seconds", "summary",
	     "Wait for accept, of the connections that are remembered.");
	print_sample("tcptrail_accept_wait_seconds", "", &st->accept_wait);
}

static void number(const char *name, const char *type, const char *help,
		   uint64_t val)
{
	head(name, type, help);
	printf("%s %" PRIu64 "\n", name, val);
}

static void print_module(const struct tcptrail_info *info, uint64_t lost)
{
	number("tcptrail_module_loaded", "gauge",
	       "Whether the module is there and can be read.", !!info);
	if (!info)
		return;
	number("tcptrail_records_total", "counter",
	       "Records that the module has written.", info->written);
	number("tcptrail_connections_without_trail_total", "counter",
	       "Connections that found no room for a trail.", info->no_trail);
	number("tcptrail_trails", "gauge", "Open connections that are followed.",
	       info->trails);
	number("tcptrail_records_lost", "gauge",
	       "Records that were lost while this was read.", lost);
	head("tcptrail_hook_active", "gauge",
	     "Whether a hook of the module is active.");
	for (unsigned int i = 0; i < TCPTRAIL_H_COUNT; i++)
		if (info->hooks_known >> i & 1)
			printf("tcptrail_hook_active{hook=\"%s\"} %d\n",
			       hook_name(i), (int)(info->hooks >> i & 1));
}

void prom_print(const struct stats *st, const struct groups *gs,
		const struct tcptrail_info *info, uint64_t lost)
{
	print_states(st, gs);
	if (gs)
		print_stuck(gs);
	if (info)
		print_times(st);
	print_module(info, lost);
}
