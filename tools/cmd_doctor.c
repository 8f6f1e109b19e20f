// SPDX-License-Identifier: GPL-2.0
/* doctor: is the module there, what can it see, what may be read. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "fields.h"
#include "format.h"
#include "source.h"
#include "state.h"
#include "tcptrail.h"

static void fact(struct out *o, const char *key, const char *name,
		 uint64_t val)
{
	if (o->json)
		out_u64(o, key, NULL, val);
	else
		printf("%-12s %" PRIu64 "\n", name, val);
}

static void word(struct out *o, const char *key, const char *name,
		 const char *val)
{
	if (o->json)
		out_str(o, key, NULL, val);
	else
		printf("%-12s %s\n", name, val);
}

/* What a recording says can be anything. */
static void name(struct out *o, const char *key, const char *name,
		 const char *val)
{
	char *safe = format_path(val);

	word(o, key, name, safe);
	free(safe);
}

static void print_hooks(struct out *o, const struct tcptrail_info *info)
{
	for (int on = 1; on >= 0; on--) {
		uint64_t mask = on ? info->hooks :
				info->hooks_known & ~info->hooks;

		out_open_array(o, on ? "hooks_active" : "hooks_missing");
		for (unsigned int i = 0; i < TCPTRAIL_H_COUNT; i++) {
			if (!(mask & 1ULL << i))
				continue;
			out_str(o, NULL, NULL, hook_name(i));
			if (!o->json && !on)
				printf("%-12s %s: without it you can't see %s\n",
				       "no hook", hook_name(i), hook_loss(i));
		}
		out_close(o);
	}
}

static void print_info(struct out *o, const struct source *src)
{
	const struct tcptrail_info *info = &src->info;
	struct clock clock = { .real_ns = info->real_ns - info->boot_ns };
	char buf[FORMAT_MAX];

	word(o, "source", "source", src->name);
	name(o, "version", "module", info->version);
	name(o, "release", "kernel", info->release);
	fact(o, "abi", "ABI", info->abi);
	word(o, NULL, "since", format_date(buf, &clock, info->loaded_ns));
	if (o->json)
		out_u64(o, "loaded_ns", NULL, info->loaded_ns);
	fact(o, "cpus", "rings", info->cpus);
	fact(o, "slots", "records each", info->slots);
	fact(o, "written", "written", info->written);
	fact(o, "trails", "open now", info->trails);
	fact(o, "requests", "half-open", info->requests);
	fact(o, "max_trails", "at most", info->max_trails);
	fact(o, "no_trail", "no room for", info->no_trail);
	fact(o, "missed", "not recorded", info->missed);
	snprintf(buf, sizeof(buf), "%d of %d",
		 __builtin_popcountll(info->hooks),
		 __builtin_popcountll(info->hooks_known));
	word(o, NULL, "hooks", buf);
	print_hooks(o, info);
}

static void print_verdict(const struct tcptrail_info *info)
{
	if (info->missed)
		printf("A CPU has no ring, for want of memory: its records are only in the trails.\n");
	if (info->no_trail)
		printf("The table of connections was full: reload with a greater max_trails.\n");
	if (!(info->features & TCPTRAIL_FEAT_TRAIL))
		printf("The module keeps no histories (max_trails=0): only what the rings still hold is known, and nothing is complete.\n");
	else if (info->hooks_known & ~info->hooks)
		printf("Some hooks are missing on this kernel: what they tell is unknown here.\n");
	else
		printf("All is well.\n");
}

int cmd_doctor(const struct opts *opts)
{
	struct source *src = source_open(opts->in, ST_ERROR);
	bool missing = src->info.hooks_known & ~src->info.hooks;
	struct out o;

	out_init(&o, opts->json, opts->pretty, opts->color, false);
	if (o.json)
		out_begin(&o);
	print_info(&o, src);
	if (o.json)
		out_end(&o);
	else
		print_verdict(&src->info);
	if (!out_finish(&o))
		err(ST_ERROR, "writing failed");
	source_close(src);
	return missing ? ST_INCOMPLETE : ST_OK;
}
