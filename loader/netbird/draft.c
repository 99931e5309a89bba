/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "netbird/draft.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/value.h"
#include "netbird/proto.h"

#define ID_BASE_MAX (RULE_ID_MAX - 1 - 8) /* leaves room for "-" and a number */

enum { PROTO_UNKNOWN, PROTO_ALL, PROTO_TCP, PROTO_UDP, PROTO_ICMP, PROTO_CUSTOM, PROTO_MAX };

/**
 * netbird_printable() - Text of a map, safe in ids, comments and messages
 * @text: receives it, cut off where it is too long
 * @raw: other bytes than printable ASCII become '_'
 *
 * Return: @text.
 */
const char *netbird_printable(char text[NETBIRD_TEXT_MAX], const char *raw)
{
	size_t len = strnlen(raw, NETBIRD_TEXT_MAX - 1);

	for (size_t i = 0; i < len; i++)
		text[i] = raw[i] > ' ' && raw[i] <= '~' ? raw[i] : '_';
	text[len] = '\0';
	return text;
}

/**
 * drafts_init() - Begin without any rule
 *
 * Return: 0 or -ENOMEM; to be freed with drafts_free() in either case.
 */
int drafts_init(struct drafts *all)
{
	*all = (struct drafts){
		.notes = json_array(),
		.rules = {json_object(), json_object()},
		.sets = json_object(),
		.set_of = json_object(),
	};
	return all->notes && all->rules[0] && all->rules[1] && all->sets && all->set_of ? 0
											: -ENOMEM;
}

/**
 * drafts_free() - Release what is left
 */
void drafts_free(struct drafts *all)
{
	json_decref(all->notes);
	for (int acl = 0; acl < ACL_MAX; acl++)
		json_decref(all->rules[acl]);
	json_decref(all->sets);
	json_decref(all->set_of);
}

static void append(struct drafts *all, json_t *list, json_t *value)
{
	if (json_array_append_new(list, value))
		all->no_memory = true;
}

/**
 * drafts_note() - Keep a sentence about what is not carried exactly
 */
void drafts_note(struct drafts *all, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	append(all, all->notes, json_vsprintf(format, args));
	va_end(args);
}

/**
 * draft_doubt() - A part of the rule has no counterpart in a policy
 * @draft: is dropped if it allows; if it denies the caller leaves the part out
 * @format: why
 */
void draft_doubt(struct draft *draft, const char *format, ...)
{
	char why[256];
	va_list args;

	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	drafts_note(draft->all, "%s: %s; %s", draft->where, why,
		    draft->deny ? "as it denies, it is carried without that and denies more"
				: "the rule is left out");
	draft->dropped |= !draft->deny;
}

/* The id of NetBird's policy: bytes in base64, in practice a word. */
static void read_base(struct draft *draft, const json_t *entry, const char *fallback)
{
	uint8_t bytes[NETBIRD_TEXT_MAX] = {};
	const char *raw = proto_text(entry, "PolicyID"), *word = (const char *)bytes;
	char clean[NETBIRD_TEXT_MAX];
	ssize_t n = proto_bytes(proto_get(entry, "PolicyID"), bytes, sizeof(bytes) - 1);

	if (!*raw)
		raw = fallback;
	else if (n > 0 && strlen(word) == (size_t)n &&
		 !strcmp(netbird_printable(clean, word), word))
		raw = word;
	netbird_printable(clean, raw);
	snprintf(draft->base, sizeof(draft->base), "%.*s", ID_BASE_MAX, clean);
}

/**
 * draft_start() - Begin a rule: what it does, and what its id begins with
 * @draft: is filled
 * @all: where it will belong
 * @list, @index: where it is in the map
 * @entry: the message
 */
void draft_start(struct draft *draft, struct drafts *all, const struct draft_list *list,
		 size_t index, const json_t *entry)
{
	static const char *const actions[] = {"ACCEPT", "DROP"};
	int action = proto_enum(entry, "action", actions, 2);

	*draft = (struct draft){.all = all, .deny = action == 1, .source = json_array()};
	snprintf(draft->where, sizeof(draft->where), "%s[%zu]", list->name, index);
	read_base(draft, entry, list->fallback);
	if (action < 0)
		draft_doubt(draft, "its action is neither ACCEPT nor DROP");
}

/**
 * draft_read_protocol() - The rule's protocol
 */
void draft_read_protocol(struct draft *draft, const json_t *entry)
{
	static const char *const names[] = {"UNKNOWN", "ALL", "TCP", "UDP", "ICMP", "CUSTOM"};
	static const char *const words[] = {NULL, "all", "tcp", "udp", "icmp", NULL};
	int protocol = proto_enum(entry, "protocol", names, PROTO_MAX);
	json_int_t custom = json_integer_value(proto_get(entry, "customProtocol"));

	if (protocol == PROTO_CUSTOM && custom > 0 && custom <= UINT8_MAX) {
		draft->protocol = json_integer(custom);
	} else if (protocol > 0 && words[protocol]) {
		draft->protocol = json_string(words[protocol]);
	} else {
		draft_doubt(draft, "its protocol is unknown");
		draft->protocol = json_string("all");
	}
}

static bool has_ports(const json_t *protocol)
{
	uint16_t number = json_integer_value(protocol);
	struct error ignored;

	if (json_is_string(protocol) &&
	    protocol_parse(json_string_value(protocol), &number, &ignored))
		return false;
	return l4_has_ports(number);
}

static int read_ports(const json_t *entry, struct port_range *ports)
{
	const char *old = proto_text(entry, "Port"); /* of older versions, in peer rules alone */
	int n = proto_ports(proto_get(entry, "PortInfo"), ports);
	struct error ignored;

	if (n || !*old || !strcmp(old, "0"))
		return n;
	return port_range_parse(old, ports, &ignored) ? -EINVAL : 1;
}

/**
 * draft_read_ports() - The rule's destination ports; after the protocol
 * @draft: the rule
 * @entry: the message
 * @is_peer_rule: NetBird asks such a rule for no ports if it is for all protocols
 *
 * Ports of an ICMP rule never count in NetBird, so they are left out.
 */
void draft_read_ports(struct draft *draft, const json_t *entry, bool is_peer_rule)
{
	const char *protocol = json_string_value(draft->protocol);
	struct port_range ports;
	int n = read_ports(entry, &ports);

	if (n < 0) {
		draft_doubt(draft, "its ports do not exist");
		return;
	}
	if (!n || (protocol && !strcmp(protocol, "icmp")))
		return;
	if (protocol && !strcmp(protocol, "all")) {
		if (draft->deny) {
			if (!is_peer_rule)
				draft_doubt(draft, "it has ports for all protocols");
			return;
		}
		drafts_note(draft->all, "%s: it has ports for all protocols; %s", draft->where,
			    is_peer_rule ? "NetBird overlooks them, here they hold"
					 : "only TCP and UDP to these ports are allowed");
	} else if (!has_ports(draft->protocol)) {
		draft_doubt(draft, "it has ports for a protocol without ports");
		return;
	}
	draft->ports = json_array();
	append(draft->all, draft->ports,
	       ports.first == ports.last ? json_integer(ports.first)
					 : json_sprintf("%u-%u", ports.first, ports.last));
}

/**
 * draft_add_prefix() - Add a prefix to a list of addresses
 */
void draft_add_prefix(json_t *list, const struct prefix *prefix)
{
	char text[PREFIX_TEXT_MAX];

	json_array_append_new(list, json_string(prefix_format(prefix, text, sizeof(text))));
}

/**
 * draft_add_set() - Let the rule's destination be a named set that is empty for now
 * @draft: the rule
 * @meaning: what the set stands for: a domain; the same one always gives the same set
 */
void draft_add_set(struct draft *draft, const char *meaning)
{
	struct drafts *all = draft->all;
	const char *known = json_string_value(json_object_get(all->set_of, meaning));
	char clean[NETBIRD_TEXT_MAX], name[NETBIRD_TEXT_MAX];

	if (!known) {
		netbird_printable(clean, *meaning ? meaning : "unnamed");
		snprintf(name, sizeof(name), "%s", clean);
		for (unsigned int n = 2; json_object_get(all->sets, name); n++)
			snprintf(name, sizeof(name), "%.*s-%u", ID_BASE_MAX, clean, n);
		if (json_object_set_new(all->sets, name, json_array()) ||
		    json_object_set_new(all->set_of, meaning, json_string(name)))
			all->no_memory = true;
		known = name;
		drafts_note(all,
			    "set %s is empty, as the addresses of the domain are not in the map; "
			    "until it is filled (shrike policy set) rules for it match nothing",
			    name);
	}
	append(all, draft->destination, json_sprintf("set:%s", known));
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted and without doubles; NULL without memory. */
static json_t *sorted(const json_t *list)
{
	size_t n = json_array_size(list);
	const char **texts = calloc(n + 1, sizeof(*texts));
	json_t *result = json_array();

	for (size_t i = 0; texts && i < n; i++)
		texts[i] = json_string_value(json_array_get(list, i));
	if (texts)
		qsort(texts, n, sizeof(*texts), compare_texts);
	for (size_t i = 0; texts && i < n; i++)
		if (i == 0 || strcmp(texts[i], texts[i - 1]))
			json_array_append_new(result, json_string(texts[i]));
	if (!texts || !result) {
		json_decref(result);
		result = NULL;
	}
	free(texts);
	return result;
}

/* Rules that differ in nothing but this key have the same one. */
static char *key_of(const struct draft *draft, const json_t *source)
{
	json_t *parts = json_pack("[s,b,o*,O,O*,O*]", draft->base, !draft->deny,
				  sorted(draft->destination), draft->protocol, draft->ports,
				  source);
	char *key = json_dumps(parts, JSON_COMPACT);

	json_decref(parts);
	return key;
}

/**
 * draft_commit() - Done with the rule: keep it, unless it was dropped
 * @draft: is emptied
 * @acl: where it belongs; rules of peer_acl that differ only in their source become one
 */
void draft_commit(struct draft *draft, enum acl acl)
{
	json_t *source = acl == ACL_ROUTE ? sorted(draft->source) : NULL, *same;
	char *key = draft->dropped ? NULL : key_of(draft, source);

	same = key ? json_object_get(draft->all->rules[acl], key) : NULL;
	if (same)
		json_array_extend(json_object_get(same, "source"), draft->source);
	else if (key &&
		 json_object_set_new(draft->all->rules[acl], key,
				     json_pack("{s:s,s:s,s:O,s:O*,s:O,s:O*}", "id", draft->base,
					       "action", draft->deny ? "deny" : "allow", "source",
					       draft->source, "destination", draft->destination,
					       "protocol", draft->protocol, "destination_ports",
					       draft->ports)))
		draft->all->no_memory = true;
	draft->all->no_memory |= !draft->dropped && !key;
	free(key);
	json_decref(source);
	json_decref(draft->source);
	json_decref(draft->destination);
	json_decref(draft->protocol);
	json_decref(draft->ports);
}

static bool contains(const json_t *list, const char *word)
{
	const json_t *value;
	size_t i;

	json_array_foreach (list, i, value)
		if (!strcmp(json_string_value(value), word))
			return true;
	return false;
}

static json_t *tidy(const json_t *list)
{
	return contains(list, "any") ? json_pack("[s]", "any") : sorted(list);
}

/* The base becomes an id: the first free number is appended. */
static int give_id(json_t *rule, json_t *ids)
{
	const char *base = json_string_value(json_object_get(rule, "id"));
	json_int_t n = json_integer_value(json_object_get(json_object_get(ids, "next"), base));
	json_t *taken = json_object_get(ids, "taken");
	char id[RULE_ID_MAX + 16];

	do
		snprintf(id, sizeof(id), "%s-%lld", base, (long long)++n);
	while (json_object_get(taken, id));
	return json_object_set_new(json_object_get(ids, "next"), base, json_integer(n)) ||
			       json_object_set_new(taken, id, json_true()) ||
			       json_object_set_new(rule, "id", json_string(id))
		       ? -ENOMEM
		       : 0;
}

/**
 * drafts_finish() - The rules as a policy lists them
 * @all: the drafts
 * @acl: which list
 * @ids: {"next": {}, "taken": {}}, the same object for all lists of the policy
 *
 * Return: a new array; NULL without memory.
 */
json_t *drafts_finish(struct drafts *all, enum acl acl, json_t *ids)
{
	json_t *rules = json_array(), *keys = json_array(), *ordered, *key;
	const char *name;
	size_t i;

	json_object_foreach (all->rules[acl], name, key)
		append(all, keys, json_string(name));
	ordered = sorted(keys);
	all->no_memory |= !ordered;
	json_array_foreach (ordered, i, key) {
		json_t *rule = json_object_get(all->rules[acl], json_string_value(key));
		json_t *destination = json_object_get(rule, "destination");

		all->no_memory |= give_id(rule, ids) ||
				  json_object_set_new(rule, "source",
						      tidy(json_object_get(rule, "source")));
		if (destination)
			all->no_memory |= json_object_set_new(rule, "destination",
							      tidy(destination)) != 0;
		append(all, rules, json_incref(rule));
	}
	json_decref(keys);
	json_decref(ordered);
	return rules;
}
