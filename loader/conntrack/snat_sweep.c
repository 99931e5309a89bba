/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "conntrack/snat_sweep.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "flow_key.h"
#include "masquerade.h"

#define STEP_ENTRIES 2048 /* 3 ms, where each is looked for in three tables */

/**
 * snat_sweep_init() - Prepare, with no maps yet
 * @sweep: to fill
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int snat_sweep_init(struct snat_sweep *sweep, struct error *error)
{
	*sweep = (struct snat_sweep){.fds = {-1, -1}};
	return map_batch_init(&sweep->batch, STEP_ENTRIES, error);
}

/**
 * snat_sweep_restart() - Begin anew, as the maps are others
 * @sweep: the sweep
 */
void snat_sweep_restart(struct snat_sweep *sweep)
{
	sweep->in_map = sweep->is_6 = false;
}

/* The tuple of the flow that an entry leads to, as the peer sends it. */
static void tuple_of(const void *key, const struct snat_in *in, bool is_6, struct tuple *tuple)
{
	const struct flow_key4 *key4 = key;
	const struct flow_key6 *key6 = key;

	*tuple = (struct tuple){
		.saddr = in->peer,
		.sport = in->port,
		.dport = is_6 ? key6->port[0] : key4->port[0],
		.ip_version = is_6 ? IP_VERSION_6 : IP_VERSION_4,
		.l4_proto = is_6 ? key6->l4_proto : key4->l4_proto,
	};
	if (is_6) {
		tuple->daddr = key6->addr[0];
		return;
	}
	tuple->daddr.bytes[10] = tuple->daddr.bytes[11] = 0xff;
	tuple->daddr.word[3] = key4->addr[0];
}

/*
 * Whether an entry leads to a flow, which leaves from @port.  Tables that are not confirmed come first,
 * so one that is confirmed meanwhile is found.
 */
static bool has_flow(const struct conntrack *conntrack, const struct tuple *tuple, __be16 port)
{
	__u8 l4_proto = flow_table_protocol(tuple->l4_proto, tuple->ip_version);
	struct flow_key key;
	struct flow flow;

	flow_key_of(&key, tuple);
	for (size_t i = 0; i < conntrack->n; i++) {
		const struct conntrack_table *table = &conntrack->tables[i];

		if (table->l4_proto == l4_proto && table->ip_version == tuple->ip_version &&
		    !bpf_map_lookup_elem(table->fd, &key.v6, &flow))
			return flow.snat_port == port;
	}
	return false;
}

/* Should the very flow be opened while its entry goes, that is put back. */
static int remove_orphan(struct snat_sweep *sweep, const struct conntrack *conntrack,
			 const void *key, const struct snat_in *in)
{
	int fd = sweep->fds[sweep->is_6];
	struct tuple tuple;
	__be16 port = sweep->is_6 ? ((const struct flow_key6 *)key)->port[1]
				  : ((const struct flow_key4 *)key)->port[1];

	if (in->owner != sweep->owner)
		return 0;
	tuple_of(key, in, sweep->is_6, &tuple);
	if (has_flow(conntrack, &tuple, port) || bpf_map_delete_elem(fd, key))
		return 0;
	if (!has_flow(conntrack, &tuple, port)) {
		sweep->removed++;
		return 0;
	}
	return bpf_map_update_elem(fd, key, in, BPF_NOEXIST) && errno != EEXIST ? -errno : 0;
}

/* The map to go on with: both in turn. */
static int begin_map(struct snat_sweep *sweep)
{
	uint32_t key_size;

	if (sweep->in_map && sweep->batch.done) {
		sweep->is_6 = !sweep->is_6;
		sweep->in_map = false;
	}
	if (sweep->fds[sweep->is_6] < 0)
		return -ENOENT;
	if (sweep->in_map)
		return 0;
	key_size = sweep->is_6 ? sizeof(struct flow_key6) : sizeof(struct flow_key4);
	map_batch_rewind(&sweep->batch, sweep->fds[sweep->is_6], key_size, sizeof(struct snat_in));
	sweep->in_map = true;
	return 0;
}

/**
 * snat_sweep_step() - Look at some entries
 * @sweep: the sweep
 * @conntrack: the tables of flows
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int snat_sweep_step(struct snat_sweep *sweep, const struct conntrack *conntrack,
		    struct error *error)
{
	struct map_batch *batch = &sweep->batch;
	int err;

	if (begin_map(sweep))
		return 0;
	err = map_batch_next(batch, STEP_ENTRIES, error);
	if (err)
		sweep->in_map = false;
	for (uint32_t i = 0; i < batch->count && !err; i++) {
		size_t key_size = sweep->is_6 ? sizeof(struct flow_key6) : sizeof(struct flow_key4);
		struct snat_in in;

		memcpy(&in, batch->values + i * sizeof(in), sizeof(in));
		err = remove_orphan(sweep, conntrack, batch->keys + i * key_size, &in);
		if (err)
			error_set(error, -err, "cannot put back what leads to a flow: %s",
				  strerror(-err));
	}
	return err;
}

/**
 * snat_sweep_free() - Release what a sweep holds
 * @sweep: given to snat_sweep_init()
 */
void snat_sweep_free(struct snat_sweep *sweep)
{
	map_batch_free(&sweep->batch);
}
