// SPDX-License-Identifier: GPL-2.0
/* The command line. One table describes every option. */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state.h"
#include "tcptrail.h"

/*
 * @key is the short option, or a stand-in (see @has_short) that the verbs
 * list in their options.
 */
struct option_row {
	char key;
	bool has_short;
	const char *name;
	const char *arg;	/* NULL: none, "[...": optional */
	const char *about;	/* NULL: not in the help */
};

static const struct option_row rows[] = {
	{ 'i', true, "input", "FILE", "read this recording (-: standard input)" },
	{ 'o', true, "output", "FILE", "write the recording here (-: standard output)" },
	{ 'f', true, "follow", NULL, "go on with what comes" },
	{ 'l', false, "last", "N", "only the last N lines" },
	{ 's', false, "since", "DURATION", "only what moved since then: 90s, 10m, 2h" },
	{ 'j', true, "json", NULL, "one JSON object per line" },
	{ 'r', false, "pretty", NULL, "JSON for reading" },
	{ 'H', true, "no-header", NULL, "no header line" },
	{ 'O', true, "oneline", NULL, "never break lines" },
	{ 'w', true, "wide", NULL, "as -O, with the cause of every step" },
	{ 'x', true, "extended", NULL, "more columns" },
	{ 'c', true, "color", "[WHEN]", "auto, always or never (NO_COLOR is obeyed)" },
	{ 'T', false, "time", "MODE", "wall, rel, mono or delta" },
	{ '4', true, "ipv4", NULL, "only IPv4, IPv4-mapped too" },
	{ '6', true, "ipv6", NULL, "only IPv6" },
	{ 'L', true, "lport", "PORT", "only this local port" },
	{ 'D', true, "rport", "PORT", "only this remote port" },
	{ 'P', false, "pid", "PID", "only what this process opened or closed" },
	{ 'C', false, "comm", "NAME", "only processes of this name (* and ? match)" },
	{ 'N', false, "netns", "NS", "only this namespace: name, inode or pid" },
	{ 'I', false, "id", "sk:ID", "only this connection" },
	{ 'S', false, "state", "STATE,...", "only these states" },
	{ 'u', false, "over", "DURATION", "only those that long in their state" },
	{ '1', false, "watch", NULL, "look again every 2 s, until Ctrl-C" },
	{ '2', false, "prom", NULL, "for Prometheus, text format 0.0.4" },
	{ '3', false, "within", "DURATION", "give it so long to come true" },
	{ '5', false, "svg", "FILE", "a picture that scales, also for browsers" },
	{ '7', false, "png", "FILE", "a picture of pixels" },
	{ '8', false, "pdf", "FILE", "a picture for paper" },
	{ '9', false, "html", "FILE", "a page to look around in, without a network" },
	{ 'K', false, "chrome", "FILE", "a trace for ui.perfetto.dev" },
	{ 'm', false, "mermaid", "FILE", "a sequence diagram for issue trackers" },
	{ 'R', false, "no-pair", NULL, "do not look for the other end" },
	{ 'A', false, "ascii", NULL, "draw with plain characters" },
	{ 'q', true, "quiet", NULL, "no remarks on standard error" },
	{ 'v', true, "verbose", NULL, "more remarks" },
	{ 'V', true, "version", NULL, "print the version" },
	{ 'h', true, "help", NULL, "this text" },
	/* Fingers trained by ss type -tanp. */
	{ 't', true, NULL, NULL, NULL },
	{ 'a', true, NULL, NULL, NULL },
	{ 'n', true, NULL, NULL, NULL },
	{ 'p', true, NULL, NULL, NULL },
	{ 'e', true, NULL, NULL, NULL },
};

__attribute__((noreturn, format(printf, 1, 2)))
static void usage_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	verrx(ST_USAGE, fmt, ap);
}

/* ---- help ---- */

static void print_options(const struct verb *verb)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct option_row *r = &rows[i];
		char names[64];

		if (!r->about || !strchr(verb->options, r->key))
			continue;
		snprintf(names, sizeof(names), "--%s%s%s", r->name,
			 !r->arg ? "" : *r->arg == '[' ? "[=" : " ",
			 !r->arg ? "" : r->arg + (*r->arg == '['));
		printf("  %c%c%c %-20s %s\n", r->has_short ? '-' : ' ',
		       r->has_short ? r->key : ' ', r->has_short ? ',' : ' ',
		       names, r->about);
	}
}

__attribute__((noreturn))
static void help(const struct verb *verb)
{
	if (verb) {
		printf("usage: tcptrail %s [OPTIONS] %s\n%s\n\n", verb->name,
		       verb->args, verb->about);
		print_options(verb);
		printf("\n%s", verb->examples);
		exit(ST_OK);
	}
	printf("usage: tcptrail [VERB] [OPTIONS] [FILTER]\n\n");
	for (size_t i = 0; i < nverbs; i++)
		printf("  %-7s %-28s %s\n", verbs[i].name, verbs[i].args,
		       verbs[i].about);
	printf("\nOptions of a verb: tcptrail VERB -h. Manual: man 8 tcptrail.\n"
	       "FILTER is that of ss(8) and more: state close-wait dport = 443 pid 12\n\n%s",
	       verbs[0].examples);
	exit(ST_OK);
}

/* ---- values ---- */

static uint64_t duration(const char *name, const char *value)
{
	uint64_t ns;

	if (!parse_duration(value, &ns))
		usage_error("--%s: \"%s\" is no duration such as 90s, 10m or 2h",
			    name, value);
	return ns;
}

static uint64_t number(const char *name, const char *value)
{
	uint64_t n;

	if (!parse_u64(value, &n) || n > INT64_MAX)
		usage_error("--%s: \"%s\" is no number", name, value);
	return n;
}

/* Which of @words, separated by a space each, is @value? */
static int choice(const char *name, const char *value, const char *words)
{
	char *list = xstrdup(words), *rest = list, *word;
	int i = 0;

	while ((word = strsep(&rest, " "))) {
		if (!strcmp(value, word)) {
			free(list);
			return i;
		}
		i++;
	}
	usage_error("--%s: \"%s\" is none of: %s", name, value, words);
}

static enum color_when color_when(const char *value)
{
	if (!value)
		return COLOR_ALWAYS;
	return choice("color", value + (*value == '='), "auto always never");
}

/* ---- options that filter ---- */

static struct filter *state_list(const char *value)
{
	struct filter *f = filter_new(FILTER_STATE, CMP_EQ);
	char *list = xstrdup(value), *rest = list, *word;

	while ((word = strsep(&rest, ","))) {
		uint32_t mask = state_mask(word);

		if (!mask)
			usage_error("--state: no such state: \"%s\"", word);
		f->num |= mask;
	}
	free(list);
	return f;
}

static struct filter *port_filter(enum filter_op op, const char *name,
				  const char *value)
{
	struct filter *f = filter_new(op, CMP_EQ);

	if (!filter_set_port(f, value))
		usage_error("--%s: \"%s\" is no port", name, value);
	return f;
}

static struct filter *number_filter(enum filter_op op, const char *name,
				    const char *value)
{
	struct filter *f = filter_new(op, CMP_EQ);

	f->num = number(name, value);
	return f;
}

static struct filter *cookie_filter(const char *value)
{
	struct filter *f = filter_new(FILTER_COOKIE, CMP_EQ);

	if (!filter_set_cookie(f, value))
		usage_error("--id: \"%s\" is no socket cookie such as sk:1a",
			    value);
	return f;
}

static struct filter *netns_filter(const char *value)
{
	struct filter *f = filter_new(FILTER_NETNS, CMP_EQ);
	char error[256];

	if (!filter_set_netns(f, value, error, sizeof(error)))
		usage_error("--netns: %s", error);
	return f;
}

static struct filter *option_filter(char key, const char *name,
				    const char *value)
{
	struct filter *f;

	switch (key) {
	case '4':
	case '6':
		f = filter_new(FILTER_FAMILY, CMP_EQ);
		f->num = key - '0';
		return f;
	case 'L':
		return port_filter(FILTER_SPORT, name, value);
	case 'D':
		return port_filter(FILTER_DPORT, name, value);
	case 'P':
		return number_filter(FILTER_PID, name, value);
	case 'C':
		f = filter_new(FILTER_COMM, CMP_EQ);
		f->text = xstrdup(value);
		return f;
	case 'N':
		return netns_filter(value);
	case 'I':
		return cookie_filter(value);
	case 'S':
		return state_list(value);
	default:
		return NULL;
	}
}

/* ---- options ---- */

static bool set_flag(struct opts *o, char key)
{
	switch (key) {
	case 'f': o->follow = true; break;
	case 'j': o->json = true; break;
	case 'r': o->json = o->pretty = true; break;
	case 'H': o->no_header = true; break;
	case 'O': o->oneline = true; break;
	case 'w': o->wide = o->oneline = true; break;
	case 'x': o->extended = true; break;
	case '1': o->watch = true; break;
	case '2': o->prom = true; break;
	case 'R': o->no_pair = true; break;
	case 'A': o->ascii = true; break;
	case 'q': o->quiet = true; break;
	case 'v': o->verbose = true; break;
	default: return false;
	}
	return true;
}

static void set_value(struct opts *o, char key, const char *value)
{
	switch (key) {
	case 'i':
		o->in = value;
		break;
	case 'o':
		o->out = value;
		break;
	case 'l':
		o->last = number("last", value);
		break;
	case 's':
		o->since_ns = duration("since", value);
		break;
	case 'u':
		o->over_ns = duration("over", value);
		break;
	case '5':
		o->to[EXPORT_SVG] = value;
		break;
	case '7':
		o->to[EXPORT_PNG] = value;
		break;
	case '8':
		o->to[EXPORT_PDF] = value;
		break;
	case '9':
		o->to[EXPORT_HTML] = value;
		break;
	case 'K':
		o->to[EXPORT_CHROME] = value;
		break;
	case 'm':
		o->to[EXPORT_MERMAID] = value;
		break;
	case '3':
		o->within_ns = duration("within", value);
		break;
	case 'c':
		o->color = color_when(value);
		break;
	case 'T':
		o->time = choice("time", value, "wall rel mono delta");
		o->time_given = true;
		break;
	}
}

static void set_option(struct opts *o, const struct option_row *r,
		       const char *value)
{
	if (!set_flag(o, r->key))
		set_value(o, r->key, value);
	o->filter = filter_and(o->filter, option_filter(r->key, r->name, value));
}

/* ---- getopt ---- */

#define SHORT_MAX	(3 * ARRAY_SIZE(rows) + 2)

static void make_tables(char *shorts, struct option *longs)
{
	/* Errors are told by us. */
	*shorts++ = ':';
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct option_row *r = &rows[i];
		int has_arg = !r->arg ? no_argument : *r->arg == '[' ?
			      optional_argument : required_argument;

		if (r->has_short) {
			*shorts++ = r->key;
			for (int k = 0; k < has_arg; k++)
				*shorts++ = ':';
		}
		if (r->name)
			*longs++ = (struct option){ r->name, has_arg, NULL,
						    0x100 + i };
	}
	*shorts = 0;
	memset(longs, 0, sizeof(*longs));
}

static const struct option_row *row_of(int c)
{
	if (c >= 0x100)
		return &rows[c - 0x100];
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].has_short && rows[i].key == c)
			return &rows[i];
	return NULL;
}

__attribute__((noreturn))
static void bad_option(char **argv, int c)
{
	const struct option_row *r = optopt ? row_of(optopt) : NULL;
	const char *word = argv[optind - 1];

	if (c == ':')
		usage_error("option %s%s wants a value: %s",
			    r->name ? "--" : "-", r->name, r->arg);
	if (r && !strncmp(word, "--", 2))
		usage_error("option --%s takes no value", r->name);
	if (optopt && strncmp(word, "--", 2))
		usage_error("unknown option -%c", optopt);
	usage_error("unknown option %s", word);
}

struct given {
	const struct option_row *row;
	const char *value;
};

/* All options, to be judged when the verb is known; the caller frees them. */
static size_t collect(int argc, char **argv, struct given **given)
{
	char shorts[SHORT_MAX];
	struct option longs[ARRAY_SIZE(rows) + 1];
	size_t n = 0, room = 0;
	int c;

	make_tables(shorts, longs);
	opterr = 0;
	while ((c = getopt_long(argc, argv, shorts, longs, NULL)) >= 0) {
		if (c == '?' || c == ':')
			bad_option(argv, c);
		make_room(given, &room, n, sizeof(**given));
		(*given)[n++] = (struct given){ row_of(c), optarg };
	}
	return n;
}

static bool was_given(const struct given *given, size_t n, char key)
{
	for (size_t i = 0; i < n; i++)
		if (given[i].row->key == key)
			return true;
	return false;
}

static void apply(const struct verb *verb, const struct given *given, size_t n,
		  struct opts *opts)
{
	for (size_t i = 0; i < n; i++) {
		const struct option_row *r = given[i].row;

		if (!strchr(verb->options, r->key))
			usage_error("%s does not take the option %s%s",
				    verb->name, r->name ? "--" : "-",
				    r->name ? r->name : (char[]){ r->key, 0 });
		set_option(opts, r, given[i].value);
	}
}

static void take_words(const struct verb *verb, char **words, size_t n,
		       struct opts *opts)
{
	struct filter *f;
	char error[512];

	if (verb->takes_command && verb->takes_filter && n) {
		opts->expr = *words++;
		n--;
	}
	if (verb->takes_command) {
		opts->command = n ? words : NULL;
		return;
	}
	if (!verb->takes_filter && n)
		usage_error("%s takes no \"%s\"", verb->name, words[0]);
	f = filter_parse(words, n, error, sizeof(error));
	if (error[0])
		usage_error("%s", error);
	opts->filter = filter_and(opts->filter, f);
	opts->cookie = filter_cookie(opts->filter);
}

const struct verb *options_parse(int argc, char **argv, struct opts *opts)
{
	struct given *given = NULL;
	size_t n = collect(argc, argv, &given);
	const struct verb *verb;

	verb = optind < argc ? find_verb(argv[optind]) : NULL;
	if (was_given(given, n, 'V')) {
		printf("tcptrail %s (ABI %u)\n", TCPTRAIL_VERSION, TCPTRAIL_ABI);
		exit(ST_OK);
	}
	if (was_given(given, n, 'h'))
		help(verb);
	optind += !!verb;
	if (!verb)
		verb = &verbs[0];
	apply(verb, given, n, opts);
	take_words(verb, argv + optind, argc - optind, opts);
	free(given);
	return verb;
}
