/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Nothing of what memory held before may get into a record. A module built
 * with TCPTRAIL_POISON=0xf1 fills slots, trails and buffers with that byte
 * before they are used, and tests look for it in what they read.
 */
#ifndef _TCPTRAIL_POISON_H
#define _TCPTRAIL_POISON_H

#include <linux/string.h>

/**
 * poison - spoil memory that is about to be filled
 * @at: where
 * @size: bytes
 */
static inline void poison(void *at, size_t size)
{
#ifdef TCPTRAIL_POISON
	memset(at, TCPTRAIL_POISON, size);
#endif
}

#endif /* _TCPTRAIL_POISON_H */
