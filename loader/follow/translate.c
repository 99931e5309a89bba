/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "follow/translate.h"

#include "follow/messages.h"

static enum netbird_setting setting(bool is_on)
{
	return is_on ? NETBIRD_ON : NETBIRD_OFF;
}

/**
 * translate_map() - Make NetBird's part of a policy
 * @map: what network_map.json holds
 * @config: of the daemon
 * @networks: of this host, for block-lan-access
 * @to: is filled, for netbird_import_free()
 * @error: why there is no map in it
 *
 * Return: 0, -EINVAL or -ENOMEM.
 */
int translate_map(const struct netbird_map *map, const struct daemon_config *config,
		  const struct networks *networks, struct netbird_import *to, struct error *error)
{
	const struct netbird_options options = {
		.block_inbound = setting(config->block_inbound),
		.block_lan_access = setting(config->block_lan_access),
		.lan = networks->list,
		.n_lan = networks->n,
		.fills_sets = true,
		.json = true,
	};

	/* nobody else is kept waiting for maps: they may revoke something */
	if (config->block_lan_access && networks->has_more)
		return error_input(error,
				   "this host has more than %d networks, too many for NetBird's "
				   "--block-lan-access",
				   NETWORKS_MAX);
	return netbird_import(map, &options, to, error);
}
