/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "dataplane/generation_fill.h"

#include <bpf/bpf.h>
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "classify/classifier.h"
#include "classify/install.h"
#include "dataplane/generation_rules.h"
#include "dataplane/set_deadlines.h"
#include "maps.h"
#include "masquerade.h"
#include "nat.h"
#include "policy/block_list.h"
#include "recorder.h"
#include "shrike.skel.h"

static int update(const struct map_set *maps, const char *name, const void *key, const void *value,
		  struct error *error)
{
	if (!bpf_map_update_elem(map_set_fd(maps, name), key, value, BPF_ANY))
		return 0;
	return error_set(error, errno, "cannot fill BPF map %s: %s", name, strerror(errno));
}

/* Fill the maps of address and port translation. */
static int fill_nat(const struct map_set *maps, const struct policy *policy, struct error *error)
{
	int err = 0;

	for (size_t i = 0; i < policy->n_nat_port && !err; i++) {
		const struct nat_port_rule *rule = &policy->nat_port[i];
		struct nat_port_key key = {
			.addr = rule->addr,
			.port = htobe16(rule->port),
			.l4_proto = rule->l4_proto,
		};
		struct nat_port value = {.to = htobe16(rule->to)};

		err = update(maps, MAP_NAT_PORT, &key, &value, error);
	}
	for (size_t i = 0; i < policy->n_one_to_one && !err; i++) {
		const struct nat_one_to_one *nat = &policy->one_to_one[i];

		err = update(maps, MAP_NAT_ORIG, &nat->original, &nat->translated, error);
		if (!err)
			err = update(maps, MAP_NAT_TRANS, &nat->translated, &nat->original, error);
	}
	return err;
}

static int fill_text(const struct map_set *maps, const char *name, const char *text, size_t len,
		     struct error *error)
{
	int err = 0;

	for (uint32_t key = 0; key * (size_t)POLICY_CHUNK < len && !err; key++) {
		size_t off = key * (size_t)POLICY_CHUNK, left = len - off;
		struct policy_chunk chunk = {};

		memcpy(chunk.text, text + off, left < POLICY_CHUNK ? left : POLICY_CHUNK);
		err = update(maps, name, &key, &chunk, error);
	}
	return err;
}

static int fill_undo(const struct map_set *maps, const struct generation_spec *spec,
		     struct error *error)
{
	uint32_t zero = 0;
	int err;

	if (!spec->undo)
		return 0;
	err = fill_text(maps, MAP_UNDO_TEXT, spec->undo_text, spec->undo->policy_len, error);
	return err ? err : update(maps, MAP_UNDO, &zero, spec->undo, error);
}

static int fill_blocked(const struct map_set *maps, const struct block_list *list,
			struct error *error)
{
	int err = 0;

	for (uint32_t key = 0; list && key < list->n && !err; key++)
		err = update(maps, MAP_BLOCKED, &key, &list->peers[key], error);
	return err;
}

/**
 * generation_fill() - Fill the maps of a generation whose programs are loaded
 * @spec: what it is built for
 * @generation: its own maps are filled
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int generation_fill(const struct generation_spec *spec, struct generation *generation,
		    struct error *error)
{
	const struct map_set *maps = &generation->maps;
	uint32_t zero = 0;
	int err;

	err = classifier_fill(generation->classifier, generation->skeleton->obj, error);
	if (!err)
		err = generation_fill_rules(spec, generation, error);
	if (!err)
		err = fill_nat(maps, spec->policy, error);
	if (!err)
		err = fill_text(maps, MAP_POLICY_TEXT, spec->policy->text, spec->policy->text_len,
				error);
	if (!err)
		err = fill_undo(maps, spec, error);
	if (!err)
		err = fill_blocked(maps, spec->policy->blocked, error);
	if (!err)
		err = set_deadlines_fill(maps, spec->policy, error);
	if (!err)
		err = update(maps, MAP_INSTANCE, &zero, &generation->instance, error);
	return err;
}
