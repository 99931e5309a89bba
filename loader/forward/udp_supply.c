/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "forward/udp_supply.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "abi.h"
#include "process/pass.h"

#define RECEIVE_BYTES (5 << 20)	 /* 4,000 datagrams of 1,200 bytes, which take 2,304 each */
#define STORE_BYTES   (48 << 10) /* of the pair's buffer, about 128 messages */

/* The parent's ends of the pairs. */
struct udp_supply {
	int epoll_fd;
	int fds[UDP_SUPPLIES];
};

static void set(int fd, int level, int name, int value)
{
	setsockopt(fd, level, name, &value, sizeof(value));
}

/* A socket with all options that it is to have for good. */
static int open_socket(bool is4)
{
	int fd = socket(is4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int bytes = RECEIVE_BYTES;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)))
		set(fd, SOL_SOCKET, SO_RCVBUF, bytes);
	set(fd, SOL_SOCKET, SO_RXQ_OVFL, 1);
	set(fd, SOL_UDP, UDP_GRO, 1);
	if (is4) {
		set(fd, IPPROTO_IP, IP_RECVERR, 1);
		set(fd, IPPROTO_IP, IP_RECVTOS, 1);
		set(fd, IPPROTO_IP, IP_RECVTTL, 1);
	} else {
		set(fd, IPPROTO_IPV6, IPV6_RECVERR, 1);
		set(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
		set(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
		set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1); /* the port over IPv4 is another one */
	}
	return fd;
}

/* Make a pair, keep and watch one end, and return the other; -1 on failure. */
static int make_pair(struct udp_supply *supply, int index)
{
	struct epoll_event event = {.events = EPOLLOUT | EPOLLET, .data.u32 = index};
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair))
		return -1;
	set(pair[0], SOL_SOCKET, SO_SNDBUF, STORE_BYTES);
	supply->fds[index] = pair[0];
	epoll_ctl(supply->epoll_fd, EPOLL_CTL_ADD, pair[0], &event);
	return pair[1];
}

/**
 * udp_supply_open() - Make the pairs through which sockets go
 * @theirs: the forwarder's ends, -1 where there is none
 *
 * Return: the parent's ends, NULL without memory.
 */
struct udp_supply *udp_supply_open(int theirs[UDP_SUPPLIES])
{
	struct udp_supply *supply = calloc(1, sizeof(*supply));

	if (supply)
		supply->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	for (int i = 0; i < UDP_SUPPLIES; i++) {
		if (supply)
			supply->fds[i] = -1;
		theirs[i] = supply ? make_pair(supply, i) : -1;
	}
	return supply;
}

/**
 * udp_supply_fd() - Readable when udp_supply_fill() has something to do, at first at once
 */
int udp_supply_fd(const struct udp_supply *supply)
{
	return supply ? supply->epoll_fd : -1;
}

/* Put sockets into a pair until there is no room. */
static void fill(int fd, bool is4)
{
	int err = 0;

	while (!err) {
		int one = open_socket(is4);

		if (one < 0)
			return;
		err = pass_send(fd, "", 1, &one, 1);
		close(one);
	}
}

/**
 * udp_supply_fill() - Put sockets into the pairs that have room
 */
void udp_supply_fill(struct udp_supply *supply)
{
	struct epoll_event events[UDP_SUPPLIES];
	int n = epoll_wait(supply->epoll_fd, events, UDP_SUPPLIES, 0);

	for (int i = 0; i < n; i++)
		fill(supply->fds[events[i].data.u32], events[i].data.u32 == 0);
}

/**
 * udp_supply_close() - Close the parent's ends
 * @supply: may be NULL
 */
void udp_supply_close(struct udp_supply *supply)
{
	if (!supply)
		return;
	for (int i = 0; i < UDP_SUPPLIES; i++)
		if (supply->fds[i] >= 0)
			close(supply->fds[i]);
	if (supply->epoll_fd >= 0)
		close(supply->epoll_fd);
	free(supply);
}

/**
 * udp_supply_take() - Take a socket, neither bound nor connected
 * @theirs: the forwarder's ends of the pairs
 * @version: of its addresses
 *
 * Where none is in store it is opened with the largest buffer that is to be had.
 *
 * Return: its descriptor, or -errno.
 */
int udp_supply_take(const int theirs[UDP_SUPPLIES], uint8_t version)
{
	bool is4 = version == IP_VERSION_4;
	uint8_t byte;
	int fd, n = 1;

	if (pass_receive(theirs[!is4], &byte, sizeof(byte), &fd, &n) <= 0 || !n)
		return open_socket(is4);
	return fd;
}
