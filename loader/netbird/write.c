/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "netbird/write.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/names.h"

#define LINE_MAX_COLUMNS 96
#define LIST_INDENT	 8

/* Where text goes, in which of the two forms. */
struct writer {
	FILE *file;
	bool json;
	int column; /* of a list */
	bool any;   /* the list has an item */
};

/* What YAML reads as the same text without quotes, a number that means a number included. */
static bool is_plain(const char *text)
{
	return *text &&
	       strspn(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ./-_") ==
		       strlen(text) &&
	       *text != '-' && *text != '.';
}

/* Write a text, all of it printable ASCII; returns the columns that it took. */
static int write_text(struct writer *to, const char *text)
{
	int columns = 2;

	if (!to->json && is_plain(text))
		return fprintf(to->file, "%s", text);
	putc('"', to->file);
	for (; *text; text++, columns++) {
		if (*text == '"' || *text == '\\') {
			putc('\\', to->file);
			columns++;
		}
		putc(*text, to->file);
	}
	putc('"', to->file);
	return columns;
}

static void begin_list(struct writer *to, const char *key)
{
	to->any = false;
	to->column = to->json ? fprintf(to->file, ",\"%s\":[", key)
			      : fprintf(to->file, "    %s: [", key);
}

/* Begin an item, on a new line where the last one is full. */
static void begin_item(struct writer *to)
{
	if (to->any && to->json)
		putc(',', to->file);
	else if (to->any && to->column > LINE_MAX_COLUMNS - 20)
		to->column = fprintf(to->file, ",\n%*s", LIST_INDENT, "") - 2;
	else if (to->any)
		to->column += fprintf(to->file, ", ");
	to->any = true;
}

static void write_item(struct writer *to, const char *text)
{
	begin_item(to);
	to->column += write_text(to, text);
}

static void end_list(struct writer *to)
{
	fputs(to->json ? "]" : "]\n", to->file);
}

static void write_prefixes(struct writer *to, const struct prefix *prefixes, size_t n)
{
	char text[PREFIX_TEXT_MAX];

	for (size_t i = 0; i < n; i++)
		write_item(to, prefix_format(&prefixes[i], text, sizeof(text)));
}

/* Write the sources of a rule, and its destination where it has one. */
static void write_addresses(struct writer *to, const struct netbird_rule *rule)
{
	char text[PREFIX_TEXT_MAX], set[RULE_ID_MAX + 8];
	const char *destination = rule_destination(rule, text);

	begin_list(to, "source");
	if (rule->any_source)
		write_item(to, "any");
	else
		write_prefixes(to, rule->source, rule->n_source);
	end_list(to);
	if (rule->kind == DESTINATION_LOCAL)
		return;
	begin_list(to, "destination");
	if (rule->kind == DESTINATION_SET)
		snprintf(set, sizeof(set), "set:%s", destination);
	write_item(to, rule->kind == DESTINATION_SET ? set : destination);
	end_list(to);
}

/* Write a rule's protocol and ports. */
static void write_protocol(struct writer *to, const struct netbird_rule *rule)
{
	char text[16];
	const char *protocol = rule_protocol(rule, text);
	const char *quote = to->json && protocol != text ? "\"" : "";

	fprintf(to->file, to->json ? ",\"protocol\":%s%s%s" : "    protocol: %s%s%s\n", quote,
		protocol, quote);
	if (!rule->ports.first)
		return;
	begin_list(to, "destination_ports");
	if (rule->ports.first == rule->ports.last) {
		fprintf(to->file, "%u", rule->ports.first);
	} else {
		snprintf(text, sizeof(text), "%u-%u", rule->ports.first, rule->ports.last);
		write_item(to, text);
	}
	end_list(to);
}

/* Write a list of rules. */
static void write_rules(struct writer *to, const struct netbird_rules *rules, enum acl acl)
{
	const char *key = acl == ACL_PEER ? "peer_acl" : "route_acl";
	size_t n = 0;

	for (size_t i = 0; i < rules->n; i++)
		n += rules->rules[i].acl == acl;
	fprintf(to->file, to->json ? ",\"%s\":[" : n ? "%s:\n" : "%s: []\n", key);
	for (size_t i = 0, written = 0; i < rules->n; i++) {
		const struct netbird_rule *rule = &rules->rules[i];

		if (rule->acl != acl)
			continue;
		fputs(!to->json ? "  - id: " : written++ ? ",{\"id\":" : "{\"id\":", to->file);
		write_text(to, rule->id);
		fprintf(to->file, to->json ? ",\"action\":\"%s\"" : "\n    action: %s\n",
			rule->deny ? "deny" : "allow");
		write_addresses(to, rule);
		write_protocol(to, rule);
		if (to->json)
			putc('}', to->file);
	}
	if (to->json)
		putc(']', to->file);
}

/* Behind a set, the domains that it stands for. */
static void write_domains(struct writer *to, const json_t *domains)
{
	const char *lead = "  # ";
	char text[NETBIRD_TEXT_MAX];
	const json_t *value;
	size_t i;

	if (to->json)
		return;
	json_array_foreach (domains, i, value) {
		const char *domain = json_string_value(value);

		fprintf(to->file, "%s%s", lead, netbird_printable(text, domain ? domain : ""));
		lead = ", ";
	}
	putc('\n', to->file);
}

/* Write the named sets, all empty. */
static void write_sets(struct writer *to, json_t *sets)
{
	bool any = false;
	json_t *domains;
	const char *name;

	if (!json_object_size(sets))
		return;
	fputs(to->json ? ",\"sets\":{" : "sets:\n", to->file);
	json_object_foreach (sets, name, domains) {
		fputs(!to->json ? "  " : any ? "," : "", to->file);
		write_text(to, name);
		fputs(to->json ? ":[]" : ": []", to->file);
		write_domains(to, domains);
		any = true;
	}
	if (to->json)
		putc('}', to->file);
}

/* Write the names of the peers, each with its addresses. */
static void write_names(struct writer *to, const struct netbird_peers *peers)
{
	size_t end;

	if (!peers->n)
		return;
	fputs(to->json ? ",\"names\":{" : "names:\n", to->file);
	for (size_t i = 0; i < peers->n; i = end) {
		const char *name = peers->peers[i].name;

		fputs(!to->json ? "  " : i ? "," : "", to->file);
		write_text(to, name);
		fputs(to->json ? ":[" : ": [", to->file);
		to->any = false;
		to->column = LIST_INDENT + (int)strlen(name);
		for (end = i; end < peers->n && !strcmp(peers->peers[end].name, name); end++)
			write_prefixes(to, &peers->peers[end].addr, 1);
		end_list(to);
	}
	if (to->json)
		putc('}', to->file);
}

/* Write the translations of ports. */
static void write_nat(struct writer *to, const json_t *ports)
{
	const json_t *entry;
	size_t i;

	if (!json_array_size(ports))
		return;
	fputs(to->json ? ",\"nat\":{\"port\":[" : "nat:\n  port:\n", to->file);
	json_array_foreach (ports, i, entry) {
		fputs(!to->json ? "    - " : i ? "," : "", to->file);
		json_dumpf(entry, to->file, to->json ? JSON_COMPACT : 0);
		if (!to->json)
			putc('\n', to->file);
	}
	if (to->json)
		fputs("]}", to->file);
}

/* Before the policy, where it is from and what differs from the map. */
static void write_comments(struct writer *to, const struct netbird_draft_policy *policy)
{
	const json_t *note;
	size_t i;

	fprintf(to->file, "# A policy for shrike, from NetBird's network map: %s\n",
		policy->origin);
	if (json_array_size(policy->drafts.notes))
		fprintf(to->file, "#\n# What differs from the map:\n");
	json_array_foreach (policy->drafts.notes, i, note)
		fprintf(to->file, "# * %s\n", json_string_value(note));
}

/**
 * netbird_write() - The policy as text
 * @policy: the policy
 * @json: as JSON, without comments
 * @text: set to the text, NUL-terminated; the caller frees it
 * @len: set to its length
 *
 * Return: 0 or -ENOMEM.
 */
int netbird_write(const struct netbird_draft_policy *policy, bool json, char **text, size_t *len)
{
	struct writer to = {.file = open_memstream(text, len), .json = json};
	bool failed;

	if (!to.file)
		return -ENOMEM;
	if (!json)
		write_comments(&to, policy);
	fputs(json ? "{\"version\":1" : "version: 1\n", to.file);
	write_rules(&to, &policy->drafts.rules, ACL_PEER);
	write_rules(&to, &policy->drafts.rules, ACL_ROUTE);
	write_sets(&to, policy->drafts.sets);
	write_names(&to, &policy->peers);
	write_nat(&to, policy->nat);
	if (json)
		putc('}', to.file);
	failed = ferror(to.file);
	failed |= fclose(to.file) != 0;
	if (failed)
		free(*text);
	return failed ? -ENOMEM : 0;
}
