/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "netbird/forwarding.h"

#include <string.h>

#include "netbird/proto.h"

#define COMPACT_MAX    17   /* bytes of a prefix */
#define TRANSLATED_MAX 1024 /* ports of one rule; each becomes an entry */

/* Whether an address is the overlay address of the map's own peer. */
static bool is_own(const struct prefix *addr, const json_t *map)
{
	const json_t *peer = proto_get(map, "peerConfig");
	char host[ADDR_TEXT_MAX] = {};
	uint8_t bytes[COMPACT_MAX];
	struct prefix own;
	ssize_t n = proto_bytes(proto_get(peer, "address_v6"), bytes, sizeof(bytes));

	strncpy(host, proto_text(peer, "address"), sizeof(host) - 1);
	host[strcspn(host, "/")] = '\0';
	if (!proto_prefix(host, &own) && prefix_equal(addr, &own))
		return true;
	/* without the length byte: the address itself */
	return n == COMPACT_MAX && !proto_compact_prefix(bytes, n - 1, &own) &&
	       prefix_equal(addr, &own);
}

static bool is_translated(const json_t *nat, const char *protocol, unsigned int port)
{
	const json_t *entry;
	size_t i;

	json_array_foreach (nat, i, entry)
		if (json_integer_value(json_object_get(entry, "port")) == port &&
		    !strcmp(json_string_value(json_object_get(entry, "protocol")), protocol))
			return true;
	return false;
}

/* A forwarding rule of the map: the ports it translates. */
struct forwarding {
	size_t index;
	struct port_range from;
	struct port_range to;
};

/* Add the translations of a rule for one protocol. */
static void translate(struct drafts *all, const struct forwarding *rule, const char *protocol,
		      json_t *nat)
{
	const struct port_range *from = &rule->from, *to = &rule->to;

	for (unsigned int i = 0; i <= (unsigned int)(from->last - from->first); i++) {
		unsigned int port = from->first + i;

		if (is_translated(nat, protocol, port))
			drafts_note(all,
				    "forwardingRules[%zu]: %s port %u is translated already; left "
				    "out",
				    rule->index, protocol, port);
		else if (json_array_append_new(nat, json_pack("{s:s,s:i,s:i}", "protocol", protocol,
							      "port", port, "to", to->first + i)))
			all->no_memory = true;
	}
}

/* Why a rule cannot be a port translation; NULL: it can. */
static const char *obstacle(const json_t *entry, const json_t *map, struct port_range *from,
			    struct port_range *to)
{
	uint8_t bytes[COMPACT_MAX];
	ssize_t n = proto_bytes(proto_get(entry, "translatedAddress"), bytes, sizeof(bytes));
	struct prefix addr;

	if ((n != 4 && n != 16) || proto_compact_prefix(bytes, n, &addr))
		return "its translatedAddress is no address";
	if (!is_own(&addr, map))
		return "it goes to another host, and a policy translates ports of this host only";
	if (proto_ports(proto_get(entry, "destinationPort"), from) <= 0 ||
	    proto_ports(proto_get(entry, "translatedPort"), to) <= 0)
		return "it lacks ports that exist";
	if (from->last - from->first != to->last - to->first)
		return "its two ranges of ports differ in length";
	if (from->last - from->first >= TRANSLATED_MAX)
		return "it translates more than 1024 ports";
	return from->first == to->first ? "its ports stay as they are" : NULL;
}

/**
 * netbird_forwarding() - Read the forwarding rules of a map
 * @all: gets notes of those that cannot be carried
 * @map: the map
 * @nat: gets the others, as nat.port of a policy has them
 */
void netbird_forwarding(struct drafts *all, const json_t *map, json_t *nat)
{
	static const char *const names[] = {"UNKNOWN", "ALL", "TCP", "UDP"};
	const json_t *entry;
	size_t i;

	json_array_foreach (proto_get(map, "forwardingRules"), i, entry) {
		int protocol = proto_enum(entry, "protocol", names, 4);
		struct forwarding rule = {.index = i};
		const char *why = protocol > 0 ? obstacle(entry, map, &rule.from, &rule.to)
					       : "its protocol is neither TCP nor UDP";

		if (why) {
			drafts_note(all, "forwardingRules[%zu]: %s; left out", i, why);
			continue;
		}
		if (protocol != 3)
			translate(all, &rule, "tcp", nat);
		if (protocol != 2)
			translate(all, &rule, "udp", nat);
	}
}
