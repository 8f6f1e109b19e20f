// SPDX-License-Identifier: GPL-2.0
/* record: the bytes of the device, unchanged, behind its info block. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "merge.h"
#include "signals.h"
#include "source.h"
#include "tcptrail.h"

/* Records that are copied before signals are heard again. */
#define MAX_BATCH	50000

struct recorder {
	const struct opts *opts;
	struct source *src;
	int fail;		/* status when it is tcptrail that fails */
	FILE *file;
	struct tcptrail_info head;
	struct tcptrail_lost lost;	/* scratch */
	uint64_t records, nlost;
	bool seekable, synced, resync;
	pid_t child;
	int child_status;
};

/* ---- the file ---- */

/* Sequence numbers and names of processes are nobody else's business. */
static void open_file(struct recorder *r)
{
	const char *name = r->opts->out;
	bool to_stdout = !strcmp(name, "-");
	struct stat st;
	int fd;

	if (to_stdout && isatty(STDOUT_FILENO))
		errx(ST_USAGE, "a recording is no text for a terminal: -o FILE");
	fd = to_stdout ? STDOUT_FILENO :
	     open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || fstat(fd, &st) < 0)
		err(r->fail, "cannot write %s", name);
	if (S_ISREG(st.st_mode) && !to_stdout && fchmod(fd, 0600) < 0)
		err(r->fail, "cannot protect %s", name);
	r->seekable = S_ISREG(st.st_mode) && !to_stdout;
	r->file = fdopen(fd, "w");
	if (!r->file)
		err(r->fail, "cannot write %s", name);
}

static void put(struct recorder *r, const void *data, size_t size)
{
	if (fwrite(data, size, 1, r->file) != 1)
		err(r->fail, "writing %s failed", r->opts->out);
}

static void put_head(struct recorder *r)
{
	r->head = r->src->info;
	r->head.size = sizeof(r->head);
	put(r, &r->head, sizeof(r->head));
}

/* Where it can be, the head tells how things stood at the end. */
static void close_file(struct recorder *r)
{
	source_refresh(r->src);
	if (r->seekable) {
		rewind(r->file);
		put_head(r);
	}
	if (fflush(r->file) || fclose(r->file))
		err(r->fail, "writing %s failed", r->opts->out);
}

/* ---- the stream ---- */

/* Returns true at a SYNC. */
static bool copy_record(struct recorder *r, const struct tcptrail_hdr *hdr)
{
	put(r, hdr, hdr->size);
	r->records++;
	if (hdr->type == TCPTRAIL_LOST) {
		memcpy(&r->lost, hdr, sizeof(r->lost));
		r->nlost += r->lost.lost;
		r->resync = true;
	}
	return hdr->type == TCPTRAIL_SYNC;
}

/* At most @most records. False: there is more. */
static bool drain_once(struct recorder *r, uint64_t most)
{
	const struct tcptrail_hdr *hdr;

	while (most--) {
		hdr = source_next(r->src);
		if (!hdr)
			return true;
		if (copy_record(r, hdr))
			r->synced = true;
	}
	return false;
}

static void drain(struct recorder *r, uint64_t most)
{
	if (drain_once(r, most) && r->synced && r->resync) {
		r->resync = false;
		source_resync(r->src);
		drain_once(r, most);
	}
}

/* More can't be in the rings, so all of the past is read, but no future. */
static uint64_t all_records(const struct recorder *r)
{
	const struct tcptrail_info *info = &r->src->info;

	return (uint64_t)info->cpus * info->slots + info->max_trails;
}

/* ---- the command ---- */

static void start(struct recorder *r)
{
	char *const *argv = r->opts->command;

	r->child = fork();
	if (r->child < 0)
		err(r->fail, "cannot start %s", argv[0]);
	if (r->child)
		return;
	signals_restore();
	/* Where the recording goes there is no room for other output. */
	if (!strcmp(r->opts->out, "-"))
		dup2(STDERR_FILENO, STDOUT_FILENO);
	execvp(argv[0], argv);
	warn("cannot run %s", argv[0]);
	_exit(errno == ENOENT ? ST_NOT_FOUND : ST_CANNOT_RUN);
}

/* Is it time to stop? */
static bool over(struct recorder *r)
{
	int sig = signals_stop(), status;

	if (!r->child)
		return sig;
	if (waitpid(r->child, &status, WNOHANG) == r->child) {
		r->child_status = WIFEXITED(status) ? WEXITSTATUS(status) :
				  128 + WTERMSIG(status);
		return true;
	}
	/* Ctrl-C goes to both; what was sent to us alone is passed on. */
	if (sig && sig != SIGINT)
		kill(r->child, sig);
	signals_forget();
	return false;
}

static int finish(struct recorder *r)
{
	drain(r, all_records(r));
	close_file(r);
	if (!r->opts->quiet)
		warnx("%" PRIu64 " records in %s, %" PRIu64 " lost", r->records,
		      r->opts->out, r->nlost);
	source_close(r->src);
	if (r->child)
		return r->child_status;
	return r->nlost ? ST_INCOMPLETE : ST_OK;
}

int cmd_record(const struct opts *opts)
{
	struct recorder r = { .opts = opts };

	if (!opts->out)
		errx(ST_USAGE, "record wants a file to write: -o FILE");
	r.fail = opts->command ? ST_RECORD : ST_ERROR;
	r.src = source_open_dev(r.fail);
	open_file(&r);
	put_head(&r);
	signals_catch();
	do {
		drain(&r, MAX_BATCH);
		if (r.synced && opts->command && !r.child)
			start(&r);
		if (over(&r))
			break;
		source_wait(r.src);
	} while (!over(&r));
	return finish(&r);
}
