/* SPDX-License-Identifier: GPL-2.0 */
/* Connections as pictures made of text. */
#ifndef DRAW_H
#define DRAW_H

#include "conn.h"
#include "format.h"
#include "out.h"
#include "util.h"

/* "2214 curl", with "(exited)" if that is known */
const char *task_text(char *buf, const struct tcptrail_task *task, bool live);
/* "close() 2214 curl": what made step @s, and whose call it was */
const char *cause_text(char *buf, const struct conn *c, const struct step *s,
		       bool live);
/* The second half of that, behind the text that ends at @p. */
void put_caller(char *p, const struct conn *c, const struct step *s, bool live);
/* The opener, "not accepted", "?" */
const char *owner_text(char *buf, const struct conn *c, bool live);

enum color conn_color(const struct conn *c);
enum color state_color(unsigned int state);

/* "SYN_SENT 1.4ms ESTAB 58s+"; @causes: also what made each step */
void draw_line(struct text *t, const struct timeline *tl, uint64_t now_ns,
	       bool causes);

/**
 * struct picture - how to draw
 * @out: where to; text
 * @clock: for times, since the birth of the elder end unless told otherwise
 * @live: /proc is about the processes
 * @utf8: with lines instead of plain characters
 */
struct picture {
	struct out *out;
	struct clock clock;
	uint64_t now_ns;
	bool live;
	bool utf8;
};

/* What is known of one connection, line by line. */
void draw_facts(const struct picture *p, const struct conn *c);
/* The textbook picture: client left, server right, segments between them. */
void draw_ladder(const struct picture *p, const struct conn *c);

#endif
