// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n)		((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n)	((void)(p), (void)(n))
#endif

#include "pool.h"
#include "util.h"

#define CHUNK_SIZE	(64 * 1024)
/* Where the things begin in it. */
#define HEAD		16

static void *from_chunk(struct pool *p)
{
	if (!p->left) {
		void **chunk = xrealloc(NULL, CHUNK_SIZE);

		*chunk = p->chunk;
		p->chunk = chunk;
		p->left = (CHUNK_SIZE - HEAD) / p->size;
		ASAN_POISON_MEMORY_REGION((char *)chunk + HEAD,
					  CHUNK_SIZE - HEAD);
	}
	return (char *)p->chunk + HEAD + --p->left * p->size;
}

void *pool_get(struct pool *p)
{
	void **thing = p->free;

	if (!thing)
		thing = from_chunk(p);
	ASAN_UNPOISON_MEMORY_REGION(thing, p->size);
	if (thing == p->free)
		p->free = *thing;
	return memset(thing, 0, p->size);
}

void pool_put(struct pool *p, void *thing)
{
	*(void **)thing = p->free;
	p->free = thing;
	ASAN_POISON_MEMORY_REGION(thing, p->size);
}

void pool_free(struct pool *p)
{
	void **chunk = p->chunk, **before;

	for (; chunk; chunk = before) {
		before = *chunk;
		ASAN_UNPOISON_MEMORY_REGION(chunk, CHUNK_SIZE);
		free(chunk);
	}
	p->chunk = p->free = NULL;
	p->left = 0;
}
