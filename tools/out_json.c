// SPDX-License-Identifier: GPL-2.0
/*
 * JSON, written member by member into the line. There may be millions of
 * lines, and a tree of objects for each would take most of the time.
 */
#include <json.h>
#include <stdio.h>

#include "out_json.h"

static char *room_for(struct out *o, size_t n)
{
	text_room(&o->line, n);
	return o->line.s + o->line.len;
}

static void end_value(struct out *o, const char *p)
{
	o->line.len = p - o->line.s;
}

void out_json_u64(struct out *o, uint64_t val)
{
	end_value(o, put_u64(room_for(o, U64_DIGITS), val));
}

/* RFC 8259, 7 */
static char *put_escaped(char *p, unsigned char c)
{
	static const char digits[] = "0123456789abcdef";
	static const char names[] = "\"\"\\\\\bb\ff\nn\rr\tt";
	const char *name = c ? strchr(names, c) : NULL;

	*p++ = '\\';
	if (name) {
		*p++ = name[1];
		return p;
	}
	memcpy(p, "u00", 3);
	p[3] = digits[c >> 4];
	p[4] = digits[c & 15];
	return p + 5;
}

static char *put_all(char *p, const char *s)
{
	for (; *s; s++) {
		unsigned char c = *s;

		if (c < ' ' || c == '"' || c == '\\')
			p = put_escaped(p, c);
		else
			*p++ = c;
	}
	return p;
}

#define BYTES(c)	((c) * 0x0101010101010101ULL)

/* Not 0 if one of eight bytes may have to be escaped. */
static uint64_t special(const char *s)
{
	uint64_t word, quote, slash;

	memcpy(&word, s, sizeof(word));
	quote = word ^ BYTES('"');
	slash = word ^ BYTES('\\');
	return (((word - BYTES(' ')) & ~word) |
		((quote - BYTES(1)) & ~quote) |
		((slash - BYTES(1)) & ~slash)) & BYTES(0x80ULL);
}

void out_json_str(struct out *o, const char *val)
{
	size_t n, i;
	char *p;

	if (!val) {
		text_put(&o->line, "null", 4);
		return;
	}
	/* Each character may take six; most take one, so all are copied first. */
	n = strlen(val);
	p = room_for(o, 6 * n + 2 + sizeof(uint64_t));
	*p++ = '"';
	memcpy(p, val, n);
	memset(p + n, ' ', sizeof(uint64_t));
	for (i = 0; i < n && !special(p + i); i += sizeof(uint64_t))
		;
	if (i >= n)
		p += n;
	else
		p = put_all(p, val);
	*p++ = '"';
	end_value(o, p);
}

void out_json_open(struct out *o, bool array)
{
	text_put(&o->line, array ? "[" : "{", 1);
	o->depth++;
	o->in_array = (o->in_array & ~(1U << o->depth)) |
		      (unsigned int)array << o->depth;
}

void out_close(struct out *o)
{
	char *p;

	if (!o->json)
		return;
	p = room_for(o, 1);
	*p++ = o->in_array >> o->depth & 1 ? ']' : '}';
	end_value(o, p);
	o->depth--;
}

/* json-c knows how to indent. */
static void print_pretty(struct out *o)
{
	struct json_object *obj;

	*room_for(o, 1) = 0;
	obj = json_tokener_parse(o->line.s);
	puts(json_object_to_json_string_ext(obj,
		JSON_C_TO_STRING_NOSLASHESCAPE | JSON_C_TO_STRING_PRETTY |
		JSON_C_TO_STRING_SPACED));
	json_object_put(obj);
}

void out_json_print(struct out *o)
{
	if (o->pretty) {
		print_pretty(o);
		return;
	}
	text_put(&o->line, "\n", 1);
	fwrite_unlocked(o->line.s, 1, o->line.len, stdout);
}
