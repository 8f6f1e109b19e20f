// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>

#include "tally.h"
#include "util.h"

/* Eight bytes at a time: keys are of that order, and there are many. */
static size_t hash_of(const struct tally *t, const void *key)
{
	const unsigned char *p = key;
	uint64_t hash = t->key_size, word;
	size_t left = t->key_size, n;

	for (; left; p += n, left -= n) {
		word = 0;
		n = min(left, sizeof(word));
		memcpy(&word, p, n);
		hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
		hash ^= hash >> 32;
	}
	return hash;
}

/* Its slot, or the free one where it would be. */
static size_t look_up(const struct tally *t, const void *key)
{
	size_t at = hash_of(t, key) & (t->nslots - 1);

	while (t->slot[at] && memcmp(t->keys + (t->slot[at] - 1) * t->key_size,
				     key, t->key_size))
		at = (at + 1) & (t->nslots - 1);
	return at;
}

static void rehash(struct tally *t, size_t nslots)
{
	free(t->slot);
	t->nslots = nslots;
	t->slot = xzalloc(nslots * sizeof(*t->slot));
	for (size_t i = 0; i < t->n; i++)
		t->slot[look_up(t, t->keys + i * t->key_size)] = i + 1;
}

void tally_init(struct tally *t, size_t key_size)
{
	memset(t, 0, sizeof(*t));
	t->key_size = key_size;
	rehash(t, 64);
}

size_t tally_get(struct tally *t, const void *key)
{
	size_t at = look_up(t, key);

	if (t->slot[at])
		return t->slot[at] - 1;
	make_room(&t->keys, &t->room, t->n, t->key_size);
	memcpy(t->keys + t->n * t->key_size, key, t->key_size);
	t->slot[at] = ++t->n;
	if (2 * t->n > t->nslots)
		rehash(t, 2 * t->nslots);
	return t->n - 1;
}

size_t tally_find(const struct tally *t, const void *key)
{
	size_t at = look_up(t, key);

	return t->slot[at] ? t->slot[at] - 1 : SIZE_MAX;
}

void tally_free(struct tally *t)
{
	free(t->keys);
	free(t->slot);
	memset(t, 0, sizeof(*t));
}
