/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Handing state over to a generation: numbers that are still free, and what is in tables that have
 * another size.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "conntrack/tables.h"
#include "dataplane/generation_state.h"
#include "fragment.h"
#include "kernel/map_batch.h"
#include "maps.h"

#define CARRY_BATCH 1024
#define N_OTHERS    3 /* tables beside those of connections */

/* Copy what the new table does not have; an LRU table displaces, a full one refuses the rest. */
static int carry_table(const struct map_entry *from, const struct map_entry *to,
		       struct error *error)
{
	struct map_batch batch;
	int err;

	err = map_batch_init(&batch, CARRY_BATCH, error);
	if (!err)
		map_batch_rewind(&batch, from->fd, from->key_size, from->value_size);
	while (!err && !batch.done) {
		err = map_batch_next(&batch, CARRY_BATCH, error);
		for (uint32_t i = 0; i < batch.count && !err; i++)
			if (bpf_map_update_elem(to->fd, batch.keys + i * from->key_size,
						batch.values + i * from->value_size, BPF_NOEXIST) &&
			    errno != EEXIST && errno != E2BIG && errno != ENOMEM)
				err = error_set(error, errno, "cannot fill BPF map %s: %s",
						to->name, strerror(errno));
	}
	map_batch_free(&batch);
	return err;
}

/**
 * generation_lost_state() - Connection tables that another version has left in a form of its own
 * @from: maps of the generation in force
 * @to: the generation that takes over
 * @names: set to their names, as @to has them, with blanks between
 * @size: of @names
 *
 * Return: whether there is one.
 */
bool generation_lost_state(const struct map_set *from, const struct generation *to, char *names,
			   size_t size)
{
	size_t len = 0;

	names[0] = '\0';
	for (size_t i = 0; i < CONNTRACK_TABLES; i++) {
		const char *name = conntrack_maps[i].name;
		const struct map_entry *source = map_set_find(from, name);
		const struct map_entry *target = map_set_find(&to->maps, name);

		if (target &&
		    (!source || source->key_size != target->key_size ||
		     source->value_size != target->value_size) &&
		    len < size)
			len += snprintf(names + len, size - len, "%s%s", len ? " " : "", name);
	}
	return len;
}

/**
 * generation_carry_state() - Copy connections to tables that are not shared
 * @from: maps of the generation in force, or that was until now
 * @to: the generation that takes over
 * @error: set on failure
 *
 * Tables whose limit has not changed are shared and need nothing.  What leads from uplinks to flows
 * is of use with `routing: nat` alone: a flow that was translated ends when that returns.  Called
 * before the switch and after it: the second time brings what was opened in between.
 *
 * Return: 0 or -errno.
 */
int generation_carry_state(const struct map_set *from, const struct generation *to,
			   struct error *error)
{
	static const char *const others[N_OTHERS] = {MAP_FRAGMENTS, MAP_SNAT_IN4, MAP_SNAT_IN6};
	size_t n = to->instance.config.routing == ROUTING_NAT ? N_OTHERS : 1;
	int err = 0;

	for (size_t i = 0; i < CONNTRACK_TABLES + n && !err; i++) {
		const char *name = i < CONNTRACK_TABLES ? conntrack_maps[i].name
							: others[i - CONNTRACK_TABLES];
		const struct map_entry *source = map_set_find(from, name);
		const struct map_entry *target = map_set_find(&to->maps, name);

		if (!source || !target || source->id == target->id ||
		    source->key_size != target->key_size ||
		    source->value_size != target->value_size)
			continue;
		err = carry_table(source, target, error);
	}
	return err;
}

/**
 * generation_next_numbers() - Numbers that no generation of an interface has been given
 * @spec: with what is in force, if there is anything
 * @next: set to the number of the next generation and of its first new rule
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int generation_next_numbers(const struct generation_spec *spec, struct next_numbers *next,
			    struct error *error)
{
	const struct instance *previous = spec->instance_previous;
	const struct map_entry *map = spec->previous ? map_set_find(spec->previous, MAP_NUMBERS)
						     : NULL;
	struct next_numbers reserved = {};
	uint32_t zero = 0;

	if (map && map->value_size == sizeof(reserved) &&
	    bpf_map_lookup_elem(map->fd, &zero, &reserved))
		return error_set(error, errno, "cannot read BPF map %s: %s", map->name,
				 strerror(errno));
	next->generation = previous ? previous->config.generation + 1 : 1;
	next->rule = previous ? previous->next_rule_number : 1;
	if (reserved.generation > next->generation)
		next->generation = reserved.generation;
	if (reserved.rule > next->rule)
		next->rule = reserved.rule;
	return 0;
}

/**
 * generation_reserve_numbers() - See to it that no other generation gets the numbers of this one
 * @generation: about to be attached
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int generation_reserve_numbers(const struct generation *generation, struct error *error)
{
	const struct next_numbers next = {
		.generation = generation->instance.config.generation + 1,
		.rule = generation->instance.next_rule_number,
	};
	uint32_t zero = 0;

	if (bpf_map_update_elem(map_set_fd(&generation->maps, MAP_NUMBERS), &zero, &next, BPF_ANY))
		return error_set(error, errno, "cannot fill BPF map numbers_v1: %s",
				 strerror(errno));
	return 0;
}
