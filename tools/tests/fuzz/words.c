// SPDX-License-Identifier: GPL-2.0
/*
 * What people type: filters, assertions of check, durations, whole command
 * lines.
 *
 * An input is a byte that says which of these, and the words, a line each.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../expr.h"
#include "../../tcptrail.h"
#include "fuzz.h"

#define MAX_WORDS 40

struct words {
	char *text;
	char *word[MAX_WORDS + 1];
	size_t n;
	size_t size;
};

static void split(struct words *w, const struct bytes *b)
{
	char *rest = w->text = malloc(b->left + 1);

	memcpy(w->text, b->at, b->left);
	w->text[b->left] = 0;
	w->size = b->left;
	while (rest && *rest && w->n < MAX_WORDS)
		w->word[w->n++] = strsep(&rest, "\n");
}

/* ---- filters ---- */

/* Some connections of every sort, to be chosen from. */
static void fill(struct conn *c, unsigned int sort)
{
	memset(c, 0, sizeof(*c));
	c->cookie = c->who.cookie = sort + 1;
	c->who.sport = 80;
	c->who.dport = 40000 + sort;
	c->who.netns_ino = 4026531840;
	c->first_old = sort % 12 + 1;
	if (sort & 1) {
		c->who.flags |= TCPTRAIL_F_IPV6;
		c->who.saddr[0] = c->who.daddr[0] = 0xfd;
	} else {
		c->who.saddr[10] = c->who.saddr[11] = 0xff;
		c->who.saddr[12] = 10;
	}
	c->opener.tgid = sort;
	strcpy(c->opener.comm, "nginx");
}

static struct filter *must_parse(char *const *words, size_t n, bool must)
{
	char error[512];
	struct filter *f = filter_parse(words, n, error, sizeof(error));

	if (must && error[0])
		broken("refused in brackets: %s", error);
	if (error[0] && f)
		broken("a filter and an error: %s", error);
	return f;
}

/* What it chooses; "not (it)" must choose the rest. */
static int judge_filter(void *arg)
{
	struct words *w = arg;
	char *not[MAX_WORDS + 3] = { "not", "(" };
	char *twice[MAX_WORDS + 2];
	struct filter *f = must_parse(w->word, w->n, false), *g, *h;
	struct conn c;

	if (!f)
		return 0;
	for (size_t i = 0; i < w->n; i++)
		not[2 + i] = twice[i] = w->word[i];
	not[2 + w->n] = ")";
	g = must_parse(not, w->n + 3, w->size < 60);
	h = must_parse(twice, w->n, true);
	for (unsigned int sort = 0; g && sort < 24; sort++) {
		fill(&c, sort);
		if (filter_match(f, &c, NULL) == filter_match(g, &c, NULL))
			broken("it and its negation choose the same");
		if (filter_match(f, &c, NULL) != filter_match(h, &c, NULL))
			broken("the same words, another choice");
	}
	filter_free(f);
	filter_free(g);
	filter_free(h);
	return 0;
}

/* ---- the rest ---- */

static int judge_assertion(void *arg)
{
	struct words *w = arg;
	struct expr e;
	char error[512];
	bool good;

	for (size_t i = 0; i + 1 < w->n; i++)
		w->word[i][strlen(w->word[i])] = ' ';
	good = expr_parse(&e, w->n ? w->word[0] : "", error, sizeof(error));
	if (good != !error[0])
		broken("an error without a reason, or the reverse");
	filter_free(e.filter);
	return 0;
}

static int judge_number(void *arg)
{
	struct words *w = arg;
	uint64_t ns, n;

	for (size_t i = 0; i < w->n; i++) {
		if (parse_duration(w->word[i], &ns) && ns > INT64_MAX)
			broken("%s: a duration that overflows", w->word[i]);
		parse_u64(w->word[i], &n);
	}
	return 0;
}

/* Parsed, not run. */
static int judge_command_line(void *arg)
{
	struct words *w = arg;
	char *argv[MAX_WORDS + 2] = { "tcptrail" };
	struct opts opts = { .last = -1 };

	memcpy(argv + 1, w->word, w->n * sizeof(*argv));
	optind = 0;
	options_parse(w->n + 1, argv, &opts);
	filter_free(opts.filter);
	return 0;
}

void fuzz_one(const uint8_t *data, size_t size)
{
	static int (*const judge[])(void *arg) = {
		judge_filter, judge_assertion, judge_number, judge_command_line,
	};
	struct bytes b = { data, size };
	unsigned int which = take_byte(&b) % 4;
	const struct said *said;
	struct words w = { 0 };

	split(&w, &b);
	said = tool_run(judge[which], &w, size);
	if (said->refused && said->status != 2 && said->status != 0)
		broken("status %d: %s", said->status, said->err);
	if (said->refused && said->status && said->len)
		broken("refused, but with output");
	free(w.text);
}
