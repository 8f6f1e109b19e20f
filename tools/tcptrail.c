// SPDX-License-Identifier: GPL-2.0
/* tcptrail: what happened to every TCP connection of this machine. */
#include <locale.h>
#include <string.h>

#include "tcptrail.h"

/* Every verb takes these. */
#define COMMON	"hVqvc"
#define FILTERS	"46LDPCNISBtanpe"
#define READS	COMMON FILTERS "ijrHOwxlsT"

const struct verb verbs[] = {
	{
		"show", "[FILTER | sk:ID]",
		"connections and their histories (the default)",
		cmd_show, READS "uAR", true, false,
		"  tcptrail                              all of them, newest last\n"
		"  tcptrail show state close-wait        those that wait for close()\n"
		"  tcptrail show --over 1m dport = 443   in their state for so long\n"
		"  tcptrail show sk:1a                   everything about one\n"
	},
	{
		"events", "[-f] [FILTER]",
		"one line for each transition",
		cmd_events, READS "fM", true, false,
		"  tcptrail events                       what is remembered\n"
		"  tcptrail events -f sport = 80         and what comes\n"
		"  tcptrail events -f --last 0 -j        only what comes, as JSON\n"
	},
	{
		"stuck", "[FILTER]",
		"why sockets are stuck, whose move it is, what to type next",
		cmd_stuck, COMMON FILTERS "jrOxu1", true, false,
		"  tcptrail stuck                        all that waits for more than 5 s\n"
		"  tcptrail stuck --over 1m sport = 80   longer, and only these\n"
		"  tcptrail stuck -j -x                  JSON with every single socket\n"
	},
	{
		"check", "'EXPR' [-- COMMAND]",
		"an assertion about sockets, for scripts: exit status 3 if it fails",
		cmd_check, COMMON "jrO3", true, true,
		"  tcptrail check 'no CLOSE_WAIT over 5s on :8080' -- ./test\n"
		"  tcptrail check --within 5s 'at most 10 TIME_WAIT dport = 443'\n"
		"  tcptrail check 'no stuck'\n"
	},
	{
		"top", "[FILTER]",
		"a live table of states, ports and owners",
		cmd_top, COMMON FILTERS "u", true, false,
		"  tcptrail top                          q quits\n"
		"  tcptrail top sport = 80               only these\n"
	},
	{
		"stat", "[FILTER]",
		"counts, time in each state, latencies, loss, hooks",
		cmd_stat, COMMON FILTERS "ijrOu2", true, false,
		"  tcptrail stat                         of all that is remembered\n"
		"  tcptrail stat dport = 443             of these\n"
		"  tcptrail stat --prom                  for a Prometheus collector\n"
	},
	{
		"record", "-o FILE [-- COMMAND]",
		"save everything until Ctrl-C or the end of COMMAND",
		cmd_record, COMMON "o", false, true,
		"  tcptrail record -o trace              until Ctrl-C\n"
		"  tcptrail record -o trace -- ./test    while ./test runs\n"
	},
	{
		"report", "-i FILE [FILTER | sk:ID]",
		"show for a recording",
		cmd_report, READS "uAR", true, false,
		"  tcptrail report -i trace\n"
		"  tcptrail events -i trace              any verb reads recordings\n"
	},
	{
		"export", "--KIND FILE [FILTER | sk:ID]",
		"pictures of one connection, or of all",
		cmd_export, COMMON FILTERS "ilsuTR5789Km", true, false,
		"  tcptrail export --svg fig.svg sk:1a      the ladder of one\n"
		"  tcptrail export --png all.png            all of them over time\n"
		"  tcptrail export --html trace.html -i trace   to look around in\n"
		"  tcptrail export --mermaid - sk:1a        for an issue tracker\n"
	},
	{
		"doctor", "",
		"is the module loaded, what can it see, what may you read",
		cmd_doctor, COMMON "ij", false, false,
		"  tcptrail doctor\n"
	},
};
const size_t nverbs = ARRAY_SIZE(verbs);

const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < nverbs; i++)
		if (!strcmp(name, verbs[i].name))
			return &verbs[i];
	return NULL;
}

int main(int argc, char **argv)
{
	struct opts opts = { .last = -1 };
	const struct verb *verb;
	int status;

	setlocale(LC_CTYPE, "");
	verb = options_parse(argc, argv, &opts);
	status = verb->run(&opts);
	filter_free(opts.filter);
	return status;
}
