/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "forward/move.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "forward/input_device.h"
#include "forward/socket.h"
#include "process/pass.h"

#define QUEUES_OF_MESSAGE (PASS_FDS_MAX / 2)

/* Send open queues, as many in a message as its descriptors allow. */
static int send_queues(int control_fd, const struct queue_fds *fds, uint32_t total, uint32_t frames)
{
	struct forward_message message = {
		.kind = FORWARD_MESSAGE_QUEUES,
		.queues = {.total = total, .frames = frames},
	};
	int err = 0;

	for (uint32_t first = 0; first < total && !err; first += QUEUES_OF_MESSAGE) {
		uint32_t n = total - first < QUEUES_OF_MESSAGE ? total - first : QUEUES_OF_MESSAGE;

		message.queues.first = first;
		err = pass_send(control_fd, &message, sizeof(message), (const int *)&fds[first],
				2 * n);
	}
	return err;
}

/* The TUN device of the forwarder stays; it is to take packets of another interface. */
static int enter_device(const struct worker_start *start, struct error *error)
{
	int map_fd = start->fds[FORWARD_FD_TUN];
	struct input_device device = {};
	struct forward_tun tun;
	uint32_t zero = 0;

	if (bpf_map_lookup_elem(map_fd, &zero, &tun))
		return error_set(error, errno, "cannot read BPF map forward_tun_v1: %s",
				 strerror(errno));
	device.ifindex = tun.ifindex;
	return input_device_enter(map_fd, &device, start->order.config.ifindex, error);
}

static int open_queues(int control_fd, const struct worker_start *start, struct error *error)
{
	uint32_t most = sockets_max(start->queues), n = 0;
	struct queue_device device = {
		.ifname = start->ifname,
		.ifindex = start->order.config.ifindex,
		.l2_len = start->order.config.l2_len,
		.frames = queue_frames(most),
	};
	struct queue_fds *fds = queues_alloc(most);
	int err;

	if (!fds)
		return error_no_memory(error);
	err = queues_open(&device, fds, &n, most, error);
	if (!err) {
		err = send_queues(control_fd, fds, n, device.frames);
		if (err)
			error_set(error, -err, "it does not listen: %s", strerror(-err));
	}
	if (!err)
		err = queues_enter(start->fds[FORWARD_FD_XSKS], fds, n, error);
	queues_free(fds, most);
	return err;
}

/**
 * move_send() - Have a forwarder that runs take the packets of the interface as it is now
 * @control_fd: the parent's end
 * @start: with that interface
 * @error: why not
 *
 * Its queues are opened and sent, or its TUN device is entered for it.
 *
 * Return: 0 or -errno.
 */
int move_send(int control_fd, const struct worker_start *start, struct error *error)
{
	if (start->order.config.forwarder_input == FORWARDER_INPUT_TUN)
		return enter_device(start, error);
	return open_queues(control_fd, start, error);
}

/**
 * move_take() - Take a message of the parent's with queues
 * @fds: theirs, owned from here on
 * @n: how many
 *
 * With the last message the queues take the place of those before.
 *
 * Return: 0 or -errno.
 */
int move_take(struct worker *w, const struct forward_queues *queues, const int *fds, int n,
	      struct error *error)
{
	const struct queue_device device = {.frames = queues->frames};
	uint32_t end = queues->first + n / 2;
	int err = 0;

	if (!queues->first) {
		queues_free(w->coming, w->n_coming);
		w->coming = queues_alloc(queues->total);
		w->n_coming = w->coming ? queues->total : 0;
	}
	if (end > w->n_coming)
		return error_no_memory(error);
	memcpy(&w->coming[queues->first], fds, (end - queues->first) * sizeof(*w->coming));
	if (end < w->n_coming)
		return 0;
	err = sockets_take(w, w->coming, w->n_coming, &device, error);
	for (uint32_t i = 0; i < w->n_coming; i++)
		w->coming[i].socket = -1;
	queues_free(w->coming, w->n_coming);
	w->coming = NULL;
	w->n_coming = 0;
	return err;
}
