/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "forward/tun_input.h"

#include <errno.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/uio.h>

#include "forward/input.h"
#include "forward/input_device.h"
#include "forward/watch.h"

#define FRAME_BYTES	 (TUN_PACKET_MAX + ETHERNET_LEN)
#define INPUT_BYTES	 (512 << 10)
#define ALIGNMENT	 64
#define PACKETS_PER_TURN 256

struct tun_input {
	struct watch watch;
	struct input_device device;
	uint8_t *buffer;
	struct nl_sock *socket; /* to ask the kernel what it has lost */
	uint64_t lost;		/* that has been counted */
};

/* Read one packet to @frame; its length, 0 where there is none. */
static size_t take_packet(struct worker *w, struct tun_input *input, uint8_t *frame)
{
	struct virtio_net_hdr header;
	struct iovec parts[2] = {{&header, sizeof(header)}, {frame, FRAME_BYTES}};
	ssize_t len = readv(input->device.fd, parts, 2);

	/* somebody has deleted the device: the next forwarder has another one */
	if (len < 0 && errno == EBADFD)
		w->over = true;
	if (len <= (ssize_t)sizeof(header))
		return 0;
	frame_input(w, frame, len - sizeof(header), &header);
	return len - sizeof(header);
}

static void input_ready(struct worker *w, struct watch *watch, uint32_t events)
{
	struct tun_input *input = container_of(watch, struct tun_input, watch);
	/* aligns the IP header */
	size_t begin = w->order.config.l2_len ? ALIGNMENT - ETHERNET_LEN : 0, at = begin;

	(void)events;
	for (int i = 0; i < PACKETS_PER_TURN; i++) {
		size_t len = take_packet(w, input, input->buffer + at);

		if (!len)
			break;
		at += (len + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
		if (at + FRAME_BYTES > INPUT_BYTES) {
			frame_input_end(w);
			at = begin;
		}
	}
	frame_input_end(w);
}

/**
 * tun_input_open() - Open the device, read it from now on, and enter it in forward_tun_v1
 *
 * It ends with this process.
 *
 * Return: 0 or -errno.
 */
int tun_input_open(struct worker *w, struct error *error)
{
	const struct config *config = &w->order.config;
	int err, map_fd = w->start.fds[FORWARD_FD_TUN];
	struct tun_input *input = calloc(1, sizeof(*input));

	w->tun_input = input;
	if (input)
		input->buffer = malloc(INPUT_BYTES);
	if (input)
		input->socket = nl_socket_alloc();
	if (!input || !input->buffer || !input->socket || nl_connect(input->socket, NETLINK_ROUTE))
		return error_no_memory(error);
	err = input_device_open(w->start.ifname, config->l2_len, map_fd, &input->device, error);
	if (err)
		return err;
	input->watch.ready = input_ready;
	if (watch_add(w, input->device.fd, &input->watch, EPOLLIN))
		return error_set(error, errno, "cannot wait for events: %s", strerror(errno));
	w->status->queues = 1;
	return input_device_enter(map_fd, &input->device, config->ifindex, error);
}

/**
 * tun_input_count() - Count what found no room in the queue of the device
 */
void tun_input_count(struct worker *w)
{
	struct tun_input *input = w->tun_input;
	struct rtnl_link *link;
	uint64_t lost;

	if (rtnl_link_get_kernel(input->socket, input->device.ifindex, NULL, &link))
		return;
	lost = rtnl_link_get_stat(link, RTNL_LINK_TX_DROPPED);
	w->status->rx_queue_full += lost - input->lost;
	input->lost = lost;
	rtnl_link_put(link);
}
