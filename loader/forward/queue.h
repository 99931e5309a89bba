/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A receive queue of the interface, read by AF_XDP: an open socket and the memory of its packets.
 *
 * Both are descriptors, so that whoever has the rights may open the queue and another process read
 * it: the forwarder opens those that it begins with, and its parent those of a device that comes
 * later.  Copy mode, which is all that WireGuard and TUN devices have; the sockets only receive.
 */
#ifndef SHRIKE_FORWARD_QUEUE_H
#define SHRIKE_FORWARD_QUEUE_H

#include <stddef.h>
#include <stdint.h>
#include <xdp/xsk.h>

#define FRAME_BYTES 4096 /* the largest there is, so that no change of the MTU asks for others */

struct error;

struct queue_map;

/*
 * What has queues.  Before Linux 6.4 a socket cannot be mapped once it is bound, so who reads them keeps
 * the maps by which they were filled.
 */
struct queue_device {
	const char *ifname;
	int ifindex;
	uint8_t l2_len;		/* bytes of its link header */
	uint32_t frames;	/* of each queue: queue_frames() */
	struct queue_map *maps; /* become those of open queues; NULL: they are not kept */
};

/* An open queue, -1 where it is closed; @memory is as large as its frames. */
struct queue_fds {
	int socket;
	int memory;
};

/* What it takes to read one. */
struct queue_map {
	struct xsk_ring_cons rx;
	struct xsk_ring_prod fill;
	uint8_t *frames;
	void *rx_ring;
	void *fill_ring;
	size_t frames_bytes;
	size_t rx_bytes;
	size_t fill_bytes;
};

uint32_t queue_frames(uint32_t queues);
struct queue_fds *queues_alloc(uint32_t n);
int queues_open(const struct queue_device *device, struct queue_fds *fds, uint32_t *n,
		uint32_t most, struct error *error);
int queues_enter(int xsks_fd, const struct queue_fds *fds, uint32_t n, struct error *error);
void queues_free(struct queue_fds *fds, uint32_t n);
int queue_map(const struct queue_fds *fds, uint32_t frames, struct queue_map *map,
	      struct error *error);
void queue_unmap(struct queue_map *map);

#endif /* SHRIKE_FORWARD_QUEUE_H */
