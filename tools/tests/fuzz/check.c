// SPDX-License-Identifier: GPL-2.0
/* What must hold of anything the tool says, and bytes of an input. */
#include <json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

/* Bytes of a valid sequence of printable UTF-8, 0: it is none. */
static size_t printable(const unsigned char *s, size_t left)
{
	uint32_t c = s[0];
	size_t n = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
	static const uint32_t least[] = { 0, 0x20, 0xa0, 0x800, 0x10000 };

	if (n > left || (c >= 0x80 && c < 0xc2) || c > 0xf4)
		return 0;
	if (n > 1)
		c &= 0xff >> (n + 1);
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < least[n] || c == 0x7f || c > 0x10ffff ||
	    (c >= 0xd800 && c < 0xe000))
		return 0;
	return n;
}

/* ESC [ digits m */
static size_t color(const char *s)
{
	size_t n;

	if (strncmp(s, "\033[", 2))
		return 0;
	n = 2 + strspn(s + 2, "0123456789");
	return s[n] == 'm' ? n + 1 : 0;
}

void must_be_text(const char *s, size_t len, bool colors)
{
	size_t n;

	for (size_t i = 0; i < len; i += n) {
		n = s[i] == '\n' ? 1 : printable((const void *)(s + i), len - i);
		if (!n && colors)
			n = color(s + i);
		if (!n)
			broken("byte %#x at %zu is not for a terminal: %.60s",
			       (unsigned char)s[i], i, s + (i > 30 ? i - 30 : 0));
	}
}

void must_be_json(const char *s)
{
	struct json_tokener *tok = json_tokener_new();
	const char *end;

	json_tokener_set_flags(tok, JSON_TOKENER_STRICT);
	for (; *s; s = end + 1) {
		struct json_object *value;

		end = strchr(s, '\n');
		if (!end)
			broken("a line of JSON without an end: %.60s", s);
		value = json_tokener_parse_ex(tok, s, end - s + 1);
		if (!value || json_tokener_get_error(tok) ||
		    json_tokener_get_parse_end(tok) < (size_t)(end - s))
			broken("not JSON: %.200s", s);
		json_object_put(value);
		json_tokener_reset(tok);
	}
	json_tokener_free(tok);
}

/* ---- bytes ---- */

uint8_t take_byte(struct bytes *b)
{
	if (!b->left)
		return 0;
	b->left--;
	return *b->at++;
}

uint16_t take_u16(struct bytes *b)
{
	uint16_t low = take_byte(b);

	return low | take_byte(b) << 8;
}

struct bytes take_bytes(struct bytes *b, size_t n)
{
	struct bytes part = { b->at, n < b->left ? n : b->left };

	b->at += part.left;
	b->left -= part.left;
	return part;
}

/* ---- files ---- */

#define FILES 8

static int fds[FILES];

int file_descriptor(unsigned int which)
{
	if (!fds[which])
		fds[which] = memfd_create("fuzz", 0);
	if (fds[which] < 0)
		broken("memfd_create");
	return fds[which];
}

const char *file_in_memory(unsigned int which, const void *data, size_t size)
{
	static char path[FILES][40];
	int fd = file_descriptor(which);

	if (ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size)
		broken("memfd");
	sprintf(path[which], "/proc/self/fd/%d", fd);
	return path[which];
}
