/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Handing state over to a generation whose tables have another size.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "conntrack.h"
#include "fragment.h"
#include "generation.h"
#include "map_batch.h"

#define CARRY_BATCH 1024

/* Copy what the new table does not have; an LRU table displaces, a full one refuses the rest. */
static int carry_table(const struct map_entry *from, const struct map_entry *to,
		       struct error *error)
{
	struct map_batch batch;
	int err;

	err = map_batch_init(&batch, from->fd, from->key_size, from->value_size, CARRY_BATCH,
			     error);
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
 * @names: becomes their names, as @to has them, with blanks between
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
		const struct map_entry *old = map_set_find(from, name);
		const struct map_entry *new = map_set_find(&to->maps, name);

		if (new &&
		    (!old || old->key_size != new->key_size ||
		     old->value_size != new->value_size) &&
		    len < size)
			len += snprintf(names + len, size - len, "%s%s", len ? " " : "", name);
	}
	return len;
}

/**
 * generation_carry_state() - Copy connections to tables that are not shared
 * @from: maps of the generation in force, or that was until now
 * @to: the generation that takes over
 * @error: why not
 *
 * Tables whose limit has not changed are shared and need nothing.  Called before the switch and
 * after it: the second time brings what was opened in between.
 *
 * Return: 0 or -errno.
 */
int generation_carry_state(const struct map_set *from, const struct generation *to,
			   struct error *error)
{
	int err = 0;

	for (size_t i = 0; i < CONNTRACK_TABLES + 1 && !err; i++) {
		const char *name = i < CONNTRACK_TABLES ? conntrack_maps[i].name : "fragments_v2";
		const struct map_entry *old = map_set_find(from, name);
		const struct map_entry *new = map_set_find(&to->maps, name);

		if (!old || !new || old->id == new->id || old->key_size != new->key_size ||
		    old->value_size != new->value_size)
			continue;
		err = carry_table(old, new, error);
	}
	return err;
}
