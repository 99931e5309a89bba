/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "uplink/reserve.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "masquerade.h"

#define SOCKETS (2 * RESERVED_PORTS)

/* Datagrams that come for a socket drop, or they would queue. */
static int drop_all(int fd)
{
	struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog filter = {.len = 1, .filter = &nothing};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter));
}

/* Whether the kernel has IPv6; a socket of it takes the port of both families. */
static bool has_ipv6(void)
{
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* A bound socket, by whose mark the programs know that nobody waits there; -errno. */
static int open_bound(int family, int type, uint16_t port)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	const struct sockaddr *address = family == AF_INET ? (struct sockaddr *)&in
							   : (struct sockaddr *)&in6;
	socklen_t len = family == AF_INET ? sizeof(in) : sizeof(in6);
	int fd = socket(family, type | SOCK_CLOEXEC, 0), mark = MASQUERADE_MARK, off = 0, err;

	if (fd < 0)
		return -errno;
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if ((type == SOCK_DGRAM && drop_all(fd)) ||
	    setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) || bind(fd, address, len)) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

/* Room for the descriptors, as far as it is allowed. */
static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* Nothing is left for what else the process opens: give some back. */
static void keep_some_free(struct reserved_ports *reserved, size_t n)
{
	const size_t spare = 512;

	for (size_t given = 0; n-- && given < spare;) {
		if (reserved->fds[n] < 0)
			continue;
		close(reserved->fds[n]);
		reserved->fds[n] = -1;
		given++;
	}
}

/**
 * reserved_ports_take() - Hold RESERVED_PORTS ports, but for those that others have
 * @reserved: what is held; those held already stay
 * @first: the first of them, at most 65536 - RESERVED_PORTS
 * @error: set on failure
 *
 * Return: 0, also where only some could be had, or another process has them; or -errno.
 */
int reserved_ports_take(struct reserved_ports *reserved, uint16_t first, struct error *error)
{
	int family = has_ipv6() ? AF_INET6 : AF_INET, err = 0;

	if (reserved->fds && reserved->first != first)
		reserved_ports_release(reserved);
	if (!reserved->fds) {
		reserved->fds = malloc(SOCKETS * sizeof(*reserved->fds));
		if (!reserved->fds)
			return error_no_memory(error);
		memset(reserved->fds, -1, SOCKETS * sizeof(*reserved->fds));
	}
	reserved->first = first;
	raise_limit();
	for (size_t i = 0; i < SOCKETS && !err; i++) {
		int fd = reserved->fds[i];

		if (fd < 0)
			fd = open_bound(family, i % 2 ? SOCK_DGRAM : SOCK_STREAM, first + i / 2);
		reserved->fds[i] = fd < 0 ? -1 : fd;
		if (fd == -EMFILE || fd == -ENFILE)
			keep_some_free(reserved, i);
		err = fd < 0 && fd != -EADDRINUSE ? fd : 0;
	}
	if (!err || reserved_ports_held(reserved))
		return 0;
	reserved_ports_release(reserved);
	return error_set(error, -err, "cannot bind ports for flows of peers: %s", strerror(-err));
}

/**
 * reserved_ports_held() - How many ports are held, over TCP and UDP alike
 * @reserved: what is held
 */
size_t reserved_ports_held(const struct reserved_ports *reserved)
{
	size_t n = 0;

	for (size_t i = 0; reserved->fds && i < SOCKETS; i += 2)
		n += reserved->fds[i] >= 0 && reserved->fds[i + 1] >= 0;
	return n;
}

/**
 * reserved_ports_release() - Let go of all of them
 * @reserved: what is held
 */
void reserved_ports_release(struct reserved_ports *reserved)
{
	for (size_t i = 0; reserved->fds && i < SOCKETS; i++)
		if (reserved->fds[i] >= 0)
			close(reserved->fds[i]);
	free(reserved->fds);
	*reserved = (struct reserved_ports){};
}
