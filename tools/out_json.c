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

/* What comes before a value, behind the one before it. @more: bytes of it */
static char *begin_value(struct out *o, const char *key, size_t len,
			 size_t more)
{
	char *p = room_for(o, len + 4 + more);
	char last = o->line.len ? p[-1] : 0;

	/* No value ends in one of these. */
	if (last && last != '{' && last != '[')
		*p++ = ',';
	if (key && !(o->in_array >> o->depth & 1)) {
		*p++ = '"';
		memcpy(p, key, len);
		p += len;
		*p++ = '"';
		*p++ = ':';
	}
	return p;
}

static void end_value(struct out *o, const char *p)
{
	o->line.len = p - o->line.s;
}

void out_json_raw(struct out *o, const char *key, size_t len, const char *val)
{
	size_t n = strlen(val);
	char *p = begin_value(o, key, len, n);

	memcpy(p, val, n);
	end_value(o, p + n);
}

void out_json_u64(struct out *o, const char *key, size_t len, uint64_t val)
{
	char *p = begin_value(o, key, len, U64_DIGITS);

	end_value(o, put_u64(p, val));
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

void out_json_str(struct out *o, const char *key, size_t len, const char *val)
{
	char *p;

	if (!val) {
		out_json_raw(o, key, len, "null");
		return;
	}
	/* Each character may take six. */
	p = begin_value(o, key, len, 6 * strlen(val) + 2);
	*p++ = '"';
	for (; *val; val++) {
		unsigned char c = *val;

		if (c < ' ' || c == '"' || c == '\\')
			p = put_escaped(p, c);
		else
			*p++ = c;
	}
	*p++ = '"';
	end_value(o, p);
}

void out_json_open(struct out *o, const char *key, size_t len, bool array)
{
	char *p = begin_value(o, key, len, 1);

	*p++ = array ? '[' : '{';
	end_value(o, p);
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
