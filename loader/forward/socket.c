/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * AF_XDP sockets: what the dataplane has allowed, one socket for each receive queue.
 */
#include "forward/socket.h"

#include <errno.h>
#include <linux/if_xdp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "forward/input.h"
#include "forward/queue.h"
#include "forward/watch.h"

#define BATCH		 256
#define BATCHES_PER_CALL 4
#define BUSY_MAX_NS	 (2 * NS_PER_S) /* that a queue is waited for */
#define BUSY_LOOK_MS	 10		/* how often it is asked for */
#define BUSY_LOOKS	 100		/* at least: its owner may be unable to run when we are */

struct xsk {
	struct watch watch;
	struct queue_map map;
	int fd;
	struct xdp_statistics counted;
};

static uint32_t take_batch(struct worker *w, struct xsk *xsk)
{
	uint64_t frames[BATCH];
	uint32_t index, n = xsk_ring_cons__peek(&xsk->map.rx, BATCH, &index);

	for (uint32_t i = 0; i < n; i++) {
		const struct xdp_desc *desc = xsk_ring_cons__rx_desc(&xsk->map.rx, index + i);

		frames[i] = desc->addr & ~(uint64_t)(FRAME_BYTES - 1);
		frame_input(w, xsk->map.frames + desc->addr, desc->len, NULL);
	}
	if (!n)
		return 0;
	frame_input_end(w);
	xsk_ring_cons__release(&xsk->map.rx, n);
	/* never short of room: no more frames exist than the ring has slots */
	if (xsk_ring_prod__reserve(&xsk->map.fill, n, &index) == n) {
		for (uint32_t i = 0; i < n; i++)
			*xsk_ring_prod__fill_addr(&xsk->map.fill, index + i) = frames[i];
		xsk_ring_prod__submit(&xsk->map.fill, n);
	}
	return n;
}

static void xsk_ready(struct worker *w, struct watch *watch, uint32_t events)
{
	struct xsk *xsk = container_of(watch, struct xsk, watch);

	(void)events;
	for (int i = 0; i < BATCHES_PER_CALL; i++)
		if (take_batch(w, xsk) < BATCH)
			return;
}

static void retired_ready(struct worker *w, struct watch *watch, uint32_t events)
{
	(void)w;
	(void)watch;
	(void)events;
}

static void count(struct forwarder_status *status, struct xsk *xsk)
{
	const struct xdp_statistics before = xsk->counted;
	struct xdp_statistics *now = &xsk->counted;
	socklen_t len = sizeof(*now);
	uint64_t no_frame;

	if (getsockopt(xsk->fd, SOL_XDP, XDP_STATISTICS, now, &len))
		return;
	/* the kernel counts a packet for which there was no frame twice (__xsk_rcv()) */
	no_frame = now->rx_fill_ring_empty_descs - before.rx_fill_ring_empty_descs;
	status->rx_no_frame += no_frame;
	status->rx_oversize += now->rx_dropped - before.rx_dropped - no_frame;
	status->rx_ring_full += now->rx_ring_full - before.rx_ring_full;
}

/**
 * sockets_count() - Count what the kernel could not put into the sockets
 */
void sockets_count(struct worker *w)
{
	for (uint32_t i = 0; i < w->n_xsks; i++)
		count(w->status, &w->xsks[i]);
}

/* What has come in until now, and no more: others may still come. */
static void take_rest(struct worker *w, struct xsk *xsk)
{
	uint32_t n = 0;

	while (n < xsk->map.rx.size) {
		uint32_t taken = take_batch(w, xsk);

		if (!taken)
			return;
		n += taken;
	}
}

/*
 * The sockets of a device that is gone, which wake nobody.  Events of this round may still name them.
 */
static void retire_sockets(struct worker *w)
{
	for (uint32_t i = 0; i < w->n_xsks; i++) {
		struct xsk *xsk = &w->xsks[i];

		take_rest(w, xsk);
		count(w->status, xsk);
		xsk->watch.ready = retired_ready;
		queue_unmap(&xsk->map);
		close(xsk->fd);
	}
	free(w->retired_xsks);
	w->retired_xsks = w->xsks;
	w->xsks = NULL;
	w->status->queues = w->n_xsks = 0;
}

/* What is mapped of a queue already is taken, else it is mapped. */
static int take_map(const struct queue_device *device, uint32_t queue, const struct queue_fds *fds,
		    struct queue_map *map, struct error *error)
{
	if (!device->maps)
		return queue_map(fds, device->frames, map, error);
	*map = device->maps[queue];
	device->maps[queue] = (struct queue_map){};
	return 0;
}

/**
 * sockets_take() - Read these queues, and no others any more
 * @fds: their sockets are the worker's from here on, whatever happens; their memory is not
 * @n: how many
 * @device: their frames, and their maps if there are any, which are taken
 *
 * Return: 0 or -errno.
 */
int sockets_take(struct worker *w, const struct queue_fds *fds, uint32_t n,
		 const struct queue_device *device, struct error *error)
{
	int err = 0;

	retire_sockets(w);
	w->xsks = calloc(n, sizeof(*w->xsks));
	if (!w->xsks)
		err = error_no_memory(error);
	for (uint32_t i = 0; i < n; i++) {
		if (!err)
			err = take_map(device, i, &fds[i], &w->xsks[i].map, error);
		if (err) {
			close(fds[i].socket);
			continue;
		}
		w->xsks[i].fd = fds[i].socket;
		w->xsks[i].watch.ready = xsk_ready;
		w->status->queues = w->n_xsks = i + 1;
		if (watch_add(w, fds[i].socket, &w->xsks[i].watch, EPOLLIN))
			err = error_set(error, errno, "cannot wait for events: %s",
					strerror(errno));
	}
	return err;
}

/* Return: whether the parent wants none any more. */
static bool wait_for_queue(const struct worker *w)
{
	struct pollfd parent = {.fd = w->start.control_fd};

	return poll(&parent, 1, BUSY_LOOK_MS) > 0;
}

/*
 * The queue of a forwarder that was killed is free only a while after its process has gone: a
 * kernel worker gives it back, under the rtnl lock (net/xdp/xsk_buff_pool.c, xp_put_pool()).  A
 * queue that is busy for longer belongs to somebody else.
 */
static int open_in_time(struct worker *w, const struct queue_device *device, struct queue_fds *fds,
			uint32_t *n, struct error *error)
{
	uint64_t deadline_ns = clock_ns(CLOCK_MONOTONIC) + BUSY_MAX_NS;
	uint32_t most = sockets_max(w->start.queues), looks = 0;
	int err = queues_open(device, fds, n, most, error);

	while (err == -EBUSY && (looks++ < BUSY_LOOKS || clock_ns(CLOCK_MONOTONIC) < deadline_ns) &&
	       !wait_for_queue(w))
		err = queues_open(device, fds, n, most, error);
	return err;
}

/**
 * sockets_max() - How many queues are read
 * @queues: that the interface has
 */
uint32_t sockets_max(uint32_t queues)
{
	return queues > FORWARDER_QUEUES ? FORWARDER_QUEUES : queues;
}

/**
 * sockets_open() - Open a socket for each receive queue, and enter all of them in xsks_v1
 *
 * From here on the dataplane hands over what it allows.
 *
 * Return: 0 or -errno.
 */
int sockets_open(struct worker *w, struct error *error)
{
	uint32_t queues = sockets_max(w->start.queues), n = 0;
	struct queue_device device = {
		.ifname = w->start.ifname,
		.ifindex = w->order.config.ifindex,
		.l2_len = w->order.config.l2_len,
		.frames = queue_frames(queues),
		.maps = calloc(queues, sizeof(*device.maps)),
	};
	struct queue_fds *fds = queues_alloc(queues);
	int err;

	if (!fds || !device.maps)
		err = error_no_memory(error);
	else
		err = open_in_time(w, &device, fds, &n, error);
	if (!err)
		err = queues_enter(w->start.fds[FORWARD_FD_XSKS], fds, n, error);
	if (!err) {
		err = sockets_take(w, fds, n, &device, error);
		for (uint32_t i = 0; i < n; i++)
			fds[i].socket = -1;
	}
	for (uint32_t i = 0; device.maps && i < queues; i++)
		queue_unmap(&device.maps[i]);
	free(device.maps);
	queues_free(fds, queues);
	return err;
}
