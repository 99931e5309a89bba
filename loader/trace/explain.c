/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "trace/explain.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/names.h"
#include "conntrack/tables.h"
#include "local.h"
#include "packet/build.h"
#include "policy/icmp_type.h"
#include "reason.h"

#define LISTED 4 /* values of a rule that are named before "..." */

/* What the ACL saw: translated, in host byte order. */
struct seen {
	union addr saddr;
	union addr daddr;
	uint16_t sport;
	uint16_t dport;
	uint8_t ip_version;
	uint8_t l4_proto;
	uint8_t group; /* enum destination_group of the destination, 0: none */
	struct icmp_type type;
	bool has_ports;
	bool is_icmp;
};

enum field {
	FIELD_PROTOCOL,
	FIELD_SOURCE,
	FIELD_DESTINATION,
	FIELD_SOURCE_PORTS,
	FIELD_DESTINATION_PORTS,
	FIELD_ICMP_TYPES,
	FIELD_MAX,
};

static const struct {
	const char *key; /* of the policy file */
	const char *words;
} fields[FIELD_MAX] = {
	[FIELD_PROTOCOL] = {"protocol", "protocol"},
	[FIELD_SOURCE] = {"source", "source"},
	[FIELD_DESTINATION] = {"destination", "destination"},
	[FIELD_SOURCE_PORTS] = {"source_ports", "source port"},
	[FIELD_DESTINATION_PORTS] = {"destination_ports", "destination port"},
	[FIELD_ICMP_TYPES] = {"icmp_types", "ICMP type"},
};

struct candidate {
	const struct policy_rule *rule;
	unsigned int failed; /* bits by enum field */
};

static uint8_t group_of(const struct trace_event *event)
{
	if (event->local_kind == LOCAL_BROADCAST)
		return GROUP_BROADCAST;
	return event->local_kind == LOCAL_MULTICAST ? GROUP_MULTICAST : 0;
}

/* The fields that the ACL has compared. */
static void see(const struct trace_event *event, struct seen *seen)
{
	uint8_t icmp = packet_icmp_proto(event->ip_version);

	*seen = (struct seen){
		.saddr = event->nat_addr,
		.daddr = event->daddr,
		.sport = ntohs(event->sport),
		.dport = ntohs(event->nat_port),
		.ip_version = event->ip_version,
		.l4_proto = event->l4_proto,
		.group = group_of(event),
		.type = {.families = FAMILY_BOTH,
			 .number = {event->icmp_type, event->icmp_type},
			 .code = event->icmp_code},
		.has_ports = l4_has_ports(event->l4_proto),
		.is_icmp = event->l4_proto == icmp,
	};
}

static bool set_contains(const struct prefix_set *set, const union addr *addr, uint8_t ip_version)
{
	for (size_t i = 0; i < set->n_prefixes; i++)
		if (prefix_contains_addr(&set->prefixes[i], addr, ip_version))
			return true;
	return false;
}

/* Whether an address is among those of a match. */
static bool address_matches(const struct policy *policy, const struct address_match *match,
			    const union addr *addr, uint8_t ip_version)
{
	bool found = match->any;

	for (size_t i = 0; i < match->n_prefixes && !found; i++)
		found = prefix_contains_addr(&match->prefixes[i], addr, ip_version);
	for (size_t s = 0; s < match->n_sets && !found; s++)
		found = set_contains(&policy->sets[match->sets[s]], addr, ip_version);
	return found;
}

static bool port_matches(const struct port_range *ranges, size_t n, uint16_t port)
{
	for (size_t i = 0; i < n; i++)
		if (port >= ranges[i].first && port <= ranges[i].last)
			return true;
	return !n;
}

/* Groups are destinations of peer_acl only. */
static bool destination_matches(const struct policy *policy, const struct policy_rule *rule,
				const struct seen *seen)
{
	if (seen->group)
		return rule->destination.groups & seen->group;
	return address_matches(policy, &rule->destination, &seen->daddr, seen->ip_version);
}

static bool type_matches(const struct policy_rule *rule, const struct seen *seen)
{
	struct port_range type, range;

	icmp_type_range(&seen->type, seen->ip_version, &type);
	for (size_t i = 0; i < rule->n_icmp_types; i++)
		if (icmp_type_range(&rule->icmp_types[i], seen->ip_version, &range) &&
		    type.first >= range.first && type.first <= range.last)
			return true;
	return !rule->n_icmp_types;
}

static bool protocol_matches(const struct policy_rule *rule, const struct seen *seen)
{
	if (rule->protocol == PROTOCOL_ALL)
		return true;
	return rule->protocol == PROTOCOL_ICMP ? seen->is_icmp : rule->protocol == seen->l4_proto;
}

/* Compare a packet with a rule; returns the fields that differ, as bits. */
static unsigned int compare(const struct policy *policy, const struct policy_rule *rule,
			    const struct seen *seen)
{
	unsigned int failed = 0;

	if (!protocol_matches(rule, seen))
		failed |= 1 << FIELD_PROTOCOL;
	if (!address_matches(policy, &rule->source, &seen->saddr, seen->ip_version))
		failed |= 1 << FIELD_SOURCE;
	if (!destination_matches(policy, rule, seen))
		failed |= 1 << FIELD_DESTINATION;
	if (seen->has_ports && !port_matches(rule->source_ports, rule->n_source_ports, seen->sport))
		failed |= 1 << FIELD_SOURCE_PORTS;
	if (seen->has_ports &&
	    !port_matches(rule->destination_ports, rule->n_destination_ports, seen->dport))
		failed |= 1 << FIELD_DESTINATION_PORTS;
	if (seen->is_icmp && !type_matches(rule, seen))
		failed |= 1 << FIELD_ICMP_TYPES;
	return failed;
}

/* Fewer failed fields are nearer; among equals the rule that comes first in the file. */
static size_t nearest(const struct policy *policy, enum acl acl, const struct seen *seen,
		      struct candidate list[EXPLAIN_RULES])
{
	size_t n = 0;

	for (size_t r = 0; r < policy->acl[acl].n_rules; r++) {
		const struct policy_rule *rule = &policy->acl[acl].rules[r];
		struct candidate candidate = {rule, compare(policy, rule, seen)};
		int distance = __builtin_popcount(candidate.failed);
		size_t at = n;

		if (!rule->allow)
			continue;
		while (at && __builtin_popcount(list[at - 1].failed) > distance)
			at--;
		if (at == EXPLAIN_RULES)
			continue;
		if (n < EXPLAIN_RULES)
			n++;
		memmove(&list[at + 1], &list[at], (n - 1 - at) * sizeof(*list));
		list[at] = candidate;
	}
	return n;
}

static void put_protocol(FILE *out, uint16_t protocol)
{
	char number[FLOW_PROTOCOL_NUMBER];

	if (protocol == PROTOCOL_ICMP)
		fputs("icmp", out);
	else if (l4_has_ports(protocol))
		fputs(flow_protocol_name(protocol, 0, number), out);
	else
		fprintf(out, "%u", protocol);
}

/* Print the addresses of a match. */
static void put_addresses(FILE *out, const struct policy *policy, const struct address_match *match)
{
	char text[PREFIX_TEXT_MAX];
	const char *comma = match->any ? ", " : "";
	size_t i, n = 0;

	if (match->any)
		fputs("any", out);
	for (i = 0; i < match->n_prefixes && n < LISTED; i++, n++, comma = ", ")
		fprintf(out, "%s%s", comma, prefix_format(&match->prefixes[i], text, sizeof(text)));
	for (i = 0; i < match->n_sets && n < LISTED; i++, n++, comma = ", ")
		fprintf(out, "%sset:%s%s", comma, policy->sets[match->sets[i]].name,
			policy->sets[match->sets[i]].n_prefixes ? "" : " (empty)");
	if (match->n_prefixes + match->n_sets > n)
		fputs(", ...", out);
	if (match->groups & GROUP_BROADCAST) {
		fprintf(out, "%sbroadcast", comma);
		comma = ", ";
	}
	if (match->groups & GROUP_MULTICAST)
		fprintf(out, "%smulticast", comma);
}

/* Of an address that is in none of a rule's sets, in which one it is: ", it is in set:guests". */
static void put_other_set(FILE *out, const struct policy *policy, const struct address_match *match,
			  const union addr *addr, uint8_t ip_version)
{
	for (size_t i = 0; i < policy->n_sets && match->n_sets; i++) {
		if (!set_contains(&policy->sets[i], addr, ip_version))
			continue;
		fprintf(out, ", it is in set:%s", policy->sets[i].name);
		return;
	}
}

/* "destination 224.0.0.251 is multicast, and a rule without destination admits unicast only" */
static void put_destination(FILE *out, const struct policy *policy, const struct policy_rule *rule,
			    const struct seen *seen)
{
	char text[ADDR_TEXT_MAX];

	fputs(addr_format(&seen->daddr, seen->ip_version, text, sizeof(text)), out);
	if (seen->group)
		fputs(seen->group == GROUP_BROADCAST ? " is broadcast, and "
						     : " is multicast, and ",
		      out);
	if (seen->group && rule->destination.any && !rule->destination.groups) {
		fputs("a rule without destination admits unicast only", out);
		return;
	}
	fputs(seen->group ? "the rule names " : " is not in ", out);
	put_addresses(out, policy, &rule->destination);
	if (!seen->group)
		put_other_set(out, policy, &rule->destination, &seen->daddr, seen->ip_version);
}

static void put_types(FILE *out, const struct policy_rule *rule)
{
	char text[ICMP_TYPE_TEXT_MAX];

	for (size_t i = 0; i < rule->n_icmp_types && i < LISTED; i++)
		fprintf(out, "%s%s", i ? ", " : "",
			icmp_type_format(&rule->icmp_types[i], text, sizeof(text)));
	if (rule->n_icmp_types > LISTED)
		fputs(", ...", out);
}

static void put_ports(FILE *out, const struct port_range *ranges, size_t n)
{
	for (size_t i = 0; i < n && i < LISTED; i++) {
		fprintf(out, "%s%u", i ? ", " : "", ranges[i].first);
		if (ranges[i].last != ranges[i].first)
			fprintf(out, "-%u", ranges[i].last);
	}
	if (n > LISTED)
		fputs(", ...", out);
}

/* "destination port 81 is not 80, 443" */
static void put_mismatch(FILE *out, const struct policy *policy, const struct policy_rule *rule,
			 const struct seen *seen, enum field field)
{
	char text[ADDR_TEXT_MAX];

	fprintf(out, "%s ", fields[field].words);
	switch (field) {
	case FIELD_PROTOCOL:
		put_protocol(out, seen->is_icmp ? PROTOCOL_ICMP : seen->l4_proto);
		fputs(" is not ", out);
		put_protocol(out, rule->protocol);
		break;
	case FIELD_SOURCE:
		fprintf(out, "%s is not in ",
			addr_format(&seen->saddr, seen->ip_version, text, sizeof(text)));
		put_addresses(out, policy, &rule->source);
		put_other_set(out, policy, &rule->source, &seen->saddr, seen->ip_version);
		break;
	case FIELD_DESTINATION:
		put_destination(out, policy, rule, seen);
		break;
	case FIELD_SOURCE_PORTS:
		fprintf(out, "%u is not ", seen->sport);
		put_ports(out, rule->source_ports, rule->n_source_ports);
		break;
	case FIELD_DESTINATION_PORTS:
		fprintf(out, "%u is not ", seen->dport);
		put_ports(out, rule->destination_ports, rule->n_destination_ports);
		break;
	case FIELD_ICMP_TYPES:
		fprintf(out, "%u/%u is not ", seen->type.number[0], seen->type.code);
		put_types(out, rule);
		break;
	case FIELD_MAX:
		break;
	}
}

/* The fields that differ, with what the rule wants and what the packet has. */
static json_t *mismatches(const struct policy *policy, const struct candidate *candidate,
			  const struct seen *seen)
{
	json_t *list = json_array();

	for (enum field field = 0; field < FIELD_MAX; field++) {
		char *text = NULL;
		size_t len;
		FILE *out;

		if (!(candidate->failed & 1 << field))
			continue;
		out = open_memstream(&text, &len);
		if (!out)
			break;
		put_mismatch(out, policy, candidate->rule, seen, field);
		if (!fclose(out))
			json_array_append_new(list, json_pack("{s:s,s:s}", "field",
							      fields[field].key, "message", text));
		free(text);
	}
	return list;
}

/* Which ACL allowed nothing; ACL_MAX: none did, the reason is another. */
static enum acl default_acl(const struct trace_event *event)
{
	if (event->reason == REASON_PEER_ACL_DEFAULT)
		return ACL_PEER;
	return event->reason == REASON_ROUTE_ACL_DEFAULT ? ACL_ROUTE : ACL_MAX;
}

/* The line of the user's file; null: it is NetBird's rule, which stands in none. */
static json_t *line_json(const struct policy *policy, enum acl acl, const struct policy_rule *rule)
{
	struct position at = rule->position;

	if (policy_rule_is_netbirds(policy, acl, rule))
		return json_null();
	policy_included(policy, &at);
	return json_integer(at.line);
}

/* A rule: where it stands, and what it is for. */
static json_t *place_json(const struct policy *policy, enum acl acl, const struct policy_rule *rule)
{
	struct position at = rule->position;

	return json_pack("{s:s,s:s*,s:o,s:s*}", "rule", rule->id, "file",
			 policy_included(policy, &at), "line", line_json(policy, acl, rule),
			 "description", rule->description);
}

/* Print where one of the nearest rules stands, and what it is for. */
static void put_place(FILE *out, const json_t *rule)
{
	const char *file = json_string_value(json_object_get(rule, "file"));
	const char *about = json_string_value(json_object_get(rule, "description"));
	const json_t *line = json_object_get(rule, "line");

	if (json_is_null(line))
		fputs(" (NetBird's", out);
	else
		fprintf(out, " (%s%s%lld", file ?: "", file ? ":" : "line ",
			(long long)json_integer_value(line));
	fprintf(out, "%s%s): ", about ? ", " : "", about ?: "");
}

/**
 * trace_explain() - The allow rules nearest to a packet that none of them allowed
 * @policy: in force
 * @event: the packet's record
 *
 * Return: a new array of {"rule","file","line","description","mismatches":[{"field","message"}]},
 * nearest first; the file only where it is an included one, the line null of NetBird's rules, the
 * description only where the rule has one; empty where the packet was not dropped for want of a rule;
 * NULL if memory is out.
 */
json_t *trace_explain(const struct policy *policy, const struct trace_event *event)
{
	struct candidate list[EXPLAIN_RULES];
	enum acl acl = default_acl(event);
	json_t *array = json_array();
	struct seen seen;
	size_t n;

	if (acl == ACL_MAX)
		return array;
	see(event, &seen);
	n = nearest(policy, acl, &seen, list);
	for (size_t i = 0; i < n; i++) {
		json_t *rule = place_json(policy, acl, list[i].rule);

		json_object_set_new(rule, "mismatches", mismatches(policy, &list[i], &seen));
		json_array_append_new(array, rule);
	}
	return array;
}

/* The rule of route_acl that would allow a packet, were it not for this host; NULL: there is none. */
static const struct policy_rule *routing_rule(const struct policy *policy,
					      const struct trace_event *event)
{
	const struct policy_acl *acl = &policy->acl[ACL_ROUTE];
	struct seen seen;

	if (default_acl(event) != ACL_PEER || group_of(event))
		return NULL;
	see(event, &seen);
	for (size_t i = 0; i < acl->n_rules; i++)
		if (acl->rules[i].allow && !compare(policy, &acl->rules[i], &seen))
			return &acl->rules[i];
	return NULL;
}

/**
 * trace_explain_not_routed() - The rule of route_acl that seems to allow what peer_acl does not
 * @policy: in force
 * @event: the packet's record
 *
 * Return: a new object of {"rule","file","line","description"}, as of trace_explain(); NULL where
 * there is none, or memory is out.
 */
json_t *trace_explain_not_routed(const struct policy *policy, const struct trace_event *event)
{
	const struct policy_rule *rule = routing_rule(policy, event);

	if (!rule)
		return NULL;
	return place_json(policy, ACL_ROUTE, rule);
}

/* The ACL of which a rule has decided; ACL_MAX: none has. */
static enum acl deciding_acl(const struct trace_event *event)
{
	switch (event->reason) {
	case REASON_PEER_ACL_ALLOWED:
	case REASON_PEER_ACL_DENIED:
		return ACL_PEER;
	case REASON_ROUTE_ACL_ALLOWED:
	case REASON_ROUTE_ACL_DENIED:
		return ACL_ROUTE;
	default:
		return ACL_MAX;
	}
}

/**
 * trace_explain_rule() - The rule that decided, by the policy's text
 * @policy: that was in force
 * @event: the packet's record, of a time whose rule numbers are not known any more
 *
 * Return: its id; NULL: no rule has decided, or none of this text.
 */
const char *trace_explain_rule(const struct policy *policy, const struct trace_event *event)
{
	enum acl acl = deciding_acl(event);
	struct seen seen;

	if (acl == ACL_MAX)
		return NULL;
	see(event, &seen);
	for (size_t i = 0; i < policy->acl[acl].n_rules; i++) {
		const struct policy_rule *rule = &policy->acl[acl].rules[i];

		if (rule->allow == (event->verdict != VERDICT_DROP) &&
		    !compare(policy, rule, &seen))
			return rule->id;
	}
	return NULL;
}

static const struct policy_rule *find_rule(const struct policy *policy, const char *id,
					   enum acl *acl)
{
	for (*acl = 0; *acl < ACL_MAX; ++*acl)
		for (size_t i = 0; i < policy->acl[*acl].n_rules; i++)
			if (!strcmp(policy->acl[*acl].rules[i].id, id))
				return &policy->acl[*acl].rules[i];
	return NULL;
}

/* Print why a rule of route_acl does not help. */
static void put_not_routed(FILE *out, const struct policy *policy, const struct trace_event *event)
{
	const struct policy_rule *rule = routing_rule(policy, event);
	char text[ADDR_TEXT_MAX], place[POLICY_PLACE_LEN] = "NetBird's";

	if (!rule)
		return;
	if (!policy_rule_is_netbirds(policy, ACL_ROUTE, rule))
		policy_place_text(policy, rule->position, place);
	fprintf(out,
		"Rule %s of route_acl (%s) would allow it, but %s is an address of this host, "
		"and\nwhat goes to it is not routed: add a peer_acl rule.\n",
		rule->id, place, addr_format(&event->daddr, event->ip_version, text, sizeof(text)));
}

/* Print the rules that come nearest. */
static void put_nearest(FILE *out, const struct policy *policy, const struct trace_event *event)
{
	json_t *list = trace_explain(policy, event), *rule, *mismatch;
	size_t i, k;

	fputs(json_array_size(list) ? "Nearest rules:\n" : "There is no rule that allows.\n", out);
	json_array_foreach (list, i, rule) {
		fprintf(out, "  %s", json_string_value(json_object_get(rule, "rule")));
		put_place(out, rule);
		json_array_foreach (json_object_get(rule, "mismatches"), k, mismatch)
			fprintf(out, "%s%s", k ? "; " : "",
				json_string_value(json_object_get(mismatch, "message")));
		fputs("\n", out);
	}
	json_decref(list);
	put_not_routed(out, policy, event);
}

/* Print which rule decided, and what it is for. */
static void put_rule(FILE *out, const char *what, const struct policy *policy, const char *id)
{
	char place[POLICY_PLACE_LEN] = "NetBird's";
	enum acl acl;
	const struct policy_rule *rule = find_rule(policy, id, &acl);

	if (!policy_rule_is_netbirds(policy, acl, rule))
		policy_place_text(policy, rule->position, place);
	fprintf(out, "%s %s (%s)%s%s\n", what, id, place, rule->description ? ": " : ".",
		rule->description ?: "");
}

/**
 * trace_explain_text() - What `trace -v` adds to a denial, and to a rule that is described
 * @policy: in force
 * @event: the packet's record
 * @rule_id: of the rule that decided, NULL: none
 *
 * Return: lines, or an empty string for what needs no explanation; to be freed; NULL if memory is
 * out.
 */
char *trace_explain_text(const struct policy *policy, const struct trace_event *event,
			 const char *rule_id)
{
	enum acl acl;
	const struct policy_rule *rule = rule_id ? find_rule(policy, rule_id, &acl) : NULL;
	bool denied = event->reason == REASON_PEER_ACL_DENIED ||
		      event->reason == REASON_ROUTE_ACL_DENIED;
	char *text = NULL;
	size_t len;
	FILE *out;

	out = open_memstream(&text, &len);
	if (!out)
		return NULL;
	if (denied && rule)
		put_rule(out, "Denied by rule", policy, rule_id);
	else if (rule && rule->description)
		put_rule(out, "Decided by rule", policy, rule_id);
	else if (default_acl(event) != ACL_MAX)
		put_nearest(out, policy, event);
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}
