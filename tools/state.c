// SPDX-License-Identifier: GPL-2.0
#include <ctype.h>
#include <string.h>

#include <linux/tcptrail.h>

#include "state.h"
#include "util.h"

/* ---- states ---- */

#define BIT(state)	(1U << TCPTRAIL_##state)

#define MASK_ALL	(BIT(ESTABLISHED) | BIT(SYN_SENT) | BIT(SYN_RECV) | \
			 BIT(FIN_WAIT1) | BIT(FIN_WAIT2) | BIT(TIME_WAIT) | \
			 BIT(CLOSE) | BIT(CLOSE_WAIT) | BIT(LAST_ACK) | \
			 BIT(LISTEN) | BIT(CLOSING))
#define MASK_CONNECTED	(MASK_ALL & ~(BIT(CLOSE) | BIT(LISTEN)))
#define MASK_BUCKET	(BIT(SYN_RECV) | BIT(TIME_WAIT))

static const struct {
	const char *name, *brief;
	enum mover mover;
} states[] = {
	[TCPTRAIL_ESTABLISHED] = { "ESTABLISHED", "ESTAB", MOVE_BOTH },
	[TCPTRAIL_SYN_SENT] = { "SYN_SENT", "SYN_SENT", MOVE_PEER },
	[TCPTRAIL_SYN_RECV] = { "SYN_RECV", "SYN_RECV", MOVE_PEER },
	[TCPTRAIL_FIN_WAIT1] = { "FIN_WAIT1", "FIN_WAIT1", MOVE_PEER },
	[TCPTRAIL_FIN_WAIT2] = { "FIN_WAIT2", "FIN_WAIT2", MOVE_PEER },
	[TCPTRAIL_TIME_WAIT] = { "TIME_WAIT", "TIME_WAIT", MOVE_NOBODY },
	[TCPTRAIL_CLOSE] = { "CLOSE", "CLOSE", MOVE_NOBODY },
	[TCPTRAIL_CLOSE_WAIT] = { "CLOSE_WAIT", "CLOSE_WAIT", MOVE_PROGRAM },
	[TCPTRAIL_LAST_ACK] = { "LAST_ACK", "LAST_ACK", MOVE_PEER },
	[TCPTRAIL_LISTEN] = { "LISTEN", "LISTEN", MOVE_NOBODY },
	[TCPTRAIL_CLOSING] = { "CLOSING", "CLOSING", MOVE_PEER },
};

static const struct {
	const char *word;
	uint32_t mask;
} other_words[] = {
	{ "estab", BIT(ESTABLISHED) },
	{ "synrcv", BIT(SYN_RECV) },
	{ "newsynrecv", BIT(SYN_RECV) },
	{ "closed", BIT(CLOSE) },
	{ "unconn", BIT(CLOSE) },
	{ "unconnected", BIT(CLOSE) },
	{ "listening", BIT(LISTEN) },
	{ "all", MASK_ALL },
	{ "connected", MASK_CONNECTED },
	{ "synchronized", MASK_CONNECTED & ~BIT(SYN_SENT) },
	{ "bucket", MASK_BUCKET },
	{ "big", MASK_ALL & ~MASK_BUCKET },
};

unsigned int state_shown(unsigned int state)
{
	return state == TCPTRAIL_NEW_SYN_RECV ? TCPTRAIL_SYN_RECV : state;
}

static bool state_exists(unsigned int state)
{
	return state < ARRAY_SIZE(states) && states[state].name;
}

const char *state_name(unsigned int state)
{
	state = state_shown(state);
	return state_exists(state) ? states[state].name : "?";
}

const char *state_short(unsigned int state)
{
	state = state_shown(state);
	return state_exists(state) ? states[state].brief : "?";
}

enum mover state_mover(unsigned int state)
{
	state = state_shown(state);
	return state_exists(state) ? states[state].mover : MOVE_NOBODY;
}

/* Same letters, whatever their case and with or without - and _ between? */
static bool same_letters(const char *a, const char *b)
{
	for (;;) {
		while (*a == '-' || *a == '_')
			a++;
		while (*b == '-' || *b == '_')
			b++;
		if (tolower((unsigned char)*a) != tolower((unsigned char)*b))
			return false;
		if (!*a)
			return true;
		a++;
		b++;
	}
}

uint32_t state_mask(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		if (states[i].name && same_letters(word, states[i].name))
			return 1U << i;
	for (size_t i = 0; i < ARRAY_SIZE(other_words); i++)
		if (same_letters(word, other_words[i].word))
			return other_words[i].mask;
	return 0;
}

/* ---- causes ---- */

enum {
	OPENS = 1,	/* its task is the opener */
	CLOSES = 2,	/* its task is the closer */
	ERROR = 4,
	RESET_IN = 8 | ERROR,
	RESET_OUT = 16 | ERROR,
};

static const struct {
	const char *name, *phrase;
	unsigned int kind;
} causes[] = {
	[TCPTRAIL_C_UNKNOWN] = { "unknown", "?", 0 },
	[TCPTRAIL_C_CONNECT] = { "connect", "connect()", OPENS },
	[TCPTRAIL_C_LISTEN] = { "listen", "listen()", OPENS },
	[TCPTRAIL_C_SYN_IN] = { "syn_in", "SYN in", 0 },
	[TCPTRAIL_C_SYNACK_IN] = { "synack_in", "SYN+ACK in", 0 },
	[TCPTRAIL_C_ACK_IN] = { "ack_in", "ACK in", 0 },
	[TCPTRAIL_C_ACCEPT] = { "accept", "accept()", OPENS },
	[TCPTRAIL_C_FIN_IN] = { "fin_in", "FIN in", 0 },
	[TCPTRAIL_C_CLOSE] = { "close", "close()", CLOSES },
	[TCPTRAIL_C_SHUTDOWN] = { "shutdown", "shutdown()", CLOSES },
	[TCPTRAIL_C_EXIT] = { "exit", "process exit", CLOSES },
	[TCPTRAIL_C_ACK_OF_FIN] = { "ack_of_fin", "ACK of FIN", 0 },
	[TCPTRAIL_C_FIN_ACK_IN] = { "fin_ack_in", "FIN+ACK in", 0 },
	[TCPTRAIL_C_RST_IN] = { "rst_in", "RST in", RESET_IN },
	[TCPTRAIL_C_LINGER0] = {
		"linger0", "close(): RST, linger 0", CLOSES | RESET_OUT },
	[TCPTRAIL_C_UNREAD] = {
		"unread", "close(): RST, unread data", CLOSES | RESET_OUT },
	[TCPTRAIL_C_DATA_AFTER_CLOSE] = {
		"data_after_close", "RST, data after close()", RESET_OUT },
	[TCPTRAIL_C_RTX_TIMEOUT] = { "rtx_timeout", "no answer", ERROR },
	[TCPTRAIL_C_KEEPALIVE] = { "keepalive", "keepalive failed", ERROR },
	[TCPTRAIL_C_USER_TIMEOUT] = { "user_timeout", "user timeout", ERROR },
	[TCPTRAIL_C_FIN_WAIT2_TIMEOUT] = {
		"fin_wait2_timeout", "FIN_WAIT2 timeout", 0 },
	[TCPTRAIL_C_TW_EXPIRED] = { "tw_expired", "2MSL over", 0 },
	[TCPTRAIL_C_TW_NEW_SYN] = { "tw_new_syn", "new SYN", 0 },
	[TCPTRAIL_C_TW_REUSED] = { "tw_reused", "reused by connect()", 0 },
	[TCPTRAIL_C_TW_RST] = { "tw_rst", "RST in", RESET_IN },
	[TCPTRAIL_C_TW_LIMIT] = { "tw_limit", "no room for TIME_WAIT", ERROR },
	[TCPTRAIL_C_REFUSED] = { "refused", "refused: RST in", RESET_IN },
	[TCPTRAIL_C_UNREACHABLE] = { "unreachable", "unreachable", ERROR },
	[TCPTRAIL_C_DESTROYED] = { "destroyed", "ss -K", CLOSES | ERROR },
	[TCPTRAIL_C_DISCONNECT] = { "disconnect", "disconnect", CLOSES },
	[TCPTRAIL_C_REPAIR] = { "repair", "TCP_REPAIR", CLOSES },
	[TCPTRAIL_C_LISTENER_CLOSED] = {
		"listener_closed", "listener closed", ERROR },
	[TCPTRAIL_C_NETNS_EXIT] = { "netns_exit", "netns gone", ERROR },
	[TCPTRAIL_C_LOST_RACE] = { "lost_race", "spare child", 0 },
	[TCPTRAIL_C_NO_MEMORY] = { "no_memory", "out of memory", ERROR },
	[TCPTRAIL_C_SYNACK_TIMEOUT] = {
		"synack_timeout", "last ACK never came", ERROR },
	[TCPTRAIL_C_REQ_RESET] = { "req_reset", "RST or SYN in", ERROR },
	[TCPTRAIL_C_SYNCOOKIE] = { "syncookie", "SYN cookie", 0 },
	[TCPTRAIL_C_FASTOPEN] = { "fastopen", "SYN in, Fast Open", 0 },
	[TCPTRAIL_C_CONNECT_FAILED] = {
		"connect_failed", "connect() failed", ERROR },
	[TCPTRAIL_C_ACCEPTQ_FULL] = {
		"acceptq_full", "accept queue full", ERROR },
	[TCPTRAIL_C_SYN_OUT] = { "syn_out", "SYN out", 0 },
	[TCPTRAIL_C_SYNACK_RTX] = { "synack_rtx", "SYN+ACK again", 0 },
	[TCPTRAIL_C_RST_OUT] = { "rst_out", "RST out", RESET_OUT },
	[TCPTRAIL_C_TW_RESTART] = { "tw_restart", "2MSL again", 0 },
};

static unsigned int known_cause(unsigned int cause)
{
	return cause < ARRAY_SIZE(causes) && causes[cause].name ?
	       cause : TCPTRAIL_C_UNKNOWN;
}

const char *cause_name(unsigned int cause)
{
	return causes[known_cause(cause)].name;
}

const char *cause_phrase(unsigned int cause)
{
	return causes[known_cause(cause)].phrase;
}

static const char *cause_if(unsigned int cause, unsigned int kind)
{
	cause = known_cause(cause);
	return causes[cause].kind & kind ? causes[cause].name : NULL;
}

const char *cause_opens(unsigned int cause)
{
	return cause_if(cause, OPENS);
}

const char *cause_closes(unsigned int cause)
{
	return cause_if(cause, CLOSES);
}

bool cause_is_error(unsigned int cause)
{
	return cause_if(cause, ERROR);
}

bool cause_is_reset(unsigned int cause, bool *by_peer)
{
	unsigned int kind = causes[known_cause(cause)].kind;

	*by_peer = kind & RESET_IN & ~ERROR;
	return kind & (RESET_IN | RESET_OUT) & ~ERROR;
}

/* ---- hooks ---- */

static const struct {
	const char *name, *loss;
} hooks[TCPTRAIL_H_COUNT] = {
	[TCPTRAIL_H_SET_STATE] = { "set_state", "everything" },
	[TCPTRAIL_H_REQ_NEW] = { "req_new", "when the SYN came" },
	[TCPTRAIL_H_REQ_COOKIE] = {
		"req_cookie", "that a connection came from a SYN cookie" },
	[TCPTRAIL_H_CHILD] = {
		"child", "the start of a connection that the peer opened" },
	[TCPTRAIL_H_REQ_DROP] = {
		"req_drop", "why a half-open connection went" },
	[TCPTRAIL_H_REQ_FREE4] = {
		"req_free4", "that an IPv4 half-open connection went" },
	[TCPTRAIL_H_REQ_FREE6] = {
		"req_free6", "that an IPv6 half-open connection went" },
	[TCPTRAIL_H_REQ_ICMP] = {
		"req_icmp", "ICMP errors for half-open connections" },
	[TCPTRAIL_H_SYN_OUT] = {
		"syn_out", "local port and ISN while in SYN_SENT" },
	[TCPTRAIL_H_ACCEPT] = { "accept", "accept(): when and by whom" },
	[TCPTRAIL_H_TW_MAKE] = {
		"tw_make", "that there was no room for a TIME_WAIT" },
	[TCPTRAIL_H_TW_NEW] = { "tw_new", "TIME_WAIT and FIN_WAIT2 after close()" },
	[TCPTRAIL_H_TW_RESCHED] = {
		"tw_resched", "the step from FIN_WAIT2 to TIME_WAIT" },
	[TCPTRAIL_H_TW_SEGMENT] = { "tw_segment", "what ended a TIME_WAIT early" },
	[TCPTRAIL_H_TW_REUSE] = {
		"tw_reuse", "that connect() took over a TIME_WAIT" },
	[TCPTRAIL_H_TW_EXPIRE] = { "tw_expire", "that a TIME_WAIT expired" },
	[TCPTRAIL_H_TW_KILL] = { "tw_kill", "the end of TIME_WAIT" },
	[TCPTRAIL_H_ABORT] = { "abort", "that ss -K ended a connection" },
	[TCPTRAIL_H_RST_IN] = { "rst_in", "resets by the peer" },
	[TCPTRAIL_H_RST_OUT] = { "rst_out", "resets by this machine" },
	[TCPTRAIL_H_SYNACK_RTX] = { "synack_rtx", "repeated SYN+ACKs" },
};

const char *hook_name(unsigned int hook)
{
	return hook < ARRAY_SIZE(hooks) ? hooks[hook].name : NULL;
}

const char *hook_loss(unsigned int hook)
{
	return hook < ARRAY_SIZE(hooks) ? hooks[hook].loss : NULL;
}
