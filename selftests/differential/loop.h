/* SPDX-License-Identifier: GPL-2.0 */
#ifndef LOOP_H
#define LOOP_H

#include <stdbool.h>
#include <stdint.h>

/* Calls @fn at that time. A loop that is to end waits for those with @busy. */
void loop_at(uint64_t at, void (*fn)(void *arg), void *arg, bool busy);
/* Calls @fn when @fd can be read. */
void loop_watch(int fd, void (*fn)(int fd));
void loop_unwatch(int fd);
void loop_end(void);
void loop_run(void);
/* In a child: nothing of this is its business. */
void loop_forget(void);

#endif
