/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "netbird/entries.h"

#include <string.h>

#include "netbird/proto.h"

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
	draft_add_source(draft, is_any(prefix) ? NULL : prefix);
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
			draft_add_source(draft, NULL);
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
	draft_add_source(draft, NULL);
}

/**
 * entry_is_outgoing() - Whether an entry of FirewallRules is about what this host sends
 * @all: gets a note where that is not clear
 * @index: of the entry
 * @entry: the message
 */
bool entry_is_outgoing(struct drafts *all, size_t index, const json_t *entry)
{
	static const char *const directions[] = {"IN", "OUT"};
	int direction = proto_enum(entry, "Direction", directions, 2);

	if (direction < 0)
		drafts_note(all,
			    "FirewallRules[%zu]: its direction is neither IN nor OUT; it is taken "
			    "for a rule about what comes in",
			    index);
	return direction == 1;
}

/**
 * entry_read_peer_rule() - Read an entry of FirewallRules
 * @all: gets the rule, or notes
 * @index: of the entry
 * @entry: the message
 */
void entry_read_peer_rule(struct drafts *all, size_t index, const json_t *entry)
{
	static const struct draft_list list = {"FirewallRules", "peer", ACL_PEER};
	struct draft draft;

	draft_start(&draft, all, &list, index, entry);
	read_peers(&draft, entry);
	draft_read_protocol(&draft, entry);
	draft_read_ports(&draft, entry);
	draft_commit(&draft);
}

/* The source of a route rule. */
static void read_ranges(struct draft *draft, const json_t *ranges)
{
	char text[NETBIRD_TEXT_MAX];
	struct prefix prefix;
	const json_t *value;
	size_t i;

	json_array_foreach (ranges, i, value) {
		const char *text_of = proto_string(value), *range = text_of ? text_of : "";

		if (!proto_prefix(range, &prefix)) {
			draft_add_source(draft, &prefix);
			continue;
		}
		draft_doubt(draft, "source '%s' is no prefix", netbird_printable(text, range));
		draft_add_source(draft, NULL);
	}
	if (!json_array_size(ranges))
		draft_drop(draft, "it has no source, so it matches nothing");
}

static bool has_source_of(const struct netbird_rule *rule, uint8_t ip_version)
{
	for (size_t i = 0; i < rule->n_source; i++)
		if (rule->source[i].ip_version == ip_version)
			return true;
	return rule->any_source;
}

/* The destination of a route rule. */
static void read_destination(struct draft *draft, const json_t *entry)
{
	const char *destination = proto_text(entry, "destination");
	char text[NETBIRD_TEXT_MAX];

	if (json_is_true(proto_get(entry, "isDynamic"))) {
		draft_set_domains(draft, entry);
	} else if (proto_prefix(destination, &draft->rule.to)) {
		draft_doubt(draft, "destination '%s' is no prefix",
			    netbird_printable(text, destination));
		draft->rule.kind = DESTINATION_ANY;
	} else {
		draft->rule.kind = DESTINATION_PREFIX;
		if (!has_source_of(&draft->rule, draft->rule.to.ip_version))
			draft_drop(draft, "source and destination are of different families, so "
					  "it matches nothing");
	}
}

/**
 * entry_read_route_rule() - Read an entry of routesFirewallRules
 * @all: gets the rule, or notes
 * @index: of the entry
 * @entry: the message
 */
void entry_read_route_rule(struct drafts *all, size_t index, const json_t *entry)
{
	static const struct draft_list list = {"routesFirewallRules", "route", ACL_ROUTE};
	struct draft draft;

	draft_start(&draft, all, &list, index, entry);
	read_ranges(&draft, proto_get(entry, "sourceRanges"));
	draft_read_protocol(&draft, entry);
	draft_read_ports(&draft, entry);
	read_destination(&draft, entry);
	draft_commit(&draft);
}
