/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "daemon/service.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "process/pass.h"

#define NAME	 "shrike-forwarded"
#define FIRST_FD 3 /* of those that are passed to a new process */

/* A connection to the manager, or -errno; -ENOENT: there is none. */
static int connect_manager(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	size_t len = path ? strlen(path) : 0;
	int fd, err;

	if (!len)
		return -ENOENT;
	if (len >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, len);
	if (path[0] == '@') /* an abstract name */
		addr.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&addr, offsetof(struct sockaddr_un, sun_path) + len)) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

/* Tell the manager something, with a descriptor or -1; 0 or -errno. */
static int notify(const char *message, int fd)
{
	int manager = connect_manager(), err;

	if (manager < 0)
		return manager;
	err = pass_send(manager, message, strlen(message), &fd, fd >= 0);
	close(manager);
	return err;
}

/**
 * service_notify() - Tell the service manager the state of this process, if there is one
 * @message: lines of sd_notify(3)
 */
void service_notify(const char *message)
{
	notify(message, -1);
}

/**
 * service_store() - Have the service manager keep a descriptor for the next process of this service
 * @error: why not
 *
 * Whether it does is not known: that is up to the unit.
 *
 * Return: 0 or -errno; -ENOENT where there is no manager.
 */
int service_store(int fd, struct error *error)
{
	/* without looking whether anybody can write to it any more */
	int err = notify("FDSTORE=1\nFDNAME=" NAME "\nFDPOLL=0\n", fd);

	return err ? error_set(error, -err, "the service manager keeps no descriptor: %s",
			       strerror(-err))
		   : 0;
}

/* The descriptor of that name among those that were passed to this process, or -1. */
static int find(const char *names)
{
	size_t len = strlen(NAME);

	for (int fd = FIRST_FD; names; fd++) {
		const char *end = strchr(names, ':');

		if (!strncmp(names, NAME, len) && (names[len] == ':' || !names[len]))
			return fd;
		names = end ? end + 1 : NULL;
	}
	return -1;
}

/**
 * service_take() - Take the descriptor that an earlier process of this service has stored
 *
 * Return: the descriptor, or -1: there is none.
 */
int service_take(void)
{
	const char *pid = getenv("LISTEN_PID"), *names = getenv("LISTEN_FDNAMES");
	int fd = pid && atoi(pid) == getpid() ? find(names) : -1;

	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	if (fd < 0)
		return -1;
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	/* or it would be kept for the process after this one as well */
	notify("FDSTOREREMOVE=1\nFDNAME=" NAME "\n", -1);
	return fd;
}
