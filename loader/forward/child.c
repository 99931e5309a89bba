/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "forward/child.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "forward/worker.h"

/**
 * child_begin() - The first steps of the forwarder's process, and all others
 * @start: what it needs, and keeps: nothing else of the parent's stays open
 * @parent: whose end is its end
 */
void child_begin(struct worker_start *start, pid_t parent)
{
	int *const inherited[] = {
		&start->fds[FORWARD_FD_LOCAL_ADDR],
		&start->fds[FORWARD_FD_LOCAL_PREFIX],
		&start->fds[FORWARD_FD_XSKS],
		&start->fds[FORWARD_FD_STATUS],
		&start->fds[FORWARD_FD_TUN],
		&start->control_fd,
		/* and what may be missing */
		&start->handover_fd,
		&start->supply_fds[0],
		&start->supply_fds[1],
	};
	size_t n = sizeof(inherited) / sizeof(*inherited), needed = n - 1 - UDP_SUPPLIES;
	int next = 3;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	/* out of the way, then down to 3, 4, ... */
	for (size_t i = 0; i < n; i++)
		*inherited[i] = fcntl(*inherited[i], F_DUPFD_CLOEXEC, 64);
	for (size_t i = 0; i < n; i++, next++)
		if (*inherited[i] >= 0 && dup3(*inherited[i], next, O_CLOEXEC) >= 0)
			*inherited[i] = next;
		else if (i < needed)
			_exit(1);
	syscall(SYS_close_range, next, ~0u, 0);
	_exit(worker_main(start));
}
