/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "dataplane/generation.h"

#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>

#include "classify/classifier.h"
#include "dataplane/local_addresses.h"
#include "maps.h"
#include "masquerade.h"
#include "recorder.h"
#include "shrike.skel.h"

static bool verbose;

static int print_verbose(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	return verbose ? vfprintf(stderr, format, args) : 0;
}

/**
 * generation_verbose() - Print libbpf messages on stderr, or keep libbpf silent
 */
void generation_verbose(bool on)
{
	verbose = on;
	libbpf_set_print(print_verbose);
}

/**
 * generation_sync_addresses() - Bring a generation's tables of this host's addresses up to date
 * @maps: of the generation
 * @ifindex: of the protected interface
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int generation_sync_addresses(const struct map_set *maps, int ifindex, struct error *error)
{
	struct local_maps local = {
		.filter_fd = map_set_fd(maps, MAP_LOCAL_FILTER),
		.addr_fd = map_set_fd(maps, MAP_LOCAL_ADDR),
		.prefix_fd = map_set_fd(maps, MAP_LOCAL_PREFIX),
		.epoch_fd = map_set_fd(maps, MAP_CT_EPOCH),
	};
	size_t changes;

	return addresses_sync(&local, ifindex, &changes, error);
}

/**
 * generation_set_time() - Set the time of a generation that has a virtual clock
 * @generation: built with a virtual clock
 * @now_ns: what its programs take for the time, from their next packet on
 */
void generation_set_time(const struct generation *generation, uint64_t now_ns)
{
	generation->skeleton->bss->virtual_now_ns = now_ns;
}

/**
 * generation_free() - Close a generation; what is attached or pinned lives on
 */
void generation_free(struct generation *generation)
{
	if (!generation)
		return;
	map_set_free(&generation->maps);
	shrike_bpf__destroy(generation->skeleton);
	classifier_free(generation->classifier);
	free(generation);
}
