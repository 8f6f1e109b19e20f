// SPDX-License-Identifier: GPL-2.0
/* report: show, but never by mistake for the live machine. */
#include "tcptrail.h"

int cmd_report(const struct opts *opts)
{
	if (!opts->in)
		errx(ST_USAGE, "report wants a recording: -i FILE");
	return cmd_show(opts);
}
