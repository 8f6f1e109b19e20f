/* SPDX-License-Identifier: GPL-2.0 */
#ifndef OUT_JSON_H
#define OUT_JSON_H

#include "out.h"

/* The object that has been made, as a line; or on many, if it is to be pretty. */
void out_json_print(struct out *o);

#endif
