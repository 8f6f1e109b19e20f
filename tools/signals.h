/* SPDX-License-Identifier: GPL-2.0 */
/* Signals are only taken while the source waits, so that none gets lost. */
#ifndef SIGNALS_H
#define SIGNALS_H

#include <stdbool.h>

/* From now on Ctrl-C and SIGTERM ask to stop instead of killing. */
void signals_catch(void);
/* Ctrl-\ too. */
void signals_catch_quit(void);
/* What the signals were before, for a child that is about to exec. */
void signals_restore(void);
/* The signal that asked to stop, 0: none. */
int signals_stop(void);
/* Forget it. */
void signals_forget(void);

#endif
