/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "metrics/listen.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/address.h"
#include "base/value.h"

#define BACKLOG	    64
#define WAIT_NS	    NS_PER_S
#define WAIT_STEPS  20
#define UNIX_PREFIX "unix:"
#define UNIX_UMASK                                                                                 \
	0111 /* as over TCP everybody may read; who may not is for the directory to say */

/* An address to listen on. */
struct listen_address {
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	};
	socklen_t len;
};

static const char *unix_path(const char *text)
{
	size_t len = strlen(UNIX_PREFIX);

	return strncmp(text, UNIX_PREFIX, len) ? NULL : text + len;
}

static int parse_unix(const char *path, struct listen_address *address, struct error *error)
{
	if (*path != '/' || strlen(path) >= sizeof(address->un.sun_path))
		return error_input(error,
				   "unix:%.200s: not an absolute path of less than %zu bytes", path,
				   sizeof(address->un.sun_path));
	address->un.sun_family = AF_UNIX;
	strcpy(address->un.sun_path, path);
	address->len = sizeof(address->un);
	return 0;
}

/* The address before the port, which may stand in brackets, and be left out: then it is any. */
static int parse_host(const char *host, union addr *addr, uint8_t *ip_version, struct error *error)
{
	char text[ADDR_TEXT_MAX + 2];
	size_t len;

	if (!*host) {
		*addr = (union addr){};
		*ip_version = IP_VERSION_6;
		return 0;
	}
	len = snprintf(text, sizeof(text), "%s", *host == '[' ? host + 1 : host);
	if (*host == '[') {
		if (len >= sizeof(text) || text[len - 1] != ']')
			return error_input(error, "%.100s: no address", host);
		text[len - 1] = '\0';
	}
	if (!addr_parse(text, addr, ip_version, error) &&
	    (*host == '[') == (*ip_version == IP_VERSION_6))
		return 0;
	return error_input(error, "%.100s: neither an IPv4 address nor an IPv6 address in brackets",
			   host);
}

static int parse_inet(const char *text, struct listen_address *address, struct error *error)
{
	const char *colon = strrchr(text, ':');
	char host[ADDR_TEXT_MAX + 2];
	uint8_t ip_version;
	union addr addr;
	uint64_t port;
	int err;

	if (!colon || (size_t)(colon - text) >= sizeof(host))
		return error_input(error, "%.200s: neither ADDR:PORT nor unix:PATH", text);
	snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
	if (number_parse(colon + 1, 1, UINT16_MAX, &port, error))
		return error_input(error, "%.100s: not a port", colon + 1);
	err = parse_host(host, &addr, &ip_version, error);
	if (err)
		return err;
	if (ip_version == IP_VERSION_4) {
		address->in.sin_family = AF_INET;
		address->in.sin_port = htons(port);
		address->in.sin_addr.s_addr = addr.word[3];
		address->len = sizeof(address->in);
	} else {
		address->in6.sin6_family = AF_INET6;
		address->in6.sin6_port = htons(port);
		memcpy(&address->in6.sin6_addr, &addr, sizeof(addr));
		address->len = sizeof(address->in6);
	}
	return 0;
}

/* Whether a socket's file was left by a process that is gone. */
static bool is_orphan(const struct listen_address *address)
{
	struct stat stat;
	bool is_refused;
	int fd;

	if (lstat(address->un.sun_path, &stat) || !S_ISSOCK(stat.st_mode))
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	is_refused = fd >= 0 && connect(fd, &address->any, address->len) && errno == ECONNREFUSED;
	if (fd >= 0)
		close(fd);
	return is_refused;
}

/*
 * Bind, in the place of a socket that nobody listens on any more.  A process that was killed may hold
 * it for a moment still.  Returns 0, or -1 with errno.
 */
static int bind_patiently(int fd, const struct listen_address *address)
{
	const struct timespec pause = {.tv_nsec = WAIT_NS / WAIT_STEPS};
	int err;

	for (int i = 0; i <= WAIT_STEPS; i++) {
		if (address->any.sa_family == AF_UNIX && is_orphan(address))
			unlink(address->un.sun_path);
		err = bind(fd, &address->any, address->len);
		if (!err || errno != EADDRINUSE)
			return err;
		nanosleep(&pause, NULL);
	}
	errno = EADDRINUSE;
	return err;
}

/* Bind and listen; 0 or -errno. */
static int bind_and_listen(int fd, const struct listen_address *address)
{
	bool is_unix = address->any.sa_family == AF_UNIX;
	mode_t umask_before;
	int on = 1, err;

	if (!is_unix) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		/* the interface that has the address may come later */
		setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on));
		setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof(on));
	}
	/* a chmod() afterwards might be of what another user has put there meanwhile */
	umask_before = umask(UNIX_UMASK);
	err = bind_patiently(fd, address);
	if (err || listen(fd, BACKLOG))
		err = -errno;
	umask(umask_before);
	return err;
}

/**
 * listen_open() - Open a socket that listens
 * @text: ADDR:PORT, an IPv6 address in brackets, no address for all; or unix:PATH
 * @fd: set to the socket, for listen_close()
 * @error: set on failure
 *
 * Return: 0 or -errno; -EINVAL: @text is none of both.
 */
int listen_open(const char *text, int *fd, struct error *error)
{
	struct listen_address address = {};
	const char *path = unix_path(text);
	int err = path ? parse_unix(path, &address, error) : parse_inet(text, &address, error);
	int fresh;

	if (err)
		return error_prefix(error, "--metrics");
	fresh = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	err = fresh < 0 ? -errno : bind_and_listen(fresh, &address);
	if (err) {
		if (fresh >= 0)
			close(fresh);
		return error_set(error, -err, "--metrics: cannot listen on %s: %s", text,
				 strerror(-err));
	}
	*fd = fresh;
	return 0;
}

/**
 * listen_close() - Close a socket that listens, and remove its file
 * @text: as for listen_open()
 * @fd: of listen_open()
 */
void listen_close(const char *text, int fd)
{
	const char *path = unix_path(text);

	close(fd);
	if (path)
		unlink(path);
}
