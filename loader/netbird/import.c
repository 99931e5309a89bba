/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "netbird/import.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "netbird/draft.h"
#include "netbird/forwarding.h"
#include "netbird/proto.h"

#define COMPACT_MAX 17 /* bytes of a prefix */

static bool is_any(const struct prefix *prefix)
{
	static const union addr zero;
	unsigned int bits = prefix_bits(prefix->ip_version);

	/* only the address itself: 0.0.0.0/8 is a prefix like others */
	return (prefix->len == 0 || prefix->len == bits) &&
	       (prefix->ip_version == IP_VERSION_4 ? !prefix->addr.word[3]
						   : !memcmp(&prefix->addr, &zero, sizeof(zero)));
}

/* In peer rules NetBird takes the unspecified address of either family for anybody. */
static void add_peer(struct draft *draft, const struct prefix *prefix)
{
	if (is_any(prefix))
		json_array_append_new(draft->source, json_string("any"));
	else
		draft_add_prefix(draft->source, prefix);
}

/* The source of a peer rule, from any form that versions of NetBird use. */
static void read_peers(struct draft *draft, const json_t *entry)
{
	const json_t *compact = proto_get(entry, "sourcePrefixes"), *value;
	char text[NETBIRD_TEXT_MAX];
	struct prefix prefix;
	size_t i;

	json_array_foreach (compact, i, value) {
		uint8_t bytes[COMPACT_MAX];
		ssize_t n = proto_bytes(value, bytes, sizeof(bytes));

		if (n < 0 || proto_compact_prefix(bytes, n, &prefix)) {
			draft_doubt(draft, "entry %zu of its sourcePrefixes is no prefix", i);
			json_array_append_new(draft->source, json_string("any"));
		} else {
			add_peer(draft, &prefix);
		}
	}
	if (json_array_size(compact))
		return;
	if (!proto_prefix(proto_text(entry, "PeerIP"), &prefix)) {
		add_peer(draft, &prefix);
		return;
	}
	draft_doubt(draft, "'%s' is no address of a peer",
		    netbird_printable(text, proto_text(entry, "PeerIP")));
	json_array_append_new(draft->source, json_string("any"));
}

static void read_peer_rule(struct drafts *all, size_t index, const json_t *entry)
{
	static const struct draft_list list = {"FirewallRules", "peer"};
	struct draft draft;

	draft_start(&draft, all, &list, index, entry);
	read_peers(&draft, entry);
	draft_read_protocol(&draft, entry);
	draft_read_ports(&draft, entry, true);
	draft_commit(&draft, ACL_PEER);
}

/* Read FirewallRules, except those about what this host sends. */
static void read_peer_rules(struct drafts *all, const json_t *map)
{
	static const char *const directions[] = {"IN", "OUT"};
	const json_t *list = proto_get(map, "FirewallRules"), *entry;
	size_t i, outgoing = 0;

	json_array_foreach (list, i, entry) {
		int direction = proto_enum(entry, "Direction", directions, 2);

		if (direction < 0)
			drafts_note(all,
				    "FirewallRules[%zu]: its direction is neither IN nor OUT; "
				    "it is taken for a rule about what comes in",
				    i);
		if (direction == 1)
			outgoing++;
		else
			read_peer_rule(all, i, entry);
	}
	if (outgoing)
		drafts_note(all,
			    "%zu rules about what this host sends are left out: all that it sends "
			    "passes, and replies need no rule",
			    outgoing);
	if (!json_array_size(list) && !json_is_true(proto_get(map, "firewallRulesIsEmpty")))
		drafts_note(all,
			    "the map has no peer rules and does not say that there are none: "
			    "NetBird then allows everything to this host, this policy nothing");
}

/* The source of a route rule. */
static void read_ranges(struct draft *draft, const json_t *ranges)
{
	char text[NETBIRD_TEXT_MAX];
	struct prefix prefix;
	const json_t *value;
	size_t i;

	json_array_foreach (ranges, i, value) {
		const char *range = json_is_string(value) ? json_string_value(value) : "";

		if (!proto_prefix(range, &prefix)) {
			draft_add_prefix(draft->source, &prefix);
			continue;
		}
		draft_doubt(draft, "source '%s' is no prefix", netbird_printable(text, range));
		json_array_append_new(draft->source, json_string("any"));
	}
}

/* The destination of a route rule. */
static void read_destination(struct draft *draft, const json_t *entry)
{
	const json_t *domains = proto_get(entry, "domains"), *value;
	const char *destination = proto_text(entry, "destination");
	char text[NETBIRD_TEXT_MAX], meaning[2 * NETBIRD_TEXT_MAX];
	struct prefix prefix;
	size_t i;

	draft->destination = json_array();
	if (json_is_true(proto_get(entry, "isDynamic"))) {
		json_array_foreach (domains, i, value)
			draft_add_set(draft, json_is_string(value) ? json_string_value(value) : "");
		if (json_array_size(domains))
			return;
		snprintf(meaning, sizeof(meaning), "dynamic-%s",
			 *proto_text(entry, "RouteID") ? proto_text(entry, "RouteID")
						       : draft->base);
		draft_add_set(draft, meaning);
	} else if (!proto_prefix(destination, &prefix)) {
		draft_add_prefix(draft->destination, &prefix);
	} else {
		draft_doubt(draft, "destination '%s' is no prefix",
			    netbird_printable(text, destination));
		json_array_append_new(draft->destination, json_string("any"));
	}
}

/* Which families a list can match: bit 0 IPv4, bit 1 IPv6; a set may hold both. */
static unsigned int families(const json_t *list)
{
	unsigned int found = 0;
	const json_t *value;
	size_t i;

	json_array_foreach (list, i, value) {
		const char *text = json_string_value(value);

		if (!strcmp(text, "any") || !strncmp(text, "set:", 4))
			found |= 3;
		else
			found |= strchr(text, ':') ? 2 : 1;
	}
	return found;
}

/* Read an entry of routesFirewallRules. */
static void read_route_rule(struct drafts *all, size_t index, const json_t *entry)
{
	static const struct draft_list list = {"routesFirewallRules", "route"};
	const json_t *ranges = proto_get(entry, "sourceRanges");
	struct draft draft;

	draft_start(&draft, all, &list, index, entry);
	read_ranges(&draft, ranges);
	read_destination(&draft, entry);
	draft_read_protocol(&draft, entry);
	draft_read_ports(&draft, entry, false);
	if (!json_array_size(ranges)) {
		drafts_note(all, "%s: it has no source, so it matches nothing; left out",
			    draft.where);
		draft.dropped = true;
	} else if (!(families(draft.source) & families(draft.destination))) {
		drafts_note(all,
			    "%s: source and destination are of different families, so it "
			    "matches nothing; left out",
			    draft.where);
		draft.dropped = true;
	}
	draft_commit(&draft, ACL_ROUTE);
}

static void read_route_rules(struct drafts *all, const json_t *map)
{
	const json_t *entry;
	size_t i;

	json_array_foreach (proto_get(map, "routesFirewallRules"), i, entry)
		read_route_rule(all, i, entry);
}

/* Lists that are there have to be lists of objects; nothing is guessed from anything else. */
static int check_list(const json_t *map, const char *name, struct error *error)
{
	const json_t *list = proto_get(map, name), *entry;
	size_t i;

	if (list && !json_is_array(list))
		return error_input(error, "%s is not a list", name);
	json_array_foreach (list, i, entry)
		if (!json_is_object(entry))
			return error_input(error, "%s[%zu] is not an object", name, i);
	return 0;
}

/* Find the map in a sync response, or the root that is one. */
static int find_map(const json_t *root, const json_t **map, struct error *error)
{
	static const char *const lists[] = {"FirewallRules", "routesFirewallRules",
					    "forwardingRules"};
	int err = 0;

	*map = proto_get(root, "NetworkMap");
	if (!*map && proto_get(root, "FirewallRules"))
		*map = root; /* the map by itself */
	if (!json_is_object(*map))
		return error_input(error, "%s",
				   proto_get(root, "NetworkMapEnvelope")
					   ? "it holds components (NetworkMapEnvelope), of which "
					     "only NetBird itself can make rules"
					   : "it holds no NetworkMap");
	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists) && !err; i++)
		err = check_list(*map, lists[i], error);
	return err;
}

static void describe(const json_t *map, char *text, size_t size)
{
	const json_t *serial = proto_get(map, "Serial");
	char number[NETBIRD_TEXT_MAX], address[NETBIRD_TEXT_MAX];

	if (json_is_integer(serial))
		snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(serial));
	else /* 64-bit numbers are strings there */
		netbird_printable(number, proto_text(map, "Serial"));
	netbird_printable(address, proto_text(proto_get(map, "peerConfig"), "address"));
	snprintf(text, size, "serial %s, of %s", *number ? number : "0",
		 *address ? address : "an unnamed peer");
}

/* Assemble the policy from the drafts. */
static json_t *make_policy(struct drafts *all, json_t *nat)
{
	json_t *ids = json_pack("{s:{},s:{}}", "next", "taken");
	json_t *policy = json_pack("{s:i}", "version", 1);
	json_t *peer = drafts_finish(all, ACL_PEER, ids);
	json_t *route = drafts_finish(all, ACL_ROUTE, ids);

	json_object_set(policy, "peer_acl", peer);
	json_object_set(policy, "route_acl", route);
	if (json_object_size(all->sets))
		json_object_set(policy, "sets", all->sets);
	if (json_array_size(nat))
		json_object_set_new(policy, "nat", json_pack("{s:O}", "port", nat));
	all->no_memory |= !ids || !policy || !peer || !route;
	json_decref(peer);
	json_decref(route);
	json_decref(ids);
	return policy;
}

/**
 * netbird_import() - Make a policy of a network map
 * @root: what network_map.json holds
 * @result: is filled; to be freed with netbird_import_free()
 * @error: why there is no map in it
 *
 * Return: 0, -EINVAL (invalid input) or -ENOMEM.
 */
int netbird_import(const json_t *root, struct netbird_import *result, struct error *error)
{
	struct drafts all;
	const json_t *map;
	json_t *policy, *nat;
	int err = find_map(root, &map, error);

	if (err)
		return err;
	if (drafts_init(&all)) {
		drafts_free(&all);
		return error_no_memory(error);
	}
	nat = json_array();
	read_peer_rules(&all, map);
	read_route_rules(&all, map);
	netbird_forwarding(&all, map, nat);
	policy = make_policy(&all, nat);
	json_decref(nat);
	if (all.no_memory) {
		json_decref(policy);
		err = error_no_memory(error);
	} else {
		result->policy = policy;
		result->notes = json_incref(all.notes);
		describe(map, result->origin, sizeof(result->origin));
	}
	drafts_free(&all);
	return err;
}

/**
 * netbird_import_free() - Release a policy that was made
 */
void netbird_import_free(struct netbird_import *result)
{
	json_decref(result->policy);
	json_decref(result->notes);
}
