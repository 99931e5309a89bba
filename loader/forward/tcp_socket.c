/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "forward/tcp_socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#define NOTSENT_BYTES	 (256 << 10)
#define UNBOUNDED	 16 /* connections of a peer whose buffers grow as the host's settings say */
#define BUFFERS_BYTES	 (8 << 20)
#define BUFFER_BYTES_MIN (8 << 10)
#define KEEPALIVE_IDLE_S 120
#define KEEPALIVE_S	 30
#define KEEPALIVE_PROBES 5

/**
 * tcp_set_option() - Set an option that is a number, where there is such
 */
void tcp_set_option(int fd, int level, int name, int value)
{
	setsockopt(fd, level, name, &value, sizeof(value));
}

/* A lingering of no time: close() resets the connection, and so does the end of the process. */
static void linger(int fd, bool resets)
{
	struct linger linger = {.l_onoff = resets};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

/**
 * tcp_set_options() - What the sockets of both sides have in common
 *
 * Until the connection has ended in an orderly way, closing a socket of it is a reset: a process
 * that is killed must not have its servers take what was cut for the end of a file.
 *
 * BBR where it is to be had, as one lost packet in a hundred costs cubic most of its rate; an
 * unprivileged process gets it only where the administrator says so.
 */
void tcp_set_options(int fd)
{
	tcp_set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	tcp_set_option(fd, SOL_SOCKET, SO_OOBINLINE, 1); /* relay.c knows what is urgent */
	tcp_set_option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, NOTSENT_BYTES);
	tcp_set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	tcp_set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
	tcp_set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_S);
	tcp_set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
	setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "bbr", 3);
	linger(fd, true);
}

/**
 * tcp_bound_buffers() - Bound what the kernel keeps on a socket of a peer that has many connections
 * @connections: of the peer, with this one
 *
 * A peer that opens connections and does not read, or writes to who does not, would else take up the
 * memory that all TCP of the host shares (tcp_mem).  The more a peer has, the smaller are the buffers
 * of its next one, so that those of all grow with the logarithm of their number.
 */
void tcp_bound_buffers(int fd, uint32_t connections)
{
	uint32_t bytes;

	if (connections <= UNBOUNDED)
		return;
	bytes = BUFFERS_BYTES / connections;
	if (bytes < BUFFER_BYTES_MIN)
		bytes = BUFFER_BYTES_MIN;
	tcp_set_option(fd, SOL_SOCKET, SO_RCVBUF, bytes);
	tcp_set_option(fd, SOL_SOCKET, SO_SNDBUF, bytes);
}

/**
 * tcp_set_dscp() - Have the host's socket speak with the DSCP that the peer speaks with
 */
void tcp_set_dscp(struct tcp_flow *flow, uint8_t tos)
{
	bool is4 = flow->entry.name.ends.version == IP_VERSION_4;

	if (flow->dscp == (tos & IP_DSCP_MASK))
		return;
	flow->dscp = tos & IP_DSCP_MASK;
	tcp_set_option(flow->host_fd, is4 ? IPPROTO_IP : IPPROTO_IPV6, is4 ? IP_TOS : IPV6_TCLASS,
		       flow->dscp);
}

/**
 * tcp_close() - Close a socket of tcp_set_options()
 * @fd: -1: there is none
 * @reset: abruptly
 */
void tcp_close(int fd, bool reset)
{
	if (fd < 0)
		return;
	if (!reset)
		linger(fd, false);
	close(fd);
}
