/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The ring is held by its slot of flow_rings_v2, which all generations share and which is pinned.
 * Its reader holds a lock, so that there is one.
 *
 * Records are given up after they were written.  A reader that is killed between the two would have
 * written them twice; so where it writes to a file, it notes in struct flow_log where a batch
 * begins, in the ring and in the file.  The next reader cuts off what was written of a batch that
 * is still in the ring.
 */
#include "conntrack/flow_log.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conntrack/events.h"
#include "kernel/lock.h"
#include "maps.h"

#define LOCK_FLOW_LOG (LOCK_LISTEN + FLOW_LOG_SLOT)

/* The ring that is in the slot: its descriptor, or -errno; -ENOENT: there is none. */
static int find_ring(int rings_fd)
{
	uint32_t slot = FLOW_LOG_SLOT, id;
	int fd;

	if (bpf_map_lookup_elem(rings_fd, &slot, &id))
		return -errno;
	fd = bpf_map_get_fd_by_id(id);
	return fd < 0 ? -errno : fd;
}

/* Make a ring, and give it to the programs. */
static int make_ring(int rings_fd, struct error *error)
{
	uint32_t slot = FLOW_LOG_SLOT;
	int fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "flow_log", 0, 0, FLOW_EVENTS_RING_BYTES,
				NULL);

	if (fd < 0)
		return error_set(error, errno, "cannot make a ring buffer: %s", strerror(errno));
	if (bpf_map_update_elem(rings_fd, &slot, &fd, BPF_ANY)) {
		error_set(error, errno, "cannot fill BPF map flow_rings_v2: %s", strerror(errno));
		close(fd);
		return -error->code;
	}
	return fd;
}

/* Map the ring. */
static int map_ring(struct ring_reader *ring, int fd, struct error *error)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return error_set(error, errno, "cannot read a ring buffer: %s", strerror(errno));
	return ring_reader_open(ring, fd, info.max_entries, error);
}

/* Open the ring, which is made where there is none. */
static int open_ring(struct flow_log_reader *reader, const struct map_set *maps,
		     struct error *error)
{
	int rings_fd = map_set_fd(maps, MAP_FLOW_RINGS);
	int fd = find_ring(rings_fd);

	if (fd == -ENOENT)
		fd = make_ring(rings_fd, error);
	else if (fd < 0)
		error_set(error, -fd, "cannot open the ring buffer: %s", strerror(-fd));
	if (fd < 0)
		return fd;
	reader->ring_fd = fd;
	return map_ring(&reader->ring, fd, error);
}

/* Become the one that reads the log of an interface, or that ends it. */
static int take_over(struct flow_log_reader *reader, const struct map_set *maps, const char *ifname,
		     struct error *error)
{
	int err;

	*reader = (struct flow_log_reader){.ring_fd = -1, .lock_fd = -1};
	err = flow_gate_map(maps, &reader->gate, error);
	if (!err)
		err = lock_try(LOCK_FLOW_LOG, ifname, &reader->lock_fd, error);
	if (err == -EADDRINUSE)
		error_set(error, EBUSY, "%s: process %llu reads its flow log; there can be one",
			  ifname, (unsigned long long)reader->gate->log.reader);
	return err;
}

/**
 * flow_log_open() - Read the flow log of an interface, which begins where there is none
 * @reader: is filled; to be closed with flow_log_close(), also on failure
 * @maps: of the generation in force
 * @ifname: the interface
 * @drops_per_s: so many events of drops go into the ring in a second
 * @error: set on failure; EBUSY: another process reads it
 *
 * Return: 0 or -errno.
 */
int flow_log_open(struct flow_log_reader *reader, const struct map_set *maps, const char *ifname,
		  uint64_t drops_per_s, struct error *error)
{
	int err = take_over(reader, maps, ifname, error);

	if (!err)
		err = open_ring(reader, maps, error);
	if (err)
		return err;
	reader->gate->log.drops_per_s = drops_per_s;
	reader->gate->log.reader = getpid();
	__atomic_store_n(&reader->gate->log.on, 1, __ATOMIC_RELEASE);
	return 0;
}

/**
 * flow_log_next() - The next event, NULL: there is none yet
 */
const struct flow_event *flow_log_next(struct flow_log_reader *reader)
{
	const void *record;
	size_t len;

	while ((record = ring_reader_next(&reader->ring, &len)))
		if (len >= sizeof(struct flow_event))
			return record;
	return NULL;
}

/**
 * flow_log_losses() - What was lost and has not been reported yet
 */
struct flow_log_losses flow_log_losses(const struct flow_log_reader *reader)
{
	const struct flow_gate *gate = reader->gate;
	uint64_t lost = __atomic_load_n(&gate->lost[FLOW_LOG_SLOT], __ATOMIC_RELAXED);
	uint64_t unsampled = __atomic_load_n(&gate->log.unsampled, __ATOMIC_RELAXED);

	return (struct flow_log_losses){
		.events = lost - gate->log.reported_lost,
		.unsampled = unsampled - gate->log.reported_unsampled,
	};
}

/**
 * flow_log_begin() - Note where a batch begins, before any of it is written
 * @file: into which it will be written, as it is now; NULL: into none that could be cut
 */
void flow_log_begin(struct flow_log_reader *reader, const struct stat *file)
{
	struct flow_log *log = &reader->gate->log;

	if (!file)
		return;
	log->batch_pos = ring_reader_begin(&reader->ring);
	log->batch_bytes = file->st_size;
	log->batch_dev = file->st_dev;
	__atomic_store_n(&log->batch_ino, file->st_ino, __ATOMIC_RELEASE);
}

/**
 * flow_log_unfinished() - Whether a file ends in a batch whose records are still in the ring
 * @file: as it is now
 * @bytes: set to its size before that batch
 */
bool flow_log_unfinished(const struct flow_log_reader *reader, const struct stat *file,
			 off_t *bytes)
{
	const struct flow_log *log = &reader->gate->log;

	if (log->batch_ino != file->st_ino || log->batch_dev != file->st_dev ||
	    log->batch_pos != ring_reader_begin(&reader->ring) ||
	    (off_t)log->batch_bytes >= file->st_size)
		return false;
	*bytes = log->batch_bytes;
	return true;
}

/**
 * flow_log_commit() - Give up all events that flow_log_next() has returned: they have been written
 * @reported: the losses that have been written with them
 */
void flow_log_commit(struct flow_log_reader *reader, const struct flow_log_losses *reported)
{
	struct flow_log *log = &reader->gate->log;

	ring_reader_commit(&reader->ring);
	log->reported_lost += reported->events;
	log->reported_unsampled += reported->unsampled;
	__atomic_store_n(&log->batch_ino, 0, __ATOMIC_RELEASE);
}

/**
 * flow_log_close() - Stop reading; the log goes on without a reader
 */
void flow_log_close(struct flow_log_reader *reader)
{
	ring_reader_close(&reader->ring);
	if (reader->ring_fd >= 0)
		close(reader->ring_fd);
	if (reader->gate)
		munmap(reader->gate, sizeof(*reader->gate));
	if (reader->lock_fd >= 0)
		close(reader->lock_fd);
}

/**
 * flow_log_look() - How a flow log is doing, without touching it
 * @maps: of the generation in force
 * @ifname: the interface
 * @state: is filled
 *
 * Return: 0; -ENOENT: there is no log; or another -errno.
 */
int flow_log_look(const struct map_set *maps, const char *ifname, struct flow_log_state *state)
{
	int gate_fd = map_set_fd(maps, MAP_FLOW_GATE), rings_fd = map_set_fd(maps, MAP_FLOW_RINGS);
	struct ring_reader ring = {};
	struct flow_gate gate;
	struct error ignored;
	uint32_t zero = 0;
	int fd, err;

	if (gate_fd < 0 || rings_fd < 0 || bpf_map_lookup_elem(gate_fd, &zero, &gate) ||
	    !gate.log.on)
		return -ENOENT;
	fd = find_ring(rings_fd);
	if (fd < 0)
		return fd;
	err = map_ring(&ring, fd, &ignored);
	close(fd);
	if (err)
		return err;
	*state = (struct flow_log_state){
		.reader = lock_is_held(LOCK_FLOW_LOG, ifname) ? gate.log.reader : 0,
		.ring_bytes = ring.bytes,
		.used_bytes = ring_reader_fill(&ring),
		.lost_events = gate.lost[FLOW_LOG_SLOT],
		.unsampled_drops = gate.log.unsampled,
	};
	ring_reader_close(&ring);
	return 0;
}

/**
 * flow_log_end() - End the log of an interface: from now on it costs nothing
 * @maps: of the generation in force
 * @ifname: the interface
 * @error: set on failure; EBUSY: a process reads it
 *
 * Return: 0, also where there is none, or -errno.
 */
int flow_log_end(const struct map_set *maps, const char *ifname, struct error *error)
{
	int rings_fd = map_set_fd(maps, MAP_FLOW_RINGS);
	uint32_t slot = FLOW_LOG_SLOT;
	struct flow_log_reader reader;
	int err = take_over(&reader, maps, ifname, error);

	if (!err) {
		bpf_map_delete_elem(rings_fd, &slot);
		reader.gate->log = (struct flow_log){
			.unsampled = reader.gate->log.unsampled,
			.reported_unsampled = reader.gate->log.unsampled,
			.reported_lost = reader.gate->lost[FLOW_LOG_SLOT],
		};
	}
	flow_log_close(&reader);
	return err;
}
