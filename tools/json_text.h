/* SPDX-License-Identifier: GPL-2.0 */
/* JSON for large files, written without a tree of it in memory. */
#ifndef JSON_TEXT_H
#define JSON_TEXT_H

#include "util.h"

/*
 * A string with its quotes. It is safe within HTML, too: there is no < > & in
 * it, so nothing can end the element that holds it.
 */
void json_add_string(struct text *t, const char *s);

#endif
