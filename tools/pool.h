/* SPDX-License-Identifier: GPL-2.0 */
/* Many small things of one size, which never move. */
#ifndef POOL_H
#define POOL_H

#include <stddef.h>

/**
 * struct pool - where they come from
 * @size: of each, at least that of a pointer
 * @chunk: the newest memory, which begins with the address of the one before
 * @left: things that are left in it
 * @free: those that were given back, each begins with the address of the next
 */
struct pool {
	size_t size;
	void *chunk;
	size_t left;
	void *free;
};

/* All zero. */
void *pool_get(struct pool *p);
void pool_put(struct pool *p, void *thing);
/* Everything that it ever gave is gone. */
void pool_free(struct pool *p);

#endif
