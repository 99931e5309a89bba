/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "kernel/notice.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* The name begins behind a NUL, so no file system has it. */
static socklen_t set_name(struct sockaddr_un *name, const char *ifname)
{
	*name = (struct sockaddr_un){.sun_family = AF_UNIX};
	return offsetof(struct sockaddr_un, sun_path) + 1 +
	       snprintf(name->sun_path + 1, sizeof(name->sun_path) - 1, "shrike/run/%s", ifname);
}

/**
 * notice_open() - Begin to hear of an interface's policy
 *
 * Return: a descriptor that is readable when there is something to hear, or -errno.
 */
int notice_open(const char *ifname)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), err;
	struct sockaddr_un name;
	socklen_t len = set_name(&name, ifname);

	if (fd < 0)
		return -errno;
	if (!bind(fd, (struct sockaddr *)&name, len))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

/**
 * notice_take() - Take off what has been heard
 */
void notice_take(int fd)
{
	while (recv(fd, NULL, 0, 0) >= 0)
		;
}

/**
 * notice_send() - Have `run` look at the policy in force, if there is one that listens
 */
void notice_send(const char *ifname)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_un name;
	socklen_t len = set_name(&name, ifname);

	if (fd < 0)
		return;
	/* without a listener, or with one that has enough to hear, there is nothing to be done */
	if (sendto(fd, NULL, 0, MSG_NOSIGNAL, (struct sockaddr *)&name, len) < 0)
		errno = 0;
	close(fd);
}
