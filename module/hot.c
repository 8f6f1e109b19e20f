// SPDX-License-Identifier: GPL-2.0
/*
 * Everything between a hook and the ring, as one compilation unit, so that the
 * compiler can inline across these files: calls between them were a fifth of
 * what a transition cost. (kernel/sched/build_policy.c does likewise.) The
 * order is that of definition before use.
 */
#include "trail.c"
#include "numbers.c"
#include "cause.c"
#include "sock.c"
#include "minisock.c"
#include "hooks.c"
