// SPDX-License-Identifier: GPL-2.0
/* Reads filter expressions; the grammar is in tcptrail(8), FILTER. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "filter.h"
#include "state.h"
#include "util.h"

#define MAX_DEPTH	64

struct parser {
	char **token;
	size_t n, pos, room;
	unsigned int depth;
	char *error;
	size_t error_size;
};

/* ---- tokens ---- */

static void add_token(struct parser *p, const char *s, size_t len)
{
	char *token = xzalloc(len + 1);

	memcpy(token, s, len);
	make_room(&p->token, &p->room, p->n + 1, sizeof(*p->token));
	p->token[p->n++] = token;
}

static size_t operator_length(const char *s)
{
	static const char *const ops[] = { "!=", ">=", "<=", "==", "&&", "||",
					   "(", ")", "!", "=", "<", ">", "&",
					   "|" };

	for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
		if (!strncmp(s, ops[i], strlen(ops[i])))
			return strlen(ops[i]);
	return 0;
}

/* One word of the command line can hold many tokens: '( sport = :80 )'. */
static void split(struct parser *p, const char *s)
{
	while (*s) {
		size_t len = operator_length(s);

		if (*s == ' ' || *s == '\t' || *s == '\n') {
			s++;
			continue;
		}
		if (!len)
			len = strcspn(s, " \t\n()!=<>&|");
		add_token(p, s, len);
		s += len;
	}
}

static const char *peek(const struct parser *p)
{
	return p->pos < p->n ? p->token[p->pos] : NULL;
}

static bool take(struct parser *p, const char *word)
{
	if (!peek(p) || strcasecmp(peek(p), word))
		return false;
	p->pos++;
	return true;
}

/* The first complaint is the one that is told. Returns NULL for convenience. */
__attribute__((format(printf, 2, 3)))
static struct filter *fail(struct parser *p, const char *fmt, ...)
{
	va_list ap;

	if (p->error[0])
		return NULL;
	va_start(ap, fmt);
	vsnprintf(p->error, p->error_size, fmt, ap);
	va_end(ap);
	return NULL;
}

/* ---- grammar ---- */

static struct filter *parse_or(struct parser *p);

static enum filter_compare parse_compare(struct parser *p)
{
	static const struct {
		const char *word;
		enum filter_compare cmp;
	} words[] = {
		{ "=", CMP_EQ }, { "==", CMP_EQ }, { "eq", CMP_EQ },
		{ "!=", CMP_NE }, { "ne", CMP_NE }, { "neq", CMP_NE },
		{ "<", CMP_LT }, { "lt", CMP_LT },
		{ ">", CMP_GT }, { "gt", CMP_GT },
		{ "<=", CMP_LE }, { "le", CMP_LE }, { "leq", CMP_LE },
		{ ">=", CMP_GE }, { "ge", CMP_GE }, { "geq", CMP_GE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (take(p, words[i].word))
			return words[i].cmp;
	return CMP_EQ;
}

static const struct {
	const char *word;
	enum filter_op op;
	bool ordered;	/* < and > make sense */
	const char *wants;
} terms[] = {
	{ "sport", FILTER_SPORT, true, "a port" },
	{ "dport", FILTER_DPORT, true, "a port" },
	{ "src", FILTER_SRC, false, "an address" },
	{ "dst", FILTER_DST, false, "an address" },
	{ "dev", FILTER_DEV, false, "an interface" },
	{ "fwmark", FILTER_MARK, false, "a mark" },
	{ "cgroup", FILTER_CGROUP, false, "a cgroup" },
	{ "pid", FILTER_PID, false, "a process id" },
	{ "comm", FILTER_COMM, false, "a name" },
	{ "netns", FILTER_NETNS, false, "a network namespace" },
};

static struct filter *parse_term(struct parser *p, size_t t)
{
	struct filter *f = filter_new(terms[t].op, parse_compare(p));
	const char *value = peek(p);

	if (f->cmp != CMP_EQ && f->cmp != CMP_NE && !terms[t].ordered)
		fail(p, "filter: \"%s\" can only be compared with = and !=",
		     terms[t].word);
	else if (!value || operator_length(value))
		fail(p, "filter: %s is missing after \"%s\"", terms[t].wants,
		     terms[t].word);
	else if (!filter_set(f, value, p->error, p->error_size))
		fail(p, "filter: \"%s\" wants %s, not \"%s\"", terms[t].word,
		     terms[t].wants, value);
	if (p->error[0]) {
		filter_free(f);
		return NULL;
	}
	p->pos++;
	return f;
}

/* As in ss, words that follow one another add up: state a state b exclude c. */
static struct filter *parse_states(struct parser *p)
{
	struct filter *f = filter_new(FILTER_STATE, CMP_EQ);
	bool first = true;

	for (;;) {
		bool include = take(p, "state");
		const char *name;
		uint32_t mask;

		if (!include && !take(p, "exclude") && !take(p, "excl"))
			return f;
		name = peek(p);
		mask = name ? state_mask(name) : 0;
		if (!mask) {
			filter_free(f);
			return name ? fail(p, "filter: no such state: \"%s\"", name) :
			       fail(p, "filter: a state is missing at the end");
		}
		p->pos++;
		if (first && !include)
			f->num = state_mask("all");
		f->num = include ? f->num | mask : f->num & ~(uint64_t)mask;
		first = false;
	}
}

static struct filter *parse_cookie(struct parser *p, const char *word)
{
	struct filter *f = filter_new(FILTER_COOKIE, CMP_EQ);

	p->pos++;
	if (filter_set_cookie(f, word))
		return f;
	filter_free(f);
	return fail(p, "filter: \"%s\" is no socket cookie such as sk:1a", word);
}

static bool starts_states(const char *word)
{
	return !strcasecmp(word, "state") || !strcasecmp(word, "exclude") ||
	       !strcasecmp(word, "excl");
}

static struct filter *parse_primary(struct parser *p)
{
	const char *word = peek(p);

	if (!word)
		return fail(p, "filter: something is missing at the end");
	if (starts_states(word))
		return parse_states(p);
	if (!strncasecmp(word, "sk:", 3))
		return parse_cookie(p, word);
	for (size_t i = 0; i < ARRAY_SIZE(terms); i++)
		if (take(p, terms[i].word))
			return parse_term(p, i);
	return fail(p, "\"%s\" is neither a verb nor a filter word", word);
}

static struct filter *parse_group(struct parser *p)
{
	struct filter *f = parse_or(p);

	if (!f)
		return NULL;
	if (take(p, ")"))
		return f;
	filter_free(f);
	return peek(p) ? fail(p, "filter: \")\" expected before \"%s\"", peek(p)) :
	       fail(p, "filter: \")\" is missing at the end");
}

static struct filter *parse_not(struct parser *p)
{
	struct filter *f, *a;

	if (++p->depth > MAX_DEPTH)
		return fail(p, "filter: nested too deeply");
	if (take(p, "not") || take(p, "!")) {
		a = parse_not(p);
		f = a ? filter_new(FILTER_NOT, CMP_EQ) : NULL;
		if (f)
			f->a = a;
	} else if (take(p, "(")) {
		f = parse_group(p);
	} else {
		f = parse_primary(p);
	}
	p->depth--;
	return f;
}

static bool ends_and(const struct parser *p)
{
	static const char *const words[] = { ")", "or", "|", "||" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!peek(p) || !strcasecmp(peek(p), words[i]))
			return true;
	return false;
}

static struct filter *parse_and(struct parser *p)
{
	struct filter *f = parse_not(p), *b;

	while (f && !ends_and(p)) {
		if (!take(p, "and") && !take(p, "&"))
			take(p, "&&");
		b = parse_not(p);
		if (!b) {
			filter_free(f);
			return NULL;
		}
		f = filter_and(f, b);
	}
	return f;
}

static struct filter *parse_or(struct parser *p)
{
	struct filter *f = parse_and(p), *b, *or;

	while (f && (take(p, "or") || take(p, "|") || take(p, "||"))) {
		b = parse_and(p);
		if (!b) {
			filter_free(f);
			return NULL;
		}
		or = filter_new(FILTER_OR, CMP_EQ);
		or->a = f;
		or->b = b;
		f = or;
	}
	return f;
}

struct filter *filter_parse(char *const *words, size_t n, char *error,
			    size_t size)
{
	struct parser p = { .error = error, .error_size = size };
	struct filter *f = NULL;

	error[0] = 0;
	for (size_t i = 0; i < n; i++)
		split(&p, words[i]);
	if (p.n)
		f = parse_or(&p);
	if (f && peek(&p)) {
		fail(&p, "filter: \"%s\" was not expected here", peek(&p));
		filter_free(f);
		f = NULL;
	}
	for (size_t i = 0; i < p.n; i++)
		free(p.token[i]);
	free(p.token);
	return f;
}

uint64_t filter_cookie(const struct filter *f)
{
	return f && f->op == FILTER_COOKIE ? f->num : 0;
}
