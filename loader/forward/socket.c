/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * AF_XDP sockets: what the dataplane has allowed, one socket for each receive queue, in copy mode,
 * which is all that WireGuard and TUN devices have.  They only receive.
 */
#include "forward/socket.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xdp/xsk.h>

#include "base/clock.h"
#include "forward/input.h"
#include "forward/udp.h"
#include "forward/watch.h"

#define FRAMES		 4096
#define FRAMES_MIN	 512
#define FRAMES_TOTAL	 16384 /* of all queues, where each has its minimum */
#define FRAMES_MOST	 32768 /* else */
#define FRAMES_LEAST	 128
#define FRAME_BYTES	 4096 /* the largest there is, so that no change of the MTU asks for others */
#define BATCH		 256
#define BATCHES_PER_CALL 4
#define BUSY_MAX_NS	 (2 * NS_PER_S) /* that a queue is waited for */
#define BUSY_LOOK_MS	 10		/* how often it is asked for */

struct xsk {
	struct watch watch;
	struct xsk_ring_cons rx;
	struct xsk_ring_prod fill;
	struct xsk_ring_cons completion; /* never used, but there is no umem without */
	struct xsk_umem *umem;
	struct xsk_socket *socket;
	uint8_t *area;
	size_t bytes; /* of @area */
	struct xdp_statistics counted;
};

static uint32_t take_batch(struct worker *w, struct xsk *xsk)
{
	uint64_t frames[BATCH];
	uint32_t index, n = xsk_ring_cons__peek(&xsk->rx, BATCH, &index);

	for (uint32_t i = 0; i < n; i++) {
		const struct xdp_desc *desc = xsk_ring_cons__rx_desc(&xsk->rx, index + i);

		frames[i] = desc->addr & ~(uint64_t)(FRAME_BYTES - 1);
		frame_input(w, xsk->area + desc->addr, desc->len);
	}
	if (!n)
		return 0;
	coalesce_flush(&w->coalescer);
	udp_flush(w);
	xsk_ring_cons__release(&xsk->rx, n);
	/* never short of room: no more frames exist than the ring has slots */
	if (xsk_ring_prod__reserve(&xsk->fill, n, &index) == n) {
		for (uint32_t i = 0; i < n; i++)
			*xsk_ring_prod__fill_addr(&xsk->fill, index + i) = frames[i];
		xsk_ring_prod__submit(&xsk->fill, n);
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

static void fill_ring(struct xsk *xsk, uint32_t frames)
{
	uint32_t index;

	if (xsk_ring_prod__reserve(&xsk->fill, frames, &index) != frames)
		return;
	for (uint32_t i = 0; i < frames; i++)
		*xsk_ring_prod__fill_addr(&xsk->fill, index + i) = (uint64_t)i * FRAME_BYTES;
	xsk_ring_prod__submit(&xsk->fill, frames);
}

static int open_queue(struct worker *w, struct xsk *xsk, uint32_t queue, uint32_t frames,
		      struct error *error)
{
	struct xsk_umem_config umem_config = {
		.fill_size = frames,
		.comp_size = 64,
		.frame_size = FRAME_BYTES,
		/* aligns the IP header */
		.frame_headroom = w->order.config.l2_len ? 2 : 0,
	};
	struct xsk_socket_config socket_config = {
		.rx_size = frames,
		.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
		.bind_flags = XDP_COPY,
	};
	int err;

	xsk->bytes = (size_t)frames * FRAME_BYTES;
	xsk->area = mmap(NULL, xsk->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			 0);
	if (xsk->area == MAP_FAILED)
		return error_set(error, errno, "no memory for the packets of queue %u", queue);
	err = xsk_umem__create(&xsk->umem, xsk->area, xsk->bytes, &xsk->fill, &xsk->completion,
			       &umem_config);
	if (err)
		return error_set(error, -err, "cannot register memory for AF_XDP: %s%s",
				 strerror(-err),
				 err == -ENOBUFS ? " (RLIMIT_MEMLOCK is too low)" : "");
	fill_ring(xsk, frames);
	err = xsk_socket__create(&xsk->socket, w->start.ifname, queue, xsk->umem, &xsk->rx, NULL,
				 &socket_config);
	if (err)
		return error_set(error, -err, "cannot open an AF_XDP socket on queue %u of %s: %s",
				 queue, w->start.ifname, strerror(-err));
	xsk->watch.ready = xsk_ready;
	if (watch_add(w, xsk_socket__fd(xsk->socket), &xsk->watch, EPOLLIN))
		return error_set(error, errno, "cannot wait for events: %s", strerror(errno));
	return 0;
}

static void close_queue(struct xsk *xsk)
{
	if (xsk->socket)
		xsk_socket__delete(xsk->socket);
	if (xsk->umem)
		xsk_umem__delete(xsk->umem);
	if (xsk->area && xsk->area != MAP_FAILED)
		munmap(xsk->area, xsk->bytes);
	*xsk = (struct xsk){};
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
static int open_queue_in_time(struct worker *w, struct xsk *xsk, uint32_t queue, uint32_t frames,
			      struct error *error)
{
	uint64_t deadline_ns = clock_ns(CLOCK_MONOTONIC) + BUSY_MAX_NS;
	int err = open_queue(w, xsk, queue, frames, error);

	while (err == -EBUSY && clock_ns(CLOCK_MONOTONIC) < deadline_ns && !wait_for_queue(w)) {
		close_queue(xsk);
		err = open_queue(w, xsk, queue, frames, error);
	}
	return err;
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
	uint32_t queues = w->start.queues > FORWARDER_QUEUES ? FORWARDER_QUEUES : w->start.queues;
	uint32_t frames = FRAMES;
	int err = 0;

	while (frames * queues > FRAMES_TOTAL && frames > FRAMES_MIN)
		frames /= 2;
	while (frames * queues > FRAMES_MOST && frames > FRAMES_LEAST)
		frames /= 2;
	w->xsks = calloc(queues, sizeof(*w->xsks));
	if (!w->xsks)
		return error_no_memory(error);
	for (uint32_t queue = 0; queue < queues && !err; queue++) {
		err = open_queue_in_time(w, &w->xsks[queue], queue, frames, error);
		if (err == -EINVAL && queue) {
			close_queue(&w->xsks[queue]);
			queues = queue; /* the others exist, but are not in use */
			err = 0;
		}
	}
	for (uint32_t queue = 0; queue < queues && !err; queue++) {
		int fd = xsk_socket__fd(w->xsks[queue].socket);

		if (bpf_map_update_elem(w->start.fds[FORWARD_FD_XSKS], &queue, &fd, BPF_ANY))
			err = error_set(error, errno, "cannot fill BPF map xsks_v1: %s",
					strerror(errno));
	}
	if (!err)
		w->status->queues = w->n_xsks = queues;
	return err;
}

static void count(struct forwarder_status *status, struct xsk *xsk)
{
	const struct xdp_statistics before = xsk->counted;
	struct xdp_statistics *now = &xsk->counted;
	socklen_t len = sizeof(*now);
	uint64_t no_frame;

	if (getsockopt(xsk_socket__fd(xsk->socket), SOL_XDP, XDP_STATISTICS, now, &len))
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
