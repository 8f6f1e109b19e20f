/* SPDX-License-Identifier: GPL-2.0 */
/* The evidence of each case in words. No I/O. */
#ifndef VERDICT_WHY_H
#define VERDICT_WHY_H

#include "verdict.h"

void why_queue_full(struct text *t, const struct evidence *ev);
void why_never_accepted(struct text *t, const struct evidence *ev);
void why_unsent(struct text *t, const struct evidence *ev);
void why_shared(struct text *t, const struct evidence *ev);
void why_unread(struct text *t, const struct evidence *ev);
void why_nobody(struct text *t, const struct evidence *ev);
void why_held(struct text *t, const struct evidence *ev);
void why_fw2_orphan(struct text *t, const struct evidence *ev);
void why_fw2_held(struct text *t, const struct evidence *ev);
void why_window(struct text *t, const struct evidence *ev);
void why_fin_unacked(struct text *t, const struct evidence *ev);
void why_syn_sent(struct text *t, const struct evidence *ev);
void why_deferred(struct text *t, const struct evidence *ev);
void why_behind_queue(struct text *t, const struct evidence *ev);
void why_flood(struct text *t, const struct evidence *ev);
void why_half_open(struct text *t, const struct evidence *ev);
void why_peer_gone(struct text *t, const struct evidence *ev);
void why_probes(struct text *t, const struct evidence *ev);
void why_tw_pile(struct text *t, const struct evidence *ev);
void why_time_wait(struct text *t, const struct evidence *ev);

#endif
