/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "netbird/draft.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "netbird/proto.h"

#define SET_DIGITS 8 /* of the name that NetBird gives a set of domains */

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
	*all = (struct drafts){.notes = json_array(), .sets = json_object()};
	return all->notes && all->sets ? 0 : -ENOMEM;
}

/**
 * drafts_free() - Release what is left
 */
void drafts_free(struct drafts *all)
{
	json_decref(all->notes);
	json_decref(all->sets);
	rules_free(&all->rules);
}

/**
 * drafts_note() - Keep a sentence about what is not carried exactly
 */
void drafts_note(struct drafts *all, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (json_array_append_new(all->notes, json_vsprintf(format, args)))
		all->no_memory = true;
	va_end(args);
}

/**
 * draft_doubt() - A part of the rule has no counterpart in a policy
 * @draft: is dropped if it allows; if it denies the caller leaves the part out
 * @format: why; not noted of a rule that is dropped already
 */
void draft_doubt(struct draft *draft, const char *format, ...)
{
	char why[256];
	va_list args;

	if (draft->dropped)
		return;
	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	drafts_note(draft->all, "%s: %s; %s", draft->where, why,
		    draft->rule.deny ? "as it denies, it is carried without that and denies more"
				     : "the rule is left out");
	draft->dropped = !draft->rule.deny;
}

/**
 * draft_drop() - The rule matches nothing
 * @draft: is dropped
 * @why: the sentence; not noted of a rule that is dropped already
 */
void draft_drop(struct draft *draft, const char *why)
{
	if (!draft->dropped)
		drafts_note(draft->all, "%s: %s; left out", draft->where, why);
	draft->dropped = true;
}

/* The id of NetBird's policy: bytes in base64, in practice a word. */
static void read_policy(struct netbird_rule *rule, const json_t *entry, const char *fallback)
{
	uint8_t bytes[2 * NETBIRD_TEXT_MAX] = {};
	const char *raw = proto_text(entry, "PolicyID"), *word = (const char *)bytes;
	char clean[NETBIRD_TEXT_MAX];
	ssize_t n = proto_bytes(proto_get(entry, "PolicyID"), bytes, sizeof(bytes) - 1);

	if (!*raw)
		raw = fallback;
	else if (n > 0 && strlen(word) == (size_t)n &&
		 !strcmp(netbird_printable(clean, word), word))
		raw = word;
	netbird_printable(clean, raw);
	rule->policy_digest = digest_number(raw, strlen(raw));
	rule->is_lossy = strcmp(clean, raw) != 0;
	_Static_assert(sizeof(rule->policy) >= sizeof(clean), "a printable text fits");
	memcpy(rule->policy, clean, sizeof(clean));
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

	*draft = (struct draft){.all = all, .rule = {.deny = action == 1, .acl = list->acl}};
	snprintf(draft->where, sizeof(draft->where), "%s[%zu]", list->name, index);
	read_policy(&draft->rule, entry, list->fallback);
	if (action < 0)
		draft_doubt(draft, "its action is neither ACCEPT nor DROP");
}

/**
 * draft_read_protocol() - The rule's protocol
 *
 * NetBird's firewalls skip rules for protocols by number, so such a rule allows nothing here.  One
 * that denies is carried: whoever wrote it means it.
 */
void draft_read_protocol(struct draft *draft, const json_t *entry)
{
	static const char *const names[] = {"UNKNOWN", "ALL", "TCP", "UDP", "ICMP", "CUSTOM"};
	static const uint16_t protocols[] = {
		[PROTO_ALL] = PROTOCOL_ALL,
		[PROTO_TCP] = IPPROTO_TCP,
		[PROTO_UDP] = IPPROTO_UDP,
		[PROTO_ICMP] = PROTOCOL_ICMP,
	};
	int protocol = proto_enum(entry, "protocol", names, PROTO_MAX);
	json_int_t custom = json_integer_value(proto_get(entry, "customProtocol"));

	draft->rule.protocol = PROTOCOL_ALL;
	if (protocol == PROTO_CUSTOM && custom > 0 && custom <= UINT8_MAX) {
		draft->rule.protocol = custom;
		if (!draft->rule.deny)
			draft_doubt(draft, "it is for protocol %lld, and NetBird skips such rules",
				    (long long)custom);
	} else if (protocol > 0 && protocol != PROTO_CUSTOM) {
		draft->rule.protocol = protocols[protocol];
	} else {
		draft_doubt(draft, "its protocol is unknown");
	}
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

/* A rule for all protocols that has ports; returns whether they are carried. */
static bool take_ports_of_all(struct draft *draft)
{
	bool is_peer_rule = draft->rule.acl == ACL_PEER;

	if (draft->rule.deny) {
		if (!is_peer_rule)
			draft_doubt(draft, "it has ports for all protocols");
		return false;
	}
	if (!draft->dropped)
		drafts_note(draft->all, "%s: it has ports for all protocols; %s", draft->where,
			    is_peer_rule ? "NetBird overlooks them, here they hold"
					 : "only TCP and UDP to these ports are allowed");
	return true;
}

/**
 * draft_read_ports() - The rule's destination ports; after the protocol
 * @draft: the rule
 * @entry: the message
 *
 * Ports of an ICMP rule never count in NetBird, so they are left out.  A range that begins or ends
 * with 0 is any port to NetBird: a rule that denies is carried so, one that allows as it stands.
 */
void draft_read_ports(struct draft *draft, const json_t *entry)
{
	struct port_range ports = {};
	int n = read_ports(entry, &ports);

	if (n > 0 && !ports.first && draft->rule.protocol != PROTOCOL_ICMP) {
		if (draft->rule.deny)
			n = 0;
		else
			ports.first = 1; /* no packet has port 0 */
		if (!draft->dropped)
			drafts_note(draft->all,
				    "%s: its range of ports begins with 0, which NetBird takes for "
				    "any port; %s",
				    draft->where,
				    draft->rule.deny ? "as it denies, so does this policy"
						     : "only the range is allowed");
	}
	if (n < 0) {
		draft_doubt(draft, "its ports do not exist");
		return;
	}
	if (!n || draft->rule.protocol == PROTOCOL_ICMP)
		return;
	if (draft->rule.protocol == PROTOCOL_ALL) {
		if (!take_ports_of_all(draft))
			return;
	} else if (!l4_has_ports(draft->rule.protocol)) {
		draft_doubt(draft, "it has ports for a protocol without ports");
		return;
	}
	draft->rule.ports = ports;
}

/**
 * draft_add_source() - Add a source to a rule
 * @draft: the rule
 * @prefix: the source; NULL: any
 */
void draft_add_source(struct draft *draft, const struct prefix *prefix)
{
	if (!prefix)
		draft->rule.any_source = true;
	else if (rule_add_source(&draft->rule, prefix))
		draft->all->no_memory = true;
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/*
 * The name that NetBird gives the set of these domains: nb- and digits of the SHA-256 of them, sorted
 * and put together.
 */
static int name_of_domains(const json_t *domains, char name[NETBIRD_TEXT_MAX])
{
	size_t n = json_array_size(domains), len;
	const char **texts = calloc(n, sizeof(*texts));
	char digits[SET_DIGITS + 1], *all = NULL;
	FILE *file = open_memstream(&all, &len);

	if (texts && file) {
		for (size_t i = 0; i < n; i++) {
			texts[i] = proto_string(json_array_get(domains, i));
			texts[i] = texts[i] ? texts[i] : "";
		}
		qsort(texts, n, sizeof(*texts), compare_texts);
		for (size_t i = 0; i < n; i++)
			fputs(texts[i], file);
	}
	free(texts);
	if (!file || fclose(file) || !texts) {
		free(all);
		return -ENOMEM;
	}
	snprintf(name, NETBIRD_TEXT_MAX, "nb-%s", digest_hex(all, len, digits, SET_DIGITS));
	free(all);
	return 0;
}

/**
 * draft_set_domains() - Let the rule's destination be a named set that is empty for now
 * @draft: the rule
 * @entry: the message: names the domains, or at least the route
 *
 * Comes last, so that rules that are dropped leave no sets.
 */
void draft_set_domains(struct draft *draft, const json_t *entry)
{
	struct drafts *all = draft->all;
	const json_t *domains = proto_get(entry, "domains");
	const char *route = proto_text(entry, "RouteID");
	char name[NETBIRD_TEXT_MAX], clean[NETBIRD_TEXT_MAX];
	size_t n = json_array_size(domains);

	if (draft->dropped)
		return;
	all->n_dynamic[!n]++;
	if (!n)
		snprintf(name, sizeof(name), "dynamic-%.*s", (int)sizeof(name) - 9,
			 netbird_printable(clean, *route ? route : draft->rule.policy));
	else if (name_of_domains(domains, name))
		all->no_memory = true;
	if (!all->no_memory && !json_object_get(all->sets, name) &&
	    json_object_set_new(all->sets, name, n ? json_copy((json_t *)domains) : json_array()))
		all->no_memory = true;
	if (all->no_memory)
		return;
	draft->rule.kind = DESTINATION_SET;
	draft->rule.set = json_object_iter_key(json_object_iter_at(all->sets, name));
}

/**
 * draft_commit() - Done with the rule: keep it, unless it was dropped
 * @draft: is emptied
 */
void draft_commit(struct draft *draft)
{
	if (!draft->dropped && !rules_add(&draft->all->rules, &draft->rule))
		return;
	draft->all->no_memory |= !draft->dropped;
	free(draft->rule.source);
}
