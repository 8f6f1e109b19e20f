// SPDX-License-Identifier: GPL-2.0
/*
 * Recordings, through every verb that reads them: records to connections,
 * pairs, timelines, pictures, text and JSON.
 *
 * An input is a byte that chooses the command, one that says whether the head
 * of the recording is ours (even) or its own, and the recording.
 */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/tcptrail.h>

#include "fuzz.h"

#define WORDS 8
#define ID "ID"		/* that of the first record */

static const char *const commands[][WORDS] = {
	{ "show" }, { "show", "-j" }, { "show", "-w", "-x" },
	{ "show", "--pretty" }, { "show", ID }, { "show", "--ascii", ID },
	{ "show", "-j", ID }, { "show", "-c=always" }, { "show", "-c=always", ID },
	{ "show", "--no-pair", "--over", "1s" }, { "show", "--comm", "*a*" },
	{ "show", "--time", "wall", ID }, { "show", "--time", "delta", ID },
	{ "events" }, { "events", "-j" }, { "events", "-x", "--time", "delta" },
	{ "events", "-c=always", "--time", "rel" }, { "events", "--last", "3" },
	{ "events", "-x", "--time", "mono", "--since", "5s" },
	{ "events", "state", "close-wait", "or", "pid", "1" },
	{ "stat" }, { "stat", "-j" }, { "stat", "--prom" },
	{ "doctor" }, { "doctor", "-j" }, { "report", "-O", "sport", ">", ":80" },
	{ "show", "-v4" }, { "show", "dst", "10.0.0.0/8" },
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void set_up(void)
{
	static bool done;

	if (done)
		return;
	unsetenv("COLUMNS");
	unsetenv("NO_COLOR");
	setenv("TZ", "UTC", 1);
	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		broken("no locale C.UTF-8");
	done = true;
}

/* So that the fuzzer need not find out what a head is. */
static size_t put_head(uint8_t *to, const struct bytes *records)
{
	struct tcptrail_info info = {
		.size = sizeof(info), .magic = TCPTRAIL_MAGIC,
		.abi = TCPTRAIL_ABI, .cpus = 2, .slots = 64, .user_hz = 100,
		.hooks = (1 << TCPTRAIL_H_COUNT) - 1,
		.hooks_known = (1 << TCPTRAIL_H_COUNT) - 1,
		.boot_ns = 1000000000000, .real_ns = 1700000000000000000,
	};

	memcpy(to, &info, sizeof(info));
	memcpy(to + sizeof(info), records->at, records->left);
	return sizeof(info) + records->left;
}

static const char *id_of_first(const uint8_t *data, size_t size)
{
	static char id[32];
	uint32_t head = 0;
	uint64_t cookie = 1;

	if (size >= sizeof(head))
		memcpy(&head, data, sizeof(head));
	if (size > sizeof(cookie) + sizeof(struct tcptrail_hdr) &&
	    head < size - sizeof(cookie) - sizeof(struct tcptrail_hdr))
		memcpy(&cookie, data + head + sizeof(struct tcptrail_hdr),
		       sizeof(cookie));
	snprintf(id, sizeof(id), "sk:%llx", (unsigned long long)(cookie ?: 1));
	return id;
}

struct input {
	const uint8_t *data;
	size_t size;
	const char *path;
};

static const struct said *run(const char *const *words, const struct input *in,
			      const char *file)
{
	char *argv[WORDS + 4] = { "tcptrail" };
	int argc = 1;

	for (; argc <= WORDS && words[argc - 1]; argc++)
		argv[argc] = (char *)(strcmp(words[argc - 1], ID) ?
				      words[argc - 1] :
				      id_of_first(in->data, in->size));
	argv[argc++] = "-i";
	argv[argc++] = (char *)file;
	return tool_main(argc, argv, in->size);
}

static bool has(const char *const *words, const char *word)
{
	for (; *words; words++)
		if (!strncmp(*words, word, strlen(word)))
			return true;
	return false;
}

/* The text of one run, to be compared with the next one. */
static char *keep(const struct said *said)
{
	char *copy = strdup(said->out);

	return copy ? copy : "";
}

static void must_be_same(const char *a, const char *b, const char *how)
{
	size_t at = 0;

	while (a[at] && a[at] == b[at])
		at++;
	if (a[at] || b[at])
		broken("%s: one says \"%.60s\", the other \"%.60s\"", how,
		       a + at, b + at);
}

static void from_standard_input(const char *const *words, const struct input *in,
				const struct said *said)
{
	char *was = keep(said);
	int status = said->status;
	bool refused = said->refused;

	dup2(file_descriptor(0), STDIN_FILENO);
	lseek(STDIN_FILENO, 0, SEEK_SET);
	said = run(words, in, "-");
	must_be_same(was, said->out, "file and standard input");
	if (said->status != status || said->refused != refused)
		broken("from standard input the status is another one");
	free(was);
}

/* The id in each line: its third word (of JSON: the value of "id"). */
static char *ids(const char *out, bool json)
{
	char *list = calloc(strlen(out) + 2, 1), *to = list;
	const char *end;

	for (; *out; out = end + 1) {
		const char *id = strstr(out, json ? "\"id\":\"sk:" : " sk:");

		end = strchrnul(out, '\n');
		if (id && id < end) {
			id = strstr(id, "sk:");
			to = mempcpy(to, id, strcspn(id, "\" \n"));
			*to++ = '\n';
		}
		if (!*end)
			break;
	}
	return list;
}

/* The table and JSON name the same connections, in the same order. */
static void table_and_json(const struct input *in)
{
	static const char *const table[] = { "show", "-OH", NULL };
	static const char *const json[] = { "show", "-j", NULL };
	const struct said *said = run(table, in, in->path);
	char *a, *b;

	if (said->refused)
		return;
	a = ids(said->out, false);
	b = ids(run(json, in, in->path)->out, true);
	must_be_same(a, b, "table and JSON");
	free(a);
	free(b);
}

/* Refused: one line says why, and nothing else is said. */
static void must_be_answer(const struct said *said)
{
	const char *end = strchr(said->err, '\n');

	if (!said->refused && said->status != 0 && said->status != 4)
		broken("status %d", said->status);
	if (said->refused && (said->status != 1 || said->len || !end || end[1]))
		broken("refused with status %d, %zu bytes of output, and \"%s\"",
		       said->status, said->len, said->err);
}

void fuzz_one(const uint8_t *data, size_t size)
{
	struct bytes b = { data, size };
	const char *const *words;
	const struct said *said;
	unsigned int how;
	struct input in;
	uint8_t *file;

	set_up();
	words = commands[take_byte(&b) % COMMANDS];
	how = take_byte(&b);
	file = malloc(b.left + sizeof(struct tcptrail_info));
	in.size = b.left;
	if (how % 2)
		memcpy(file, b.at, b.left);
	else
		in.size = put_head(file, &b);
	in.data = file;
	in.path = file_in_memory(0, file, in.size);
	said = run(words, &in, in.path);
	must_be_answer(said);
	must_be_text(said->out, said->len, has(words, "-c=always"));
	must_be_text(said->err, said->err_len, false);
	if (has(words, "-j"))
		must_be_json(said->out);
	/* doctor says where it has its answer from. */
	if (how & 2 && !has(words, "doctor"))
		from_standard_input(words, &in, said);
	if (how & 4)
		table_and_json(&in);
	free(file);
}
