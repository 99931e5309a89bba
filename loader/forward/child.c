/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "forward/child.h"

#include <unistd.h>

#include "forward/worker.h"
#include "process/inherit.h"

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
	size_t n = sizeof(inherited) / sizeof(*inherited);

	inherit_only(parent, inherited, n, n - 1 - UDP_SUPPLIES);
	_exit(worker_main(start));
}
