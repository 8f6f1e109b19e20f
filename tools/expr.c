// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "expr.h"
#include "state.h"
#include "util.h"

struct words {
	char *text;
	char *word[64];
	size_t n, at;
};

static bool split(struct words *w, const char *text)
{
	char *rest = w->text = xstrdup(text), *word;

	while ((word = strsep(&rest, " \t\n"))) {
		if (!*word)
			continue;
		if (w->n == ARRAY_SIZE(w->word))
			return false;
		w->word[w->n++] = word;
	}
	return true;
}

static bool take(struct words *w, const char *word)
{
	if (w->at == w->n || strcasecmp(w->word[w->at], word))
		return false;
	w->at++;
	return true;
}

static bool take_number(struct words *w, uint64_t *n)
{
	return w->at < w->n && parse_u64(w->word[w->at], n) && ++w->at;
}

/* "5s", but also "5 s". */
static bool take_duration(struct words *w, uint64_t *ns)
{
	char both[64];

	if (w->at + 1 < w->n) {
		snprintf(both, sizeof(both), "%s%s", w->word[w->at],
			 w->word[w->at + 1]);
		if (parse_duration(both, ns)) {
			w->at += 2;
			return true;
		}
	}
	return w->at < w->n && parse_duration(w->word[w->at], ns) && ++w->at;
}

/* "no", "at most 5"; without it: none. */
static bool take_limit(struct expr *e, struct words *w)
{
	e->most = 0;
	if (take(w, "no"))
		return true;
	if (!take(w, "at"))
		return true;
	return take(w, "most") && take_number(w, &e->most);
}

static bool is_state_word(const struct words *w, const char *before)
{
	return state_mask(w->word[w->at]) &&
	       !(before && (!strcasecmp(before, "state") ||
			    !strcasecmp(before, "exclude")));
}

/* Words of ours become words of a filter. */
static bool rewrite(struct expr *e, struct words *w, struct text *filter)
{
	const char *before = NULL;

	while (w->at < w->n) {
		if (take(w, "over") || take(w, "older")) {
			take(w, "than");
			if (!take_duration(w, &e->over_ns))
				return false;
			continue;
		}
		if (take(w, "stuck"))
			e->stuck = true;
		else if (take(w, "on"))
			text_add(filter, " sport =");
		else if (is_state_word(w, before))
			text_add(filter, " state %s", w->word[w->at++]);
		else
			text_add(filter, " %s", w->word[w->at++]);
		before = w->word[w->at - 1];
	}
	return true;
}

bool expr_parse(struct expr *e, const char *text, char *error, size_t size)
{
	struct words w = { 0 };
	struct text filter = { 0 };
	bool good;

	memset(e, 0, sizeof(*e));
	error[0] = 0;
	good = split(&w, text) && take_limit(e, &w) && rewrite(e, &w, &filter);
	if (!good)
		snprintf(error, size,
			 "\"%s\" is no assertion such as \"no CLOSE_WAIT over 5s on :8080\"",
			 text);
	else if (filter.len)
		e->filter = filter_parse(&filter.s, 1, error, size);
	text_free(&filter);
	free(w.text);
	return !error[0];
}
