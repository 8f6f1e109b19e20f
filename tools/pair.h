/* SPDX-License-Identifier: GPL-2.0 */
/* Finds the connections whose two ends are both on this machine. */
#ifndef PAIR_H
#define PAIR_H

#include "conn.h"

/* Sets peer and peer_proven of all. */
void pair_all(struct conns *cs);

/* Equal for the two ends of a connection, and hardly ever for others. */
uint64_t conn_ends_hash(const struct conn *c);

#endif
