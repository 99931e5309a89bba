/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "policy/rule_json.h"

#include <stdio.h>
#include <string.h>

#include "base/address.h"
#include "base/names.h"
#include "policy/icmp_type.h"
#include "policy/mode_words.h"
#include "policy/set_element.h"

/* The addresses of a match as a list of texts. */
static json_t *json_prefixes(const struct policy *policy, const struct address_match *match)
{
	json_t *list = json_array();
	char text[PREFIX_TEXT_MAX];

	if (match->any)
		json_array_append_new(list, json_string("any"));
	for (size_t i = 0; i < match->n_prefixes; i++)
		json_array_append_new(
			list, json_string(prefix_format(&match->prefixes[i], text, sizeof(text))));
	for (size_t i = 0; i < match->n_sets; i++)
		json_array_append_new(list,
				      json_sprintf("set:%s", policy->sets[match->sets[i]].name));
	if (match->groups & GROUP_BROADCAST)
		json_array_append_new(list, json_string("broadcast"));
	if (match->groups & GROUP_MULTICAST)
		json_array_append_new(list, json_string("multicast"));
	return list;
}

static json_t *json_ports(const struct port_range *ranges, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		if (ranges[i].first == ranges[i].last)
			json_array_append_new(list, json_integer(ranges[i].first));
		else
			json_array_append_new(
				list, json_sprintf("%u-%u", ranges[i].first, ranges[i].last));
	return list;
}

static json_t *json_icmp_types(const struct policy_rule *rule)
{
	json_t *list = json_array();
	char text[ICMP_TYPE_TEXT_MAX];

	for (size_t i = 0; i < rule->n_icmp_types; i++)
		json_array_append_new(list, json_string(icmp_type_format(&rule->icmp_types[i], text,
									 sizeof(text))));
	return list;
}

static json_t *json_protocol(uint16_t protocol)
{
	const char *name = port_protocol_name(protocol);

	if (protocol == PROTOCOL_ALL)
		name = "all";
	if (protocol == PROTOCOL_ICMP)
		name = "icmp";
	return name ? json_string(name) : json_integer(protocol);
}

/**
 * policy_rule_json() - A rule as -j prints it, without hits
 * @policy: it is part of
 * @rule: the rule
 * @acl: its ACL
 *
 * Return: a new object, NULL if memory is out.
 */
json_t *policy_rule_json(const struct policy *policy, const struct policy_rule *rule, enum acl acl)
{
	json_t *object = json_pack("{s:s,s:s,s:o}", "id", rule->id, "action",
				   rule->allow ? "allow" : "deny", "source",
				   json_prefixes(policy, &rule->source));

	if (rule->description)
		json_object_set_new(object, "description", json_string(rule->description));
	if (acl == ACL_ROUTE || !rule->destination.any || rule->destination.groups)
		json_object_set_new(object, "destination",
				    json_prefixes(policy, &rule->destination));
	json_object_set_new(object, "protocol", json_protocol(rule->protocol));
	if (rule->n_source_ports)
		json_object_set_new(object, "source_ports",
				    json_ports(rule->source_ports, rule->n_source_ports));
	if (rule->n_destination_ports)
		json_object_set_new(object, "destination_ports",
				    json_ports(rule->destination_ports, rule->n_destination_ports));
	if (rule->n_icmp_types)
		json_object_set_new(object, "icmp_types", json_icmp_types(rule));
	return object;
}

/**
 * policy_sets_json() - The sets of a policy, an object of lists by name
 */
json_t *policy_sets_json(const struct policy *policy)
{
	json_t *sets = json_object();

	for (size_t i = 0; i < policy->n_sets; i++) {
		const struct address_match match = {
			.prefixes = policy->sets[i].prefixes,
			.n_prefixes = policy->sets[i].n_prefixes,
		};

		json_object_set_new(sets, policy->sets[i].name, json_prefixes(policy, &match));
	}
	return sets;
}

/**
 * policy_elements_json() - As policy_sets_json(), with the timeouts of elements: "10.0.0.1 timeout 10m"
 */
json_t *policy_elements_json(const struct policy *policy)
{
	json_t *sets = policy_sets_json(policy);
	char text[SET_ELEMENT_TEXT_MAX];

	for (size_t i = 0; i < policy->n_sets; i++) {
		const struct prefix_set *set = &policy->sets[i];
		json_t *list = json_object_get(sets, set->name);

		for (size_t j = 0; set->times && j < set->n_prefixes; j++) {
			const struct set_element element = {set->prefixes[j],
							    set->times[j].timeout_ns};

			json_array_set_new(
				list, j,
				json_string(set_element_format(&element, text, sizeof(text))));
		}
	}
	return sets;
}

/**
 * policy_names_json() - Names, an object of lists of addresses in the order of the file
 */
json_t *policy_names_json(const struct names *names)
{
	json_t *object = json_object(), *list = NULL;
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < names->n; i++) {
		const struct name_address *entry = &names->list[i];

		if (!i || names->list[i - 1].name != entry->name) {
			list = json_array();
			json_object_set_new(object, entry->name, list);
		}
		json_array_append_new(list, json_string(addr_format(&entry->addr, entry->ip_version,
								    text, sizeof(text))));
	}
	return object;
}

/**
 * policy_match_names_json() - The names of the single addresses of a match
 * @names: of the policy
 * @match: the match
 *
 * Return: a new object of names by address; NULL where none has a name.
 */
json_t *policy_match_names_json(const struct names *names, const struct address_match *match)
{
	char text[PREFIX_TEXT_MAX];
	json_t *object = NULL;

	for (size_t i = 0; i < match->n_prefixes; i++) {
		const struct prefix *prefix = &match->prefixes[i];
		const char *name = prefix->len == prefix_bits(prefix->ip_version)
					   ? names_of(names, &prefix->addr, prefix->ip_version)
					   : NULL;

		if (!name)
			continue;
		object = object ? object : json_object();
		json_object_set_new(object, prefix_format(prefix, text, sizeof(text)),
				    json_string(name));
	}
	return object;
}

static json_t *json_routing(unsigned int routing)
{
	return json_string(routing_name(routing));
}

static json_t *json_native_acl(unsigned int enforced)
{
	return json_string(native_acl_name(enforced));
}

static json_t *json_forwarder_input(unsigned int input)
{
	return json_string(forwarder_input_name(input));
}

static json_t *json_hook(unsigned int hook)
{
	return json_string(hook_name(hook));
}

#define json_flag json_boolean /* the kinds of settings.h: json_KIND() */

/**
 * policy_mode_json() - What came of the keys of "mode"
 * @config: of the generation
 *
 * Return: a new object.
 */
json_t *policy_mode_json(const struct config *config)
{
	json_t *object = json_object();

#define MODE(name, type, kind, value) json_object_set_new(object, #name, json_##kind(config->name));
	POLICY_MODES(MODE)
#undef MODE
	return object;
}

#define asked_flag(value)	     json_boolean(value)
#define asked_native_acl(value)	     json_native_acl(value)
#define asked_routing(value)	     json_string(policy_routing_words[value])
#define asked_forwarder_input(value) json_string(policy_forwarder_input_words[value])
#define asked_hook(value)	     json_string(policy_hook_words[value])

/**
 * policy_asked_mode_json() - The keys of "mode" as a policy has them, whatever comes of them
 * @mode: of the policy
 *
 * Return: a new object.
 */
json_t *policy_asked_mode_json(const struct policy_mode *mode)
{
	json_t *object = json_object();

#define MODE(name, type, kind, value) json_object_set_new(object, #name, asked_##kind(mode->name));
	POLICY_MODES(MODE)
#undef MODE
	return object;
}

/**
 * policy_join() - A list as one cell: "any", "22,8000-8999", or its beginning if it is long
 * @list: of strings and integers, NULL: any
 * @cell: is filled
 * @size: of @cell
 */
void policy_join(const json_t *list, char *cell, size_t size)
{
	size_t len = 0, n = json_array_size(list);

	cell[0] = '\0';
	if (!list)
		snprintf(cell, size, "any");
	for (size_t i = 0; i < n && len < size; i++) {
		const json_t *item = json_array_get(list, i);

		if (i == 3 && n > 4) {
			snprintf(cell + len, size - len, ",(%zu more)", n - i);
			return;
		}
		if (json_is_integer(item))
			len += snprintf(cell + len, size - len, "%s%lld", i ? "," : "",
					(long long)json_integer_value(item));
		else
			len += snprintf(cell + len, size - len, "%s%s", i ? "," : "",
					json_string_value(item));
	}
	if (list && !n)
		snprintf(cell, size, "none");
}
