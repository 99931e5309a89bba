/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "follow/daemon_socket.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "follow/follow_status.h"

_Static_assert(FOLLOW_SOCKET_MAX == sizeof(((struct sockaddr_un *)0)->sun_path),
	       "as the kernel has it");

/* Whether who listens there is root. */
static int check_peer(int fd, const char *path, struct error *error)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len))
		return error_set(error, errno, "%s: %s", path, strerror(errno));
	if (peer.uid)
		return error_set(error, EACCES, "%s: who listens there is user %u, not root", path,
				 peer.uid);
	return 0;
}

/**
 * daemon_check_path() - Whether what a user has given can be the path of a socket
 * @path: of the option --netbird
 * @error: set where it cannot
 *
 * Return: 0 or -EINVAL (invalid input).
 */
int daemon_check_path(const char *path, struct error *error)
{
	if (!*path)
		return error_input(error, "--netbird=: the path of a socket is missing");
	if (strlen(path) >= FOLLOW_SOCKET_MAX)
		return error_input(error, "--netbird: '%.64s...' is longer than %d bytes", path,
				   FOLLOW_SOCKET_MAX - 1);
	return 0;
}

/**
 * daemon_connect() - Connect to a service, without waiting for it
 * @path: of its socket
 * @fd: set to the connection
 * @error: set on failure
 *
 * Return: 0; -EACCES: it is not root's; or another -errno.
 */
int daemon_connect(const char *path, int *fd, struct error *error)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int sock, err;

	if (strlen(path) >= sizeof(addr.sun_path))
		return error_set(error, ENAMETOOLONG, "%.128s: %s", path, strerror(ENAMETOOLONG));
	strcpy(addr.sun_path, path);
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (sock < 0)
		return error_set(error, errno, "%s: %s", path, strerror(errno));
	err = connect(sock, (struct sockaddr *)&addr, sizeof(addr))
		      ? error_set(error, errno, "%s: %s", path, strerror(errno))
		      : check_peer(sock, path, error);
	if (err) {
		close(sock);
		return err;
	}
	*fd = sock;
	return 0;
}
