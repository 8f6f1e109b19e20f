// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>

#include "tally.h"
#include "util.h"

/* Eight bytes at a time: keys are of that order, and there are many. */
static uint32_t hash_of(const struct tally *t, const void *key)
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
static struct tally_slot *look_up(const struct tally *t, const void *key,
				  uint32_t hash)
{
	size_t at = hash & (t->nslots - 1);

	for (; t->slot[at].number; at = (at + 1) & (t->nslots - 1))
		if (t->slot[at].hash == hash &&
		    !memcmp(t->keys + (t->slot[at].number - 1) * t->key_size,
			    key, t->key_size))
			break;
	return &t->slot[at];
}

static void rehash(struct tally *t, size_t nslots)
{
	struct tally_slot *old = t->slot;
	size_t nold = t->nslots, at;

	t->nslots = nslots;
	t->slot = xzalloc(nslots * sizeof(*t->slot));
	for (size_t i = 0; i < nold; i++) {
		if (!old[i].number)
			continue;
		for (at = old[i].hash & (nslots - 1); t->slot[at].number;)
			at = (at + 1) & (nslots - 1);
		t->slot[at] = old[i];
	}
	free(old);
}

void tally_init(struct tally *t, size_t key_size)
{
	memset(t, 0, sizeof(*t));
	t->key_size = key_size;
	rehash(t, 64);
}

size_t tally_get(struct tally *t, const void *key)
{
	uint32_t hash = hash_of(t, key);
	struct tally_slot *slot = look_up(t, key, hash);

	if (slot->number)
		return slot->number - 1;
	make_raw_room(&t->keys, &t->room, t->n, t->key_size);
	memcpy(t->keys + t->n * t->key_size, key, t->key_size);
	slot->number = ++t->n;
	slot->hash = hash;
	if (2 * t->n > t->nslots)
		rehash(t, 2 * t->nslots);
	return t->n - 1;
}

size_t tally_find(const struct tally *t, const void *key)
{
	const struct tally_slot *slot = look_up(t, key, hash_of(t, key));

	return slot->number ? slot->number - 1 : SIZE_MAX;
}

void tally_free(struct tally *t)
{
	free(t->keys);
	free(t->slot);
	memset(t, 0, sizeof(*t));
}
