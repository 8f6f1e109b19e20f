/* SPDX-License-Identifier: GPL-2.0 */
/* The verbs, and the options that they share. */
#ifndef TCPTRAIL_H
#define TCPTRAIL_H

#include "filter.h"
#include "format.h"
#include "out.h"

/* What export makes. */
enum export_kind {
	EXPORT_SVG,
	EXPORT_PNG,
	EXPORT_PDF,
	EXPORT_HTML,
	EXPORT_CHROME,
	EXPORT_MERMAID,
	EXPORT_KINDS,
};

/**
 * struct opts - the command line
 * @in: -i, NULL: the device
 * @out: -o
 * @last: --last, -1: all
 * @since_ns: --since, 0: no limit
 * @over_ns: --over, 0: no limit
 * @filter: filter words and options that filter, all together; NULL: none
 * @cookie: the filter is this one connection, 0: it is not
 * @expr: of check: its first word
 * @within_ns: --within, 0: now
 * @to: of export: a file for each kind, NULL: not asked for
 * @command: of record and check, NULL-terminated; NULL: none
 */
struct opts {
	const char *in, *out;
	bool follow, json, pretty, no_header, oneline, wide, extended;
	bool quiet, verbose, ascii, no_pair, time_given;
	enum color_when color;
	enum time_mode time;
	int64_t last;
	uint64_t since_ns, over_ns;
	struct filter *filter;
	uint64_t cookie;
	const char *expr;
	uint64_t within_ns;
	bool watch, prom;
	const char *to[EXPORT_KINDS];
	char **command;
};

int cmd_show(const struct opts *opts);
int cmd_events(const struct opts *opts);
int cmd_record(const struct opts *opts);
int cmd_report(const struct opts *opts);
int cmd_stuck(const struct opts *opts);
int cmd_check(const struct opts *opts);
int cmd_stat(const struct opts *opts);
int cmd_top(const struct opts *opts);
int cmd_export(const struct opts *opts);
int cmd_doctor(const struct opts *opts);

/**
 * struct verb - one row of the table in tcptrail.c
 * @options: the short options, and stand-ins of the long ones, that it takes
 * @takes_filter: words are a filter
 * @takes_command: words behind -- are a command; with both the first word is
 *	the filter
 */
struct verb {
	const char *name, *args, *about;
	int (*run)(const struct opts *opts);
	const char *options;
	bool takes_filter, takes_command;
	const char *examples;
};

extern const struct verb verbs[];
extern const size_t nverbs;
const struct verb *find_verb(const char *name);

/* Reads all of argv; exits on a mistake, -h and -V. */
const struct verb *options_parse(int argc, char **argv, struct opts *opts);

#endif
