/* SPDX-License-Identifier: GPL-2.0 */
/* Numbers things by what they are: the same bytes get the same number. */
#ifndef TALLY_H
#define TALLY_H

#include <stddef.h>
#include <stdint.h>

struct tally {
	size_t key_size;
	unsigned char *keys;
	size_t n, room;
	struct tally_slot {
		uint32_t number;	/* plus 1, 0: it is free */
		uint32_t hash;
	} *slot;
	size_t nslots;
};

void tally_init(struct tally *t, size_t key_size);
/* 0, 1, 2 ... A key must have no padding that is not zero. */
size_t tally_get(struct tally *t, const void *key);
/* SIZE_MAX: it was never seen. */
size_t tally_find(const struct tally *t, const void *key);
void tally_free(struct tally *t);

#endif
