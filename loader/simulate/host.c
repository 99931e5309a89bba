/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "simulate/host.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/netlink.h"

/**
 * host_networks() - The networks that an interface is connected to
 *
 * Return: an array as long as that of its addresses, which the caller frees; NULL: out of memory.
 */
struct prefix *host_networks(const struct scenario_interface *interface)
{
	struct prefix *prefixes = calloc(interface->n_addresses + 1, sizeof(*prefixes));

	for (size_t i = 0; prefixes && i < interface->n_addresses; i++) {
		prefixes[i] = interface->addresses[i];
		prefix_truncate(&prefixes[i], prefixes[i].len);
	}
	return prefixes;
}

static struct local_address single(const struct prefix *prefix, enum local_kind kind)
{
	struct local_address local = {.prefix = *prefix, .kind = kind};

	local.prefix.len = prefix_bits(prefix->ip_version);
	return local;
}

/* The broadcast address that the kernel gives a network, where it has one (RFC 3021). */
static bool broadcast_of(const struct prefix *prefix, struct local_address *local)
{
	if (prefix->ip_version != IP_VERSION_4 || prefix->len > 30)
		return false;
	*local = single(prefix, LOCAL_BROADCAST);
	local->prefix.addr.word[3] |= htonl(UINT32_MAX >> prefix->len);
	return true;
}

/**
 * host_local_addresses() - What the kernel of a scenario's host would deliver there
 * @scenario: the host
 * @list: set to an array, which the caller frees
 * @n: its length
 * @error: set on failure
 *
 * Return: 0 or -ENOMEM.
 */
int host_local_addresses(const struct scenario *scenario, struct local_address **list, size_t *n,
			 struct error *error)
{
	const struct scenario_interface *interface = &scenario->interface;
	const struct scenario_interface *uplink = &scenario->uplink.interface;
	size_t len = 0, room = 2 * (interface->n_addresses + uplink->n_addresses) +
			       scenario->n_local_addresses + 1;
	struct local_address *made = calloc(room, sizeof(*made));

	if (!made)
		return error_no_memory(error);
	for (size_t i = 0; i < interface->n_addresses; i++) {
		made[len++] = single(&interface->addresses[i], LOCAL_OVERLAY);
		len += broadcast_of(&interface->addresses[i], &made[len]);
	}
	for (size_t i = 0; i < uplink->n_addresses; i++) {
		made[len++] = single(&uplink->addresses[i], LOCAL_HOST);
		len += broadcast_of(&uplink->addresses[i], &made[len]);
	}
	for (size_t i = 0; i < scenario->n_local_addresses; i++)
		made[len++] = (struct local_address){scenario->local_addresses[i], LOCAL_HOST};
	*list = made;
	*n = len;
	return 0;
}

/**
 * host_mode() - What the mode would be on a host like the scenario's, except that anything can be tried
 * @scenario: the host
 * @question: as of mode_decide(), without facts
 * @mode: is filled
 * @error: set on failure
 *
 * Return: as mode_decide().
 */
int host_mode(const struct scenario *scenario, const struct mode_question *question,
	      struct mode *mode, struct error *error)
{
	const struct mode_facts facts = {
		.ip_forward4 = scenario->ip_forward,
		.ip_forward6 = scenario->ip_forward,
		.native_xdp = scenario->interface.ethernet,
		.tcx = true,
		.simulate = true,
		.l2_len = scenario->interface.ethernet ? ETH_HLEN : 0,
	};
	struct mode_question asked = *question;

	asked.facts = &facts;
	return mode_decide(&asked, mode, error);
}

/*
 * An interface that is nowhere has addresses that are nobody's (RFC 5737, 3849), and so has one that
 * has none of a family, as it is about to get some.
 */
static int stand_in(struct scenario_interface *interface, struct error *error)
{
	static const char *const texts[] = {"192.0.2.1", "2001:db8::1"};
	unsigned int families = 0;
	int err = 0;

	for (size_t i = 0; i < interface->n_addresses; i++)
		families |= interface->addresses[i].ip_version == IP_VERSION_4 ? FAMILY_4
									       : FAMILY_6;
	for (int i = 0; !err && i < 2; i++)
		if (!(families & (i ? FAMILY_6 : FAMILY_4)))
			err = prefix_parse(texts[i],
					   &interface->addresses[interface->n_addresses++], error);
	return err;
}

static int read_host(const char *ifname, struct link_info *link, struct interface_address **list,
		     size_t *n, struct error *error)
{
	int err = ifname ? netlink_link_by_name(ifname, link, error) : 0;

	return err || !ifname ? err : netlink_read_addresses(list, n, error);
}

/* The addresses of this host, and which of them the interface has; none where it is nowhere. */
static int take_addresses(const char *ifname, struct scenario *scenario, struct error *error)
{
	struct link_info link = {.mtu = SCENARIO_DEFAULT_MTU};
	struct scenario_interface *interface = &scenario->interface;
	struct interface_address *list = NULL;
	size_t n = 0;
	int err = read_host(ifname, &link, &list, &n, error);

	if (err)
		return err;
	interface->mtu = link.mtu;
	interface->ethernet = link.l2_len;
	interface->addresses = calloc(n + 2, sizeof(*interface->addresses)); /* stand_in() adds */
	scenario->local_addresses = calloc(n + 1, sizeof(*scenario->local_addresses));
	for (size_t i = 0; interface->addresses && scenario->local_addresses && i < n; i++) {
		bool own = list[i].ifindex == link.ifindex;
		struct prefix *to = own ? &interface->addresses[interface->n_addresses++]
					: &scenario->local_addresses[scenario->n_local_addresses++];

		*to = (struct prefix){list[i].addr, list[i].ip_version,
				      own ? list[i].connected.len
					  : prefix_bits(list[i].ip_version)};
	}
	free(list);
	return interface->addresses && scenario->local_addresses ? 0 : error_no_memory(error);
}

/* What a flow that is translated leaves by. */
static void add_uplink(struct scenario *scenario)
{
	if (scenario->policy->mode.routing != POLICY_ROUTING_NAT)
		return;
	strcpy(scenario->uplink.name, "uplink");
	scenario->uplink.interface = scenario->interface;
	scenario->uplink.interface.mtu = SCENARIO_DEFAULT_UPLINK_MTU;
}

/**
 * host_take() - Make a scenario's host of this one
 * @ifname: the interface; NULL: one that is nowhere
 * @scenario: with its policy; its addresses are for host_release(), even on failure
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int host_take(const char *ifname, struct scenario *scenario, struct error *error)
{
	struct mode_facts facts;
	int err = mode_read_facts(&facts, error);

	if (err)
		return err;
	scenario->ip_forward = facts.ip_forward4 || facts.ip_forward6;
	err = take_addresses(ifname, scenario, error);
	if (!err)
		err = stand_in(&scenario->interface, error);
	if (!err)
		add_uplink(scenario);
	return err;
}

/**
 * host_release() - Free what host_take() has filled in
 */
void host_release(struct scenario *scenario)
{
	free(scenario->interface.addresses);
	free(scenario->local_addresses);
}
