/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "kernel/netns.h"

#include <errno.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

/**
 * netns_cookie_of() - The number of a socket's network namespace
 * @sock: the socket
 * @cookie: set to it: the kernel gives it to no other namespace until it boots again, as it does with
 *	the inode number of one that has gone (SO_NETNS_COOKIE, Linux 5.14)
 *
 * Return: 0 or -errno.
 */
int netns_cookie_of(int sock, uint64_t *cookie)
{
	socklen_t len = sizeof(*cookie);

	return getsockopt(sock, SOL_SOCKET, SO_NETNS_COOKIE, cookie, &len) ? -errno : 0;
}

/**
 * netns_cookie() - The number of this process's network namespace
 * @cookie: set to it, as netns_cookie_of() does
 *
 * Return: 0 or -errno.
 */
int netns_cookie(uint64_t *cookie)
{
	int sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), err;

	if (sock < 0)
		return -errno;
	err = netns_cookie_of(sock, cookie);
	close(sock);
	return err;
}
