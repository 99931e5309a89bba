/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "forward/queue.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_xdp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"

#define FRAMES		4096
#define FRAMES_MIN	512
#define FRAMES_TOTAL	16384 /* of all queues, where each has its minimum */
#define FRAMES_MOST	32768 /* else */
#define FRAMES_LEAST	128
#define COMPLETION_SIZE 64 /* never used, but there is no socket without */

/**
 * queue_frames() - How many frames each queue gets
 * @queues: that there are
 */
uint32_t queue_frames(uint32_t queues)
{
	uint32_t frames = FRAMES;

	while (frames * queues > FRAMES_TOTAL && frames > FRAMES_MIN)
		frames /= 2;
	while (frames * queues > FRAMES_MOST && frames > FRAMES_LEAST)
		frames /= 2;
	return frames;
}

static int set_option(int fd, int name, const void *value, socklen_t len)
{
	return setsockopt(fd, SOL_XDP, name, value, len) ? -errno : 0;
}

/* Register the frames and make the rings. */
static int set_up(int fd, void *frames, uint32_t n, uint8_t l2_len)
{
	struct xdp_umem_reg umem = {
		.addr = (uintptr_t)frames,
		.len = (uint64_t)n * FRAME_BYTES,
		.chunk_size = FRAME_BYTES,
		/* aligns the IP header */
		.headroom = l2_len ? 2 : 0,
	};
	uint32_t completion = COMPLETION_SIZE;
	int err = set_option(fd, XDP_UMEM_REG, &umem, sizeof(umem));

	if (!err)
		err = set_option(fd, XDP_UMEM_FILL_RING, &n, sizeof(n));
	if (!err)
		err = set_option(fd, XDP_UMEM_COMPLETION_RING, &completion, sizeof(completion));
	if (!err)
		err = set_option(fd, XDP_RX_RING, &n, sizeof(n));
	return err;
}

static int map_ring(int fd, off_t which, const struct xdp_ring_offset *off, size_t bytes,
		    void **ring)
{
	void *at = mmap(NULL, off->desc + bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
			fd, which);

	if (at == MAP_FAILED)
		return -errno;
	*ring = at;
	return 0;
}

static int map_fill(int fd, uint32_t frames, const struct xdp_mmap_offsets *off,
		    struct queue_map *map)
{
	size_t bytes = frames * sizeof(uint64_t);
	int err = map_ring(fd, XDP_UMEM_PGOFF_FILL_RING, &off->fr, bytes, &map->fill_ring);

	if (err)
		return err;
	map->fill_bytes = off->fr.desc + bytes;
	map->fill = (struct xsk_ring_prod){
		.mask = frames - 1,
		.size = frames,
		.producer = map->fill_ring + off->fr.producer,
		.consumer = map->fill_ring + off->fr.consumer,
		.flags = map->fill_ring + off->fr.flags,
		.ring = map->fill_ring + off->fr.desc,
	};
	map->fill.cached_prod = *map->fill.producer;
	map->fill.cached_cons = *map->fill.consumer + frames;
	return 0;
}

static int map_rx(int fd, uint32_t frames, const struct xdp_mmap_offsets *off,
		  struct queue_map *map)
{
	size_t bytes = frames * sizeof(struct xdp_desc);
	int err = map_ring(fd, XDP_PGOFF_RX_RING, &off->rx, bytes, &map->rx_ring);

	if (err)
		return err;
	map->rx_bytes = off->rx.desc + bytes;
	map->rx = (struct xsk_ring_cons){
		.mask = frames - 1,
		.size = frames,
		.producer = map->rx_ring + off->rx.producer,
		.consumer = map->rx_ring + off->rx.consumer,
		.flags = map->rx_ring + off->rx.flags,
		.ring = map->rx_ring + off->rx.desc,
	};
	map->rx.cached_prod = *map->rx.producer;
	map->rx.cached_cons = *map->rx.consumer;
	return 0;
}

/**
 * queue_map() - Map what it takes to read an open queue
 * @frames: that it has
 * @map: becomes what is mapped
 * @error: why not
 *
 * Return: 0 or -errno.
 */
int queue_map(const struct queue_fds *fds, uint32_t frames, struct queue_map *map,
	      struct error *error)
{
	struct xdp_mmap_offsets off;
	socklen_t len = sizeof(off);
	int err = 0;

	*map = (struct queue_map){.frames_bytes = (size_t)frames * FRAME_BYTES};
	map->frames = mmap(NULL, map->frames_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fds->memory,
			   0);
	if (map->frames == MAP_FAILED) {
		err = -errno;
		map->frames = NULL;
	}
	if (!err && getsockopt(fds->socket, SOL_XDP, XDP_MMAP_OFFSETS, &off, &len))
		err = -errno;
	if (!err)
		err = map_fill(fds->socket, frames, &off, map);
	if (!err)
		err = map_rx(fds->socket, frames, &off, map);
	if (!err)
		return 0;
	queue_unmap(map);
	return error_set(error, -err, "cannot map an AF_XDP socket: %s", strerror(-err));
}

static void unmap(void *at, size_t bytes)
{
	if (at)
		munmap(at, bytes);
}

/**
 * queue_unmap() - Unmap what queue_map() has mapped
 *
 * Before the socket is closed, or its queue stays busy.
 */
void queue_unmap(struct queue_map *map)
{
	unmap(map->rx_ring, map->rx_bytes);
	unmap(map->fill_ring, map->fill_bytes);
	unmap(map->frames, map->frames_bytes);
	*map = (struct queue_map){};
}

/* All frames are the kernel's, to put packets into. */
static int fill(const struct queue_device *device, uint32_t queue, const struct queue_fds *fds,
		struct error *error)
{
	uint32_t index, frames = device->frames;
	struct queue_map map;
	int err = queue_map(fds, frames, &map, error);

	if (err)
		return err;
	if (xsk_ring_prod__reserve(&map.fill, frames, &index) == frames) {
		for (uint32_t i = 0; i < frames; i++)
			*xsk_ring_prod__fill_addr(&map.fill, index + i) = (uint64_t)i * FRAME_BYTES;
		xsk_ring_prod__submit(&map.fill, frames);
	}
	if (device->maps)
		device->maps[queue] = map;
	else
		queue_unmap(&map);
	return 0;
}

static void close_queue(struct queue_fds *fds)
{
	if (fds->socket >= 0)
		close(fds->socket);
	if (fds->memory >= 0)
		close(fds->memory);
	*fds = (struct queue_fds){-1, -1};
}

static int open_socket(const struct queue_device *device, struct queue_fds *fds,
		       struct error *error)
{
	size_t bytes = (size_t)device->frames * FRAME_BYTES;
	void *area;
	int err;

	fds->memory = memfd_create("shrike-queue", MFD_CLOEXEC);
	if (fds->memory < 0 || ftruncate(fds->memory, bytes))
		return error_set(error, errno, "no memory for packets: %s", strerror(errno));
	fds->socket = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (fds->socket < 0)
		return error_set(error, errno, "no AF_XDP socket: %s", strerror(errno));
	area = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fds->memory, 0);
	if (area == MAP_FAILED)
		return error_set(error, errno, "no memory for packets: %s", strerror(errno));
	err = set_up(fds->socket, area, device->frames, device->l2_len);
	munmap(area, bytes);
	return err ? error_set(error, -err, "cannot register memory for AF_XDP: %s%s",
			       strerror(-err),
			       err == -ENOBUFS ? " (RLIMIT_MEMLOCK is too low)" : "")
		   : 0;
}

static int open_queue(const struct queue_device *device, uint32_t queue, struct queue_fds *fds,
		      struct error *error)
{
	int err = open_socket(device, fds, error);

	if (!err)
		err = fill(device, queue, fds, error);
	if (err)
		close_queue(fds);
	return err;
}

/* What is open stays so, to be tried again. */
static int bind_queue(const struct queue_device *device, uint32_t queue,
		      const struct queue_fds *fds, struct error *error)
{
	struct sockaddr_xdp addr = {
		.sxdp_family = AF_XDP,
		.sxdp_flags = XDP_COPY,
		.sxdp_ifindex = device->ifindex,
		.sxdp_queue_id = queue,
	};

	if (bind(fds->socket, (struct sockaddr *)&addr, sizeof(addr)))
		return error_set(error, errno, "cannot open an AF_XDP socket on queue %u of %s: %s",
				 queue, device->ifname, strerror(errno));
	return 0;
}

/**
 * queues_alloc() - Room for open queues
 *
 * Return: @n of them, all closed, or NULL.
 */
struct queue_fds *queues_alloc(uint32_t n)
{
	struct queue_fds *fds = calloc(n, sizeof(*fds));

	for (uint32_t i = 0; fds && i < n; i++)
		fds[i] = (struct queue_fds){-1, -1};
	return fds;
}

/**
 * queues_open() - Open the receive queues of an interface
 * @device: the interface
 * @fds: become what is open
 * @n: how many are open; begins as 0, and where it failed it goes on
 * @most: how many there may be
 * @error: why not
 *
 * Takes CAP_NET_RAW, and CAP_IPC_LOCK for the memory.
 *
 * Return: 0 or -errno; -EBUSY where somebody has one of them.
 */
int queues_open(const struct queue_device *device, struct queue_fds *fds, uint32_t *n,
		uint32_t most, struct error *error)
{
	for (; *n < most; ++*n) {
		struct queue_fds *queue = &fds[*n];
		int err = queue->socket < 0 ? open_queue(device, *n, queue, error) : 0;

		if (!err)
			err = bind_queue(device, *n, queue, error);
		if (err == -EINVAL && *n)
			return 0; /* the others exist, but are not in use */
		if (err)
			return err;
	}
	return 0;
}

/**
 * queues_enter() - Have the dataplane hand over what it allows
 * @xsks_fd: BPF map xsks_v1
 *
 * Return: 0 or -errno.
 */
int queues_enter(int xsks_fd, const struct queue_fds *fds, uint32_t n, struct error *error)
{
	for (uint32_t i = 0; i < n; i++)
		if (bpf_map_update_elem(xsks_fd, &i, &fds[i].socket, BPF_ANY))
			return error_set(error, errno, "cannot fill BPF map xsks_v1: %s",
					 strerror(errno));
	return 0;
}

/**
 * queues_free() - Close those that are open, and give the room back
 * @fds: may be NULL
 */
void queues_free(struct queue_fds *fds, uint32_t n)
{
	for (uint32_t i = 0; fds && i < n; i++)
		close_queue(&fds[i]);
	free(fds);
}
