/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "dataplane/neighbours.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <string.h>

#include "dataplane/attached.h"
#include "kernel/map_batch.h"
#include "maps.h"
#include "masquerade.h"

#define FORGET_BATCH 1024

static const char *const names[] = {MAP_SNAT_IN4, MAP_SNAT_IN6};

/* Keep the maps of one of them: all have the same. */
static int keep_answers(struct neighbours *neighbours, const struct map_set *maps,
			struct error *error)
{
	int err = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names) && !err; i++) {
		const struct map_entry *map = map_set_find(maps, names[i]);
		int fd;

		if (!map || map->value_size != sizeof(struct snat_in) ||
		    map_set_find(&neighbours->answers, names[i]))
			continue;
		fd = fcntl(map->fd, F_DUPFD_CLOEXEC, 0);
		err = fd < 0 ? error_set(error, errno, "cannot duplicate a map: %s",
					 strerror(errno))
			     : map_set_add(&neighbours->answers, fd, error);
	}
	return err;
}

/* What another version has attached is not shared, and found out by who attaches to an uplink. */
static int note(struct neighbours *neighbours, int ifindex, struct error *error)
{
	struct attached attached;
	struct error ignored;
	int err = 0;

	if (attached_open(ifindex, &attached, &ignored))
		return 0;
	if (attached.instance.config.routing == ROUTING_NAT) {
		neighbours->owners |= UINT64_C(1)
				      << attached.instance.config.nat_owner % NEIGHBOURS_MAX;
		err = keep_answers(neighbours, &attached.maps, error);
	}
	attached_close(&attached);
	return err;
}

/**
 * neighbours_find() - The interfaces with routing by NAT beside one
 * @ifindex: that
 * @neighbours: is filled; to be freed, also after a failure
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int neighbours_find(int ifindex, struct neighbours *neighbours, struct error *error)
{
	struct if_nameindex *links = if_nameindex();
	int err = 0;

	neighbours->owners = 0;
	map_set_init(&neighbours->answers);
	if (!links)
		return error_set(error, errno, "cannot list the interfaces: %s", strerror(errno));
	for (const struct if_nameindex *link = links; link->if_index && !err; link++)
		if ((int)link->if_index != ifindex)
			err = note(neighbours, link->if_index, error);
	if_freenameindex(links);
	return err;
}

/**
 * neighbours_number() - A number that none of them has
 * @neighbours: found
 * @preferred: if it is free; -1: none
 * @owner: set to it
 * @error: set on failure
 *
 * Return: 0; -EBUSY: there is none.
 */
int neighbours_number(const struct neighbours *neighbours, int preferred, uint8_t *owner,
		      struct error *error)
{
	if (preferred >= 0 && preferred < NEIGHBOURS_MAX &&
	    !(neighbours->owners >> preferred & 1)) {
		*owner = preferred;
		return 0;
	}
	for (uint8_t i = 0; i < NEIGHBOURS_MAX; i++)
		if (!(neighbours->owners >> i & 1)) {
			*owner = i;
			return 0;
		}
	return error_set(error, EBUSY, "%d other interfaces have routing nat", NEIGHBOURS_MAX);
}

/* Remove the entries of one owner from a map. */
static int forget_in(const struct map_entry *map, uint8_t owner, struct error *error)
{
	struct map_batch batch;
	int err = map_batch_init(&batch, FORGET_BATCH, error);

	if (!err)
		map_batch_rewind(&batch, map->fd, map->key_size, map->value_size);
	while (!err && !batch.done) {
		err = map_batch_next(&batch, FORGET_BATCH, error);
		for (uint32_t i = 0; i < batch.count && !err; i++) {
			struct snat_in in;

			memcpy(&in, batch.values + i * sizeof(in), sizeof(in));
			if (in.owner == owner)
				bpf_map_delete_elem(map->fd, batch.keys + i * map->key_size);
		}
	}
	map_batch_free(&batch);
	return err;
}

/**
 * neighbours_forget() - Remove what leads answers to the peers of an interface that leaves
 * @answers: a set with the maps
 * @owner: its number
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int neighbours_forget(const struct map_set *answers, uint8_t owner, struct error *error)
{
	int err = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names) && !err; i++) {
		const struct map_entry *map = map_set_find(answers, names[i]);

		if (map && map->value_size == sizeof(struct snat_in))
			err = forget_in(map, owner, error);
	}
	return err;
}

/**
 * neighbours_free() - Close the maps
 * @neighbours: given to neighbours_find()
 */
void neighbours_free(struct neighbours *neighbours)
{
	map_set_free(&neighbours->answers);
}
