/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Filter expressions: the grammar of ss, and pid, comm, netns, sk:COOKIE.
 * filter.c reads them, filter_match.c applies them.
 */
#ifndef FILTER_H
#define FILTER_H

#include "conn.h"

enum filter_op {
	FILTER_AND,
	FILTER_OR,
	FILTER_NOT,
	FILTER_STATE,
	FILTER_SPORT,
	FILTER_DPORT,
	FILTER_SRC,
	FILTER_DST,
	FILTER_DEV,
	FILTER_MARK,
	FILTER_CGROUP,
	FILTER_PID,
	FILTER_COMM,
	FILTER_NETNS,
	FILTER_COOKIE,
	FILTER_FAMILY,
};

enum filter_compare {
	CMP_EQ,
	CMP_NE,
	CMP_LT,
	CMP_GT,
	CMP_LE,
	CMP_GE,
};

/**
 * struct filter - a node of the expression
 * @num: state mask, cookie, inode, pid, interface, mark, or 4 and 6
 * @mask: of the mark
 * @addr: and @bits, its prefix, 0: any address
 * @port: -1: any
 */
struct filter {
	enum filter_op op;
	enum filter_compare cmp;
	struct filter *a, *b;
	uint64_t num;
	uint64_t mask;
	uint8_t addr[16];
	unsigned int bits;
	int port;
	char *text;
};

/*
 * NULL with an empty text in @error: no filter, all matches. NULL and a text:
 * what is wrong with the expression.
 */
struct filter *filter_parse(char *const *words, size_t n, char *error,
			    size_t size);

struct filter *filter_new(enum filter_op op, enum filter_compare cmp);
/* Both must hold; either may be NULL. */
struct filter *filter_and(struct filter *a, struct filter *b);
void filter_free(struct filter *f);

/*
 * The value that its word wants. False: it is none; @error says why if there
 * is more to say.
 */
bool filter_set(struct filter *f, const char *value, char *error, size_t size);
bool filter_set_netns(struct filter *f, const char *value, char *error,
		      size_t size);
bool filter_set_cookie(struct filter *f, const char *value);
bool filter_set_port(struct filter *f, const char *value);

/* The one cookie that is all it asks for, 0: it asks for something else. */
uint64_t filter_cookie(const struct filter *f);

/* @step: judge its state and task instead of those of the connection. */
bool filter_match(const struct filter *f, const struct conn *c,
		  const struct step *step);

#endif
