// SPDX-License-Identifier: GPL-2.0
#include <string.h>

#include "json_text.h"

static bool is_plain(unsigned char c)
{
	return c >= ' ' && c != 0x7f && !strchr("\"\\<>&", c);
}

/* @s is UTF-8: all that users choose has gone through format_comm(). */
void json_add_string(struct text *t, const char *s)
{
	text_add(t, "\"");
	while (*s) {
		size_t n = 0;

		while (s[n] && is_plain(s[n]))
			n++;
		text_add(t, "%.*s", (int)n, s);
		s += n;
		if (*s)
			text_add(t, "\\u%04x", (unsigned char)*s++);
	}
	text_add(t, "\"");
}
