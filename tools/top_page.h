/* SPDX-License-Identifier: GPL-2.0 */
/* Text that another tcptrail prints, to be scrolled in. */
#ifndef TOP_PAGE_H
#define TOP_PAGE_H

#include <stddef.h>
#include <stdint.h>

/**
 * struct page - lines of text
 * @first: the line at the top of the screen
 */
struct page {
	char *text;
	char **line;
	size_t n, first;
};

/*
 * All that is to be said of the socket @cookie: why it is stuck, if it is, and
 * its history. What can't be had is said there, too. @columns wide.
 */
void page_about(struct page *p, uint64_t cookie, int columns);
/* Moves by so many lines, within what there is. */
void page_move(struct page *p, int lines, size_t room);
void page_free(struct page *p);

#endif
