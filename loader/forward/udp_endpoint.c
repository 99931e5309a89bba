/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "forward/udp_endpoint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "forward/flows.h"
#include "forward/ports.h"
#include "forward/route.h"
#include "forward/udp_supply.h"
#include "forward/watch.h"

/* The name that all flows of an endpoint have in common. */
static void endpoint_name(struct flow_name *name, const struct flow_name *flow, bool is_translated)
{
	*name = *flow;
	name->dport = 0;
	if (!is_translated)
		memset(&name->ends.daddr, 0, sizeof(name->ends.daddr));
}

static struct udp_endpoint **bucket_of(struct worker *w, const struct flow_name *name)
{
	return &w->endpoints[flow_hash(w, name) % UDP_BUCKETS];
}

static struct udp_endpoint *find(struct worker *w, const struct flow_name *name)
{
	struct udp_endpoint *endpoint = *bucket_of(w, name);

	while (endpoint && (endpoint->name.sport != name->sport ||
			    memcmp(&endpoint->name.ends.saddr, &name->ends.saddr, 16) ||
			    memcmp(&endpoint->name.ends.daddr, &name->ends.daddr, 16)))
		endpoint = endpoint->next;
	return endpoint;
}

/*
 * The peer's own port where it is free and may be taken, else one of the kernel's range, else any
 * other.
 */
static int bind_any(struct worker *w, int fd, uint8_t version, uint16_t wanted)
{
	if (!ports_bind(w, fd, version, wanted) || !ports_bind(w, fd, version, 0))
		return 0;
	return ports_bind_random(w, fd, version);
}

static int open_socket(struct worker *w, struct udp_endpoint *endpoint)
{
	uint8_t version = endpoint->name.ends.version;
	int err;

	endpoint->fd = udp_supply_take(w->start.supply_fds, version);
	if (endpoint->fd < 0)
		return endpoint->fd;
	err = bind_any(w, endpoint->fd, version, ntohs(endpoint->name.sport));
	if (err)
		return err;
	return watch_add(w, endpoint->fd, &endpoint->watch, EPOLLIN);
}

static int open_endpoint(struct worker *w, const struct flow_name *name, bool is_translated,
			 watch_ready ready, struct udp_endpoint **result)
{
	struct udp_endpoint **bucket = bucket_of(w, name);
	struct udp_endpoint *endpoint = calloc(1, sizeof(*endpoint));
	int err;

	if (!endpoint)
		return -ENOMEM;
	endpoint->name = *name;
	endpoint->is_translated = is_translated;
	endpoint->dont_fragment = -1;
	endpoint->watch.ready = ready;
	err = open_socket(w, endpoint);
	if (err) {
		if (endpoint->fd >= 0)
			close(endpoint->fd);
		free(endpoint);
		return err;
	}
	endpoint->next = *bucket;
	*bucket = endpoint;
	w->status->udp_endpoints++;
	*result = endpoint;
	return 0;
}

/**
 * udp_endpoint_get() - The endpoint that a new flow sends from
 * @name: of the flow
 * @to: what its destination is dialled as
 * @ready: takes what comes in
 * @endpoint: is set on success, to be given back with udp_endpoint_put()
 *
 * Return: 0 or -errno, -EADDRNOTAVAIL where no port is left.
 */
int udp_endpoint_get(struct worker *w, const struct flow_name *name, const union addr *to,
		     watch_ready ready, struct udp_endpoint **endpoint)
{
	bool is_translated = memcmp(to, &name->ends.daddr, sizeof(*to)) != 0;
	struct udp_endpoint *found;
	struct flow_name own;
	int err = 0;

	endpoint_name(&own, name, is_translated);
	found = find(w, &own);
	if (!found)
		err = open_endpoint(w, &own, is_translated, ready, &found);
	if (err)
		return err;
	found->flows++;
	*endpoint = found;
	return 0;
}

/**
 * udp_endpoint_overflow() - Count what a socket had no room for
 * @total: since it was opened, as the kernel counts it
 */
void udp_endpoint_overflow(struct worker *w, struct udp_endpoint *endpoint, uint32_t total)
{
	w->status->udp_overflow += (uint32_t)(total - endpoint->overflows);
	endpoint->overflows = total;
}

/**
 * udp_endpoint_losses() - Count what a socket had no room for up to now
 *
 * By itself the kernel reports losses with the next datagram, and there may be none any more.
 */
void udp_endpoint_losses(struct worker *w, struct udp_endpoint *endpoint)
{
	uint32_t memory[SK_MEMINFO_VARS];
	socklen_t len = sizeof(memory);

	if (!getsockopt(endpoint->fd, SOL_SOCKET, SO_MEMINFO, memory, &len) &&
	    len > SK_MEMINFO_DROPS * sizeof(*memory))
		udp_endpoint_overflow(w, endpoint, memory[SK_MEMINFO_DROPS]);
}

/**
 * udp_endpoint_put() - A flow needs the endpoint no more
 *
 * It is freed at the end of the round, as events of that round may still name it.
 */
void udp_endpoint_put(struct worker *w, struct udp_endpoint *endpoint)
{
	struct udp_endpoint **at = bucket_of(w, &endpoint->name);

	if (--endpoint->flows)
		return;
	while (*at != endpoint)
		at = &(*at)->next;
	*at = endpoint->next;
	udp_endpoint_losses(w, endpoint);
	close(endpoint->fd);
	w->status->udp_endpoints--;
	TAILQ_INSERT_TAIL(&w->dead_endpoints, endpoint, dead);
}

/**
 * udp_endpoints_reap() - Free the endpoints that were closed in this round
 */
void udp_endpoints_reap(struct worker *w)
{
	struct udp_endpoint *endpoint;

	while ((endpoint = TAILQ_FIRST(&w->dead_endpoints))) {
		TAILQ_REMOVE(&w->dead_endpoints, endpoint, dead);
		free(endpoint);
	}
}
