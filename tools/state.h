/* SPDX-License-Identifier: GPL-2.0 */
/* Names of states, causes and hooks. No I/O. */
#ifndef STATE_H
#define STATE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The state that people know: a request socket (NEW_SYN_RECV) is SYN_RECV to
 * them, as in ss.
 */
unsigned int state_shown(unsigned int state);

/* "ESTABLISHED"; NEW_SYN_RECV gives "SYN_RECV". "?" if there is none such. */
const char *state_name(unsigned int state);
/* The same but "ESTAB", for columns. */
const char *state_short(unsigned int state);

/*
 * The states that @word names as a mask of bits 1 << state_shown(): any
 * spelling (CLOSE_WAIT, close-wait, closewait), and the groups of ss (all,
 * connected, synchronized, bucket, big). 0: no such state.
 */
uint32_t state_mask(const char *word);

/* Whose move it is in a state. */
enum mover {
	MOVE_NOBODY,	/* TIME_WAIT, CLOSE: only the clock */
	MOVE_PROGRAM,	/* the program on this machine */
	MOVE_PEER,	/* the other end, or the network */
	MOVE_BOTH,	/* data flows */
};

enum mover state_mover(unsigned int state);

/* "fin_ack_in": the TCPTRAIL_C_ name in lower case; JSON. */
const char *cause_name(unsigned int cause);
/* "ACK of FIN + FIN in": for people. */
const char *cause_phrase(unsigned int cause);

/* Which system call of a process made it, "connect"; NULL: none did. */
const char *cause_opens(unsigned int cause);
const char *cause_closes(unsigned int cause);
/* It ended the hard way: a reset, an error, a timeout. */
bool cause_is_error(unsigned int cause);
/* It ended by a reset; *@by_peer says whose. */
bool cause_is_reset(unsigned int cause, bool *by_peer);

/* "rst_in"; NULL: this tool does not know that hook. */
const char *hook_name(unsigned int hook);
/* What can't be known without it. */
const char *hook_loss(unsigned int hook);

#endif
