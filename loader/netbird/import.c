/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "netbird/import.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/value.h"
#include "dns_sender.h"
#include "netbird/entries.h"
#include "netbird/peers.h"
#include "netbird/proto.h"
#include "netbird/reader.h"
#include "netbird/routes.h"
#include "netbird/write.h"

#define SERIAL_MAX	(UINT64_C(1000000000000000000) - 1) /* what number_parse() reads */
#define DNS_CLIENT_PORT 5353 /* where peers of older versions ask it */

/*
 * struct importer - a map that is being read
 * @out: what is made of it
 * @options: what is known beside it
 * @peer_config: the message about this peer, or NULL
 * @outgoing: rules about what this host sends
 * @forwarding: rules that translate ports
 * @n_rules: entries of its lists, by enum acl
 * @is_empty: the map says that a list is empty on purpose, by enum acl
 * @in_response: the map is part of a message, whose other members do not count
 * @is_map: the text holds a map
 * @is_envelope: it holds parts of which only NetBird makes one
 */
struct importer {
	struct netbird_draft_policy out;
	const struct netbird_options *options;
	struct netbird_routes routes;
	json_t *peer_config;
	uint64_t serial;
	size_t outgoing;
	size_t forwarding;
	size_t n_rules[ACL_MAX];
	bool is_empty[ACL_MAX];
	bool in_response;
	bool is_map;
	bool is_envelope;
};

/* ---- lists of the map ---- */

static int on_peer_rule(size_t index, const json_t *entry, void *arg)
{
	struct importer *importer = arg;

	importer->n_rules[ACL_PEER]++;
	if (entry_is_outgoing(&importer->out.drafts, index, entry))
		importer->outgoing++;
	else if (importer->options->block_inbound != NETBIRD_ON)
		entry_read_peer_rule(&importer->out.drafts, index, entry);
	return 0;
}

static int on_route_rule(size_t index, const json_t *entry, void *arg)
{
	struct importer *importer = arg;

	importer->n_rules[ACL_ROUTE]++;
	if (importer->options->block_inbound != NETBIRD_ON)
		entry_read_route_rule(&importer->out.drafts, index, entry);
	return 0;
}

static int on_peer(size_t index, const json_t *entry, void *arg)
{
	struct importer *importer = arg;

	(void)index;
	importer->out.drafts.no_memory |= peers_add(&importer->out.peers, entry) != 0;
	return 0;
}

static int on_route(size_t index, const json_t *entry, void *arg)
{
	struct importer *importer = arg;

	(void)index;
	importer->out.drafts.no_memory |= routes_add(&importer->routes, entry) != 0;
	return 0;
}

/* NetBird translates what does not arrive on its own interface; here is nothing else. */
static int on_forwarding(size_t index, const json_t *entry, void *arg)
{
	struct importer *importer = arg;

	(void)index;
	(void)entry;
	importer->forwarding++;
	return 0;
}

/* ---- the map, and the message that it is part of ---- */

/* What is no number must not count as one that all later maps are older than. */
static int keep_serial(struct importer *importer, const json_t *value, struct error *error)
{
	const char *text = proto_string(value); /* 64-bit numbers are strings there */
	json_int_t number = json_integer_value(value);
	struct error ignored;

	importer->serial = number;
	if (json_is_null(value) ||
	    (json_is_integer(value) && number >= 0 && importer->serial <= SERIAL_MAX) ||
	    (text && !number_parse(text, 0, SERIAL_MAX, &importer->serial, &ignored)))
		return 0;
	return error_input(error, "the map's Serial is no number");
}

/* Keep a member that is no list. */
static int keep(struct importer *importer, const char *key, json_t *value, struct error *error)
{
	if (proto_is_name(key, "peerConfig")) {
		json_decref(importer->peer_config);
		importer->peer_config = json_incref(value);
	} else if (proto_is_name(key, "Serial")) {
		return keep_serial(importer, value, error);
	} else if (proto_is_name(key, "firewallRulesIsEmpty")) {
		importer->is_empty[ACL_PEER] = json_is_true(value);
	} else if (proto_is_name(key, "routesFirewallRulesIsEmpty")) {
		importer->is_empty[ACL_ROUTE] = json_is_true(value);
	}
	return 0;
}

/* Read a member of the map. */
static int read_map_member(struct reader *reader, const char *key, void *arg)
{
	static const struct {
		const char *name;
		reader_item_fn item;
	} lists[] = {
		{"FirewallRules", on_peer_rule},
		{"routesFirewallRules", on_route_rule},
		{"remotePeers", on_peer},
		{"offlinePeers", on_peer},
		{"Routes", on_route},
		{"forwardingRules", on_forwarding},
	};
	struct importer *importer = arg;
	json_t *value;
	int err;

	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
		if (!proto_is_name(key, lists[i].name))
			continue;
		importer->is_map |= !importer->in_response && lists[i].item == on_peer_rule;
		importer->routes.listed |= lists[i].item == on_route;
		return reader_list(reader, lists[i].name, lists[i].item, arg);
	}
	err = reader_value(reader, &value);
	if (!err) {
		err = keep(importer, key, value, reader->error);
		json_decref(value);
	}
	return err;
}

static int importer_init(struct importer *importer, const struct netbird_options *options)
{
	*importer = (struct importer){.options = options};
	importer->out.nat = json_array();
	return drafts_init(&importer->out.drafts) || !importer->out.nat ? -ENOMEM : 0;
}

static void importer_free(struct importer *importer)
{
	drafts_free(&importer->out.drafts);
	peers_free(&importer->out.peers);
	routes_free(&importer->routes);
	json_decref(importer->out.nat);
	json_decref(importer->peer_config);
}

/* What was read so far was of the message and not of the map. */
static int begin_map(struct importer *importer)
{
	bool is_envelope = importer->is_envelope;
	const struct netbird_options *options = importer->options;
	int err;

	importer_free(importer);
	err = importer_init(importer, options);
	importer->is_envelope = is_envelope;
	importer->in_response = importer->is_map = true;
	return err;
}

/* Read a member of the whole text: a message that holds the map, or the map by itself. */
static int read_root_member(struct reader *reader, const char *key, void *arg)
{
	struct importer *importer = arg;
	json_t *value;
	int err;

	if (proto_is_name(key, "NetworkMap") && reader_peek(reader) == '{') {
		err = begin_map(importer) ? error_no_memory(reader->error) : 0;
		return err ? err : reader_object(reader, read_map_member, importer);
	}
	if (!importer->in_response && !proto_is_name(key, "NetworkMapEnvelope"))
		return read_map_member(reader, key, arg);
	err = reader_value(reader, &value);
	if (err)
		return err;
	importer->is_envelope |= !json_is_null(value) && proto_is_name(key, "NetworkMapEnvelope");
	json_decref(value);
	return 0;
}

/* Read the whole text. */
static int read_text(struct importer *importer, const struct netbird_map *map, struct error *error)
{
	struct reader reader = {map->path, map->text, map->len, 0, error};
	json_t *value;
	int err;

	if (reader_peek(&reader) == '{')
		err = reader_object(&reader, read_root_member, importer);
	else if (!(err = reader_value(&reader, &value)))
		json_decref(value);
	if (!err)
		err = reader_end(&reader);
	if (err)
		return err;
	if (importer->is_envelope && !importer->n_rules[ACL_PEER] && !importer->n_rules[ACL_ROUTE])
		return error_input(
			error,
			"%.256s: it holds components (NetworkMapEnvelope), of which only "
			"NetBird itself can make rules",
			map->path);
	return importer->is_map ? 0
				: error_input(error, "%.256s: it holds no NetworkMap", map->path);
}

/* ---- what follows from the map as a whole ---- */

/* Add a rule of which NetBird has no policy. */
static void add_own_rule(struct importer *importer, const char *policy,
			 const struct netbird_rule *like)
{
	struct netbird_rule rule = *like;

	rule.policy_digest = digest_number(policy, strlen(policy));
	snprintf(rule.policy, sizeof(rule.policy), "%s", policy);
	rule.any_source = true;
	if (rules_add(&importer->out.drafts.rules, &rule))
		importer->out.drafts.no_memory = true;
}

/* The address of this peer in the overlay over IPv4, as text; "" where there is none. */
static void own_address(const struct importer *importer, char text[NETBIRD_TEXT_MAX])
{
	netbird_printable(text, proto_text(importer->peer_config, "address"));
	text[strcspn(text, "/")] = '\0';
}

/* Let peers ask NetBird's DNS forwarder for domains that this peer serves, as NetBird does. */
static void open_dns_forwarder(struct importer *importer)
{
	static const uint16_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP};
	static const uint16_t ports[] = {DNS_CLIENT_PORT, NETBIRD_DNS_PORT};
	char address[NETBIRD_TEXT_MAX];
	struct prefix ignored;

	own_address(importer, address);
	for (int i = 0; i < 4; i++) {
		const struct netbird_rule rule = {
			.acl = ACL_PEER,
			.protocol = protocols[i / 2],
			.ports = {ports[i % 2], ports[i % 2]},
		};

		add_own_rule(importer, "dns-forwarder", &rule);
	}
	for (int i = 0; i < 2 && !proto_prefix(address, &ignored); i++)
		if (json_array_append_new(importer->out.nat,
					  json_pack("{s:s,s:i,s:i,s:s}", "protocol",
						    i ? "udp" : "tcp", "port", DNS_CLIENT_PORT,
						    "to", NETBIRD_DNS_PORT, "address", address)))
			importer->out.drafts.no_memory = true;
}

/* Let nothing be routed to the networks of this host. */
static void block_lan(struct importer *importer)
{
	const struct netbird_options *options = importer->options;

	for (size_t i = 0; i < options->n_lan && options->block_lan_access == NETBIRD_ON; i++) {
		const struct netbird_rule rule = {
			.acl = ACL_ROUTE,
			.deny = true,
			.kind = DESTINATION_PREFIX,
			.to = options->lan[i],
			.protocol = PROTOCOL_ALL,
		};

		add_own_rule(importer, "block-lan-access", &rule);
	}
}

/* Routes to domains: what becomes of their sets. */
static void settle_domains(struct importer *importer, bool resolves)
{
	const struct netbird_options *options = importer->options;
	struct drafts *all = &importer->out.drafts;
	size_t unresolved = all->n_dynamic[1] + (resolves ? 0 : all->n_dynamic[0]);
	const char *name;
	json_t *domains;
	void *next;

	for (size_t i = 0; i < all->rules.n && options->dynamic_any; i++) {
		struct netbird_rule *rule = &all->rules.rules[i];

		if (rule->kind == DESTINATION_SET &&
		    (!resolves || !json_array_size(json_object_get(all->sets, rule->set))))
			rule->kind = DESTINATION_ANY;
	}
	json_object_foreach_safe(all->sets, next, name,
				 domains) if (options->dynamic_any &&
					      (!resolves || !json_array_size(domains)))
		json_object_del(all->sets, name);
	if (unresolved)
		drafts_note(
			all,
			"rules for domains that this peer does not resolve: %zu; NetBird takes "
			"any address for them, %s",
			unresolved,
			options->dynamic_any
				? "and so does this policy"
				: "this policy sets that are empty; --dynamic any takes any, too");
	if (json_object_size(all->sets) && !options->fills_sets)
		drafts_note(
			all,
			"sets that are empty: %zu, as the addresses of their domains are not in "
			"the map; until they are filled (shrike policy set) rules for them "
			"match nothing",
			json_object_size(all->sets));
}

/* What the map does not say, or says of what a policy does not have. */
static void note_omissions(struct importer *importer)
{
	const struct netbird_options *options = importer->options;
	struct drafts *all = &importer->out.drafts;

	if (importer->outgoing)
		drafts_note(all,
			    "%zu rules about what this host sends are left out: all that it sends "
			    "passes, and replies need no rule",
			    importer->outgoing);
	if (importer->forwarding)
		drafts_note(
			all,
			"forwarding rules are left out: %zu; NetBird translates what arrives on "
			"other interfaces than its own",
			importer->forwarding);
	if (!importer->n_rules[ACL_PEER] && !importer->is_empty[ACL_PEER])
		drafts_note(all,
			    "the map has no peer rules and does not say that there are none: "
			    "NetBird then allows everything to this host, this policy nothing");
	if (!importer->n_rules[ACL_ROUTE] && !importer->is_empty[ACL_ROUTE])
		drafts_note(all, "the map has no route rules and does not say that there are none: "
				 "NetBird then routes everything, this policy nothing");
	if (options->block_inbound == NETBIRD_UNKNOWN ||
	    options->block_lan_access == NETBIRD_UNKNOWN)
		drafts_note(all,
			    "whether NetBird was told --block-inbound or --block-lan-access is not "
			    "in the map: this policy blocks neither");
	if (options->block_inbound == NETBIRD_ON)
		drafts_note(all, "NetBird blocks what comes in (--block-inbound), so nothing is "
				 "allowed");
}

static void describe(struct importer *importer)
{
	char address[NETBIRD_TEXT_MAX];

	netbird_printable(address, proto_text(importer->peer_config, "address"));
	snprintf(importer->out.origin, sizeof(importer->out.origin), "serial %llu, of %s",
		 (unsigned long long)importer->serial, *address ? address : "an unnamed peer");
}

/* Give this peer its name as well. */
static int add_own_names(struct importer *importer)
{
	const char *fqdn = proto_text(importer->peer_config, "fqdn");
	uint8_t bytes[COMPACT_MAX];
	ssize_t n = proto_bytes(proto_get(importer->peer_config, "address_v6"), bytes,
				sizeof(bytes));
	char address[NETBIRD_TEXT_MAX];
	struct prefix own;
	int err = 0;

	own_address(importer, address);
	if (!proto_prefix(address, &own))
		err = peers_add_address(&importer->out.peers, fqdn, &own);
	/* without the length byte: the address itself */
	if (!err && n == COMPACT_MAX && !proto_compact_prefix(bytes, n - 1, &own))
		err = peers_add_address(&importer->out.peers, fqdn, &own);
	return err;
}

/* All entries have been read: make a policy of them. */
static int finish(struct importer *importer)
{
	struct drafts *all = &importer->out.drafts;
	bool resolves =
		json_is_true(proto_get(importer->peer_config, "RoutingPeerDnsResolutionEnabled"));

	routes_finish(&importer->routes, importer->out.peers.keys, all);
	if (resolves && (importer->routes.has_domains || all->n_dynamic[0]) &&
	    importer->options->block_inbound != NETBIRD_ON)
		open_dns_forwarder(importer);
	block_lan(importer);
	settle_domains(importer, resolves);
	note_omissions(importer);
	describe(importer);
	if (add_own_names(importer) || all->no_memory)
		return -ENOMEM;
	peers_finish(&importer->out.peers);
	return rules_finish(&all->rules);
}

/**
 * netbird_import() - Make a policy of a network map
 * @map: what network_map.json holds
 * @options: what is known beside it
 * @result: is filled; to be freed with netbird_import_free()
 * @error: "FILE:LINE:COLUMN: what" for a text that is no JSON, "FILE: why" where no map is in it
 *
 * Return: 0, -EINVAL (invalid input) or -ENOMEM.
 */
int netbird_import(const struct netbird_map *map, const struct netbird_options *options,
		   struct netbird_import *result, struct error *error)
{
	struct netbird_import made = {};
	struct importer importer;
	int err = importer_init(&importer, options) ? error_no_memory(error) : 0;

	if (!err)
		err = read_text(&importer, map, error);
	if (!err && (finish(&importer) ||
		     netbird_write(&importer.out, options->json, &made.text, &made.len)))
		err = error_no_memory(error);
	if (!err) {
		made.notes = json_incref(importer.out.drafts.notes);
		made.sets = json_incref(importer.out.drafts.sets);
		made.serial = importer.serial;
		*result = made;
	}
	importer_free(&importer);
	return err;
}

/**
 * netbird_import_free() - Release a policy that was made
 */
void netbird_import_free(struct netbird_import *result)
{
	free(result->text);
	json_decref(result->notes);
	json_decref(result->sets);
}
