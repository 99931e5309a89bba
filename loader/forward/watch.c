/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "forward/watch.h"

#include <errno.h>
#include <sys/epoll.h>

/**
 * watch_add() - Have events of a descriptor delivered
 * @watch: lives until the descriptor is closed
 *
 * Return: 0 or -errno.
 */
int watch_add(struct worker *w, int fd, struct watch *watch, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = watch};

	return epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}
