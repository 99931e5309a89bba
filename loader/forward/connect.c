/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "forward/connect.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/sockaddr.h"
#include "forward/answer.h"
#include "forward/ports.h"
#include "forward/route.h"
#include "forward/tcp_socket.h"
#include "forward/watch.h"

static int open_socket(struct worker *w, struct tcp_flow *flow, uint8_t tos)
{
	int family = flow->entry.name.ends.version == IP_VERSION_4 ? AF_INET : AF_INET6;

	flow->host_fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (flow->host_fd < 0)
		return -errno;
	tcp_set_options(flow->host_fd);
	tcp_bound_buffers(flow->host_fd, flow->entry.peer->tcp_flows);
	flow->dscp = 0;
	tcp_set_dscp(flow, tos);
	flow->cookie = answer_watch(w, flow->host_fd);
	return 0;
}

/*
 * All ports of the kernel's range lead to that destination already: try others.  A port may be that
 * of connections to other destinations as well, which takes SO_REUSEADDR.
 */
static int dial_from_elsewhere(struct worker *w, struct tcp_flow *flow,
			       const struct sockaddr_storage *to, socklen_t len, uint8_t tos)
{
	for (int i = 0; i < PORT_ATTEMPTS; i++) {
		int err;

		close(flow->host_fd);
		err = open_socket(w, flow, tos);
		if (err)
			return err;
		tcp_set_option(flow->host_fd, SOL_SOCKET, SO_REUSEADDR, 1);
		err = ports_bind_random(w, flow->host_fd, flow->entry.name.ends.version);
		if (err)
			return err;
		if (!connect(flow->host_fd, (const struct sockaddr *)to, len) ||
		    errno == EINPROGRESS)
			return 0;
		if (errno != EADDRNOTAVAIL)
			return -errno;
	}
	return -EADDRNOTAVAIL;
}

/**
 * connect_host() - Open the host's socket of a flow and dial
 * @flow: with what is to be done when its socket is ready
 * @to: what its destination is dialled as
 * @tos: that the peer speaks with
 *
 * Return: 0, or -errno where that fails at once.
 */
int connect_host(struct worker *w, struct tcp_flow *flow, const union addr *to, uint8_t tos)
{
	const struct flow_name *name = &flow->entry.name;
	struct sockaddr_storage addr;
	socklen_t len = sockaddr_set(&addr, name->ends.version, to, name->dport);
	int err = open_socket(w, flow, tos);

	if (err)
		return err;
	flow->is_local = route_is_local(w, &name->ends.daddr);
	if (connect(flow->host_fd, (struct sockaddr *)&addr, len) && errno != EINPROGRESS) {
		err = errno == EADDRNOTAVAIL ? dial_from_elsewhere(w, flow, &addr, len, tos)
					     : -errno;
		if (err)
			return err;
	}
	return watch_add(w, flow->host_fd, &flow->host_watch, TCP_EVENTS);
}
