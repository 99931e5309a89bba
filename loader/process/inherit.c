/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "process/inherit.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FIRST_FD 3
#define HIGH_FD	 64 /* above all that are kept */

static void set_signals(void)
{
	sigset_t none;

	/* the parent decides when we end; a terminal's Ctrl-C is for it */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGTSTP, SIG_IGN); /* its Ctrl-Z, too: others have connections here */
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/**
 * inherit_only() - The first steps of a process that was forked
 * @parent: whose end is its end
 * @fds: descriptors that it keeps, and all others are closed; become 3, 4, ...
 * @n: how many
 * @needed: so many, the first of them, have to be there; the others may be -1
 *
 * Signals that are for the parent are ignored.  The process ends where this cannot be done.
 */
void inherit_only(pid_t parent, int *const fds[], size_t n, size_t needed)
{
	int next = FIRST_FD;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	/* out of the way, then down to 3, 4, ... */
	for (size_t i = 0; i < n; i++)
		*fds[i] = fcntl(*fds[i], F_DUPFD_CLOEXEC, HIGH_FD);
	for (size_t i = 0; i < n; i++, next++)
		if (*fds[i] >= 0 && dup3(*fds[i], next, O_CLOEXEC) >= 0)
			*fds[i] = next;
		else if (i < needed)
			_exit(1);
	syscall(SYS_close_range, next, ~0u, 0);
	set_signals();
}
