/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "lock.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define LOCK_RETRY_NS 10000000 /* a holder is done within a fraction of a second */
#define LOCK_RETRIES  3000     /* 30 s in all */

static socklen_t set_name(struct sockaddr_un *addr, const char *what, const char *ifname)
{
	int len;

	memset(addr, 0, sizeof(*addr));
	addr->sun_family = AF_UNIX;
	len = snprintf(addr->sun_path + 1, sizeof(addr->sun_path) - 1, "shrike/%s/%s", what,
		       ifname);
	return offsetof(struct sockaddr_un, sun_path) + 1 + len;
}

/**
 * lock_try() - Take a lock if nobody holds it
 * @what: of the interface
 * @ifname: the interface
 * @fd: becomes the lock; closing it, or ending the process, lets go
 * @error: why not
 *
 * Return: 0; -EADDRINUSE: it is held; or another -errno.
 */
int lock_try(const char *what, const char *ifname, int *fd, struct error *error)
{
	struct sockaddr_un addr;
	socklen_t len = set_name(&addr, what, ifname);
	int sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (sock < 0)
		return error_set(error, errno, "cannot make a lock: %s", strerror(errno));
	if (bind(sock, (struct sockaddr *)&addr, len)) {
		error_set(error, errno, "cannot lock %s: %s", ifname, strerror(errno));
		close(sock);
		return -error->code;
	}
	*fd = sock;
	return 0;
}

/**
 * lock_is_held() - Whether somebody holds a lock, without taking it even for a moment
 * @what: of the interface
 * @ifname: the interface
 *
 * A datagram socket can be connected to as soon as it is bound.
 */
bool lock_is_held(const char *what, const char *ifname)
{
	struct sockaddr_un addr;
	socklen_t len = set_name(&addr, what, ifname);
	int sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool held;

	if (sock < 0)
		return false;
	held = !connect(sock, (struct sockaddr *)&addr, len);
	close(sock);
	return held;
}

/**
 * lock_wait() - Take a lock, waiting for its holder
 *
 * As lock_try(), but gives up only after 30 s.
 */
int lock_wait(const char *what, const char *ifname, int *fd, struct error *error)
{
	const struct timespec pause = {.tv_nsec = LOCK_RETRY_NS};
	int err = -EADDRINUSE;

	for (int i = 0; i < LOCK_RETRIES && err == -EADDRINUSE; i++) {
		err = lock_try(what, ifname, fd, error);
		if (err == -EADDRINUSE)
			nanosleep(&pause, NULL);
	}
	return err;
}
