// SPDX-License-Identifier: GPL-2.0
/*
 * Runs COMMAND three times without its output. Prints the least CPU time of
 * these runs, in seconds, user and system, and the most memory in KiB.
 *
 * usage: timed COMMAND...
 *
 * This is no script because what an exec() replaces counts as memory of the
 * process, too.
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static double run(char **command, struct rusage *use)
{
	int status, null;
	pid_t pid = fork();

	if (pid < 0)
		err(1, "fork");
	if (!pid) {
		null = open("/dev/null", O_RDWR);
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		execvp(command[0], command);
		_exit(127);
	}
	if (wait4(pid, &status, 0, use) < 0)
		err(1, "wait");
	/* tcptrail says 3 and 4 when it has something to say of a recording. */
	if (!WIFEXITED(status) ||
	    (WEXITSTATUS(status) && WEXITSTATUS(status) != 3 &&
	     WEXITSTATUS(status) != 4))
		errx(1, "%s: status 0x%x", command[0], status);
	return use->ru_utime.tv_sec + use->ru_stime.tv_sec +
	       (use->ru_utime.tv_usec + use->ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv)
{
	double seconds, least = 0;
	struct rusage use;
	long most = 0;

	if (argc < 2)
		errx(2, "usage: timed COMMAND...");
	for (int i = 0; i < 3; i++) {
		seconds = run(argv + 1, &use);
		if (!i || seconds < least)
			least = seconds;
		if (use.ru_maxrss > most)
			most = use.ru_maxrss;
	}
	printf("%.3f %ld\n", least, most);
	return 0;
}
