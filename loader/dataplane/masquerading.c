/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "dataplane/masquerading.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <net/if.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "classify.h"
#include "dataplane/neighbours.h"
#include "instance.h"
#include "kernel/bypassed.h"
#include "kernel/lock.h"
#include "maps.h"
#include "masquerade.h"
#include "recorder.h"
#include "shrike.skel.h"
#include "uplink/route_device.h"
#include "uplink/uplinks.h"

#define VARIABLES "shrike_b.bss" /* the map, as libbpf calls it */

/* A variable of the programs, from where it is in their memory; false where that is too small. */
static bool read_variable(const struct map_set *maps, size_t offset, void *variable, size_t size)
{
	const struct map_entry *map = map_set_find(maps, VARIABLES);
	uint32_t zero = 0;
	char *variables;
	bool is_read;

	if (!map || map->value_size < offset + size)
		return false;
	variables = malloc(map->value_size);
	is_read = variables && !bpf_map_lookup_elem(map->fd, &zero, variables);
	if (is_read)
		memcpy(variable, variables + offset, size);
	free(variables);
	return is_read;
}

/**
 * masquerading_read() - What the programs of a generation know of the host
 * @maps: of the generation
 * @masquerade: is filled
 *
 * Return: whether it is there, and of this version.
 */
bool masquerading_read(const struct map_set *maps, struct masquerade *masquerade)
{
	return read_variable(maps, offsetof(struct shrike_bpf__bss, masquerade), masquerade,
			     sizeof(*masquerade));
}

/**
 * masquerading_check() - Whether packets may be sent on past what the kernel does to them
 * @request: on whose behalf; is warned of chains of netfilter that see none of them
 * @error: set on failure
 *
 * Return: 0 or -errno; -EOPNOTSUPP: an IPsec policy would not encrypt them.
 */
int masquerading_check(const struct dataplane_request *request, struct error *error)
{
	char names[512], text[768];
	int err = bypassed_list(BYPASSED_POLICIES, names, sizeof(names), error);

	if (err)
		return err;
	if (names[0])
		return error_set(error, EOPNOTSUPP,
				 "routing: nat would send in clear text what IPsec policies (to "
				 "%s) encrypt: use routing: userspace or native",
				 names);
	err = bypassed_list(BYPASSED_CHAINS, names, sizeof(names), error);
	if (err || !names[0])
		return err;
	snprintf(text, sizeof(text),
		 "routing: nat sends packets on past netfilter; these chains do not see them: %s",
		 names);
	request->warn(text, request->warn_arg);
	return 0;
}

/**
 * masquerading_set() - Tell the programs of a generation what they are to know of the host
 * @generation: built
 * @masquerade: that
 */
void masquerading_set(struct generation *generation, const struct masquerade *masquerade)
{
	generation->skeleton->bss->masquerade = *masquerade;
}

/**
 * masquerading_carry() - Let a generation begin with what the one before knows
 * @from: maps of the generation in force
 * @to: built
 */
void masquerading_carry(const struct map_set *from, struct generation *to)
{
	struct masquerade masquerade;

	if (masquerading_read(from, &masquerade))
		masquerading_set(to, &masquerade);
	read_variable(from, offsetof(struct shrike_bpf__bss, snat_taken),
		      to->skeleton->bss->snat_taken, sizeof(to->skeleton->bss->snat_taken));
}

static uint32_t map_id(const struct map_set *maps, const char *name)
{
	const struct map_entry *map = map_set_find(maps, name);

	return map ? map->id : 0;
}

/**
 * masquerading_hook_maps() - By what the programs on uplinks are known
 * @maps: of a generation
 */
struct hook_maps masquerading_hook_maps(const struct map_set *maps)
{
	return (struct hook_maps){
		.own_id = map_id(maps, MAP_CT_EPOCH),
		.shared_id = map_id(maps, MAP_SNAT_IN4),
	};
}

/**
 * masquerading_sync() - Have the programs of a generation on the uplinks that there are now
 * @dataplane: its generation is built, with routing nat
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int masquerading_sync(struct dataplane *dataplane, struct error *error)
{
	const struct uplinks uplinks = {
		.ifname = dataplane->link.name,
		.ifindex = dataplane->link.ifindex,
		.mtu = dataplane->link.mtu,
		.wanted = &dataplane->policy->uplinks,
		.masquerade = &dataplane->generation->skeleton->bss->masquerade,
		.maps = masquerading_hook_maps(&dataplane->generation->maps),
		.prog_fds = dataplane->generation->uplink_fds,
		.reserved = dataplane->reserved,
		.link_fds = dataplane->uplink_fds,
	};

	return uplinks_sync(&uplinks, error);
}

/**
 * masquerading_follow() - Follow a change of the host's devices, addresses or routes
 * @dataplane: its generation is in force, with routing nat
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int masquerading_follow(struct dataplane *dataplane, struct error *error)
{
	struct pins pins;
	int lock, err = lock_wait(LOCK_UPLINK, LOCK_ALL, &lock, error);

	if (err)
		return err;
	err = masquerading_sync(dataplane, error);
	close(lock);
	if (err || !dataplane->dir[0])
		return err;
	pins_begin(&pins, dataplane->dir); /* the others stay */
	return masquerading_pin(&dataplane->generation->maps, &pins, error);
}

/*
 * What is done on each uplink that has a program of ours: put one of @to in the place of one of @from,
 * or of any other where that is NULL; @replaced gets the first of each kind that has gone, to be
 * closed, and may be NULL.
 */
struct replacement {
	const struct uplink_programs *from;
	const struct uplink_programs *to;
	struct uplink_programs *replaced;
};

/* On one uplink; @kind: 1 where it has no link header. */
static int replace_on(const struct replacement *r, uint32_t ifindex, int kind,
		      const struct hook_state *state, struct error *error)
{
	int to = r->to->fds[kind];

	if (!state->prog_id || to < 0 || state->prog_id == hook_program_id(to) ||
	    (r->from && state->prog_id != hook_program_id(r->from->fds[kind])))
		return 0;
	if (r->replaced && r->replaced->fds[kind] < 0) {
		r->replaced->fds[kind] = bpf_prog_get_fd_by_id(state->prog_id);
		if (r->replaced->fds[kind] < 0)
			return error_set(error, errno, "cannot open program %u: %s", state->prog_id,
					 strerror(errno));
	}
	return hook_replace((int)ifindex, HOOK_POINT_UPLINK, state, to, error);
}

static int replace_all(const struct map_set *maps, const struct replacement *r, struct error *error)
{
	const struct hook_maps ids = masquerading_hook_maps(maps);
	struct masquerade masquerade;
	int lock, err;

	if ((r->to->fds[0] < 0 && r->to->fds[1] < 0) || !masquerading_read(maps, &masquerade))
		return 0; /* another routing */
	err = lock_wait(LOCK_UPLINK, LOCK_ALL, &lock, error);
	if (err)
		return err;
	for (size_t i = 0; i < UPLINKS_MAX && !err; i++) {
		const struct uplink *uplink = &masquerade.uplinks[i];
		struct hook_state state;

		if (!uplink->ifindex)
			continue;
		err = hook_query_uplink((int)uplink->ifindex, &ids, &state, error);
		if (err == -ENODEV)
			err = 0; /* `run` is about to notice */
		else if (!err)
			err = replace_on(r, uplink->ifindex, !uplink->l2_len, &state, error);
	}
	close(lock);
	return err;
}

/**
 * masquerading_replace() - Have other programs on all uplinks of a generation
 * @maps: of the generation, which the programs share
 * @to: the programs; none: nothing is done
 * @replaced: gets what was there, as far as it has none yet, for the caller to close; or NULL
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int masquerading_replace(const struct map_set *maps, const struct uplink_programs *to,
			 struct uplink_programs *replaced, struct error *error)
{
	const struct replacement r = {.to = to, .replaced = replaced};

	return replace_all(maps, &r, error);
}

/**
 * masquerading_restore() - Undo masquerading_replace() wherever its programs still are
 * @maps: as there
 * @from: the programs that were put there
 * @to: those that were there before
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int masquerading_restore(const struct map_set *maps, const struct uplink_programs *from,
			 const struct uplink_programs *to, struct error *error)
{
	const struct replacement r = {.from = from, .to = to};

	return replace_all(maps, &r, error);
}

/* Whether a generation routes by NAT, and what it says of itself. */
static bool routes_by_nat(const struct map_set *maps, struct instance *instance)
{
	const struct map_entry *map = map_set_find(maps, MAP_INSTANCE);
	uint32_t zero = 0;

	return map && map->value_size == sizeof(*instance) &&
	       !bpf_map_lookup_elem(map->fd, &zero, instance) &&
	       instance->config.routing == ROUTING_NAT;
}

/* What leads answers to an interface's peers outlives it where others have the maps. */
static int forget_answers(const struct map_set *maps, const char *ifname, uint8_t owner,
			  struct error *error)
{
	struct neighbours neighbours;
	int err = neighbours_find((int)if_nametoindex(ifname), &neighbours, error);

	if (!err && neighbours.owners)
		err = neighbours_forget(maps, owner, error);
	neighbours_free(&neighbours);
	return err;
}

/**
 * masquerading_leave() - Leave the uplinks as they were, also after the interface has gone
 * @maps: of a generation
 * @ifname: its interface
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int masquerading_leave(const struct map_set *maps, const char *ifname, struct error *error)
{
	const struct hook_maps ids = masquerading_hook_maps(maps);
	struct instance instance;
	int err = 0;

	if (routes_by_nat(maps, &instance)) {
		err = uplinks_detach(&ids, error);
		if (!err)
			err = forget_answers(maps, ifname, instance.config.nat_owner, error);
	}
	return err ? err : route_device_remove(ifname, error);
}

/**
 * masquerading_pin() - Pin the links on the uplinks
 * @maps: of a generation, with routing nat
 * @pins: begun
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int masquerading_pin(const struct map_set *maps, struct pins *pins, struct error *error)
{
	const struct hook_maps ids = masquerading_hook_maps(maps);
	struct masquerade masquerade;

	return masquerading_read(maps, &masquerade) ? uplinks_pin(&masquerade, &ids, pins, error)
						    : 0;
}
