/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cli/diff_names.h"

#include <string.h>

/* Whether a policy says something else by a name: it has it, for other addresses alone. */
static bool contradicts(const struct policy *policy, const char *name, const union addr *addr,
			uint8_t ip_version)
{
	size_t n;
	const struct name_address *found = names_find(&policy->names, name, &n);

	for (size_t i = 0; i < n; i++)
		if (found[i].ip_version == ip_version &&
		    !memcmp(&found[i].addr, addr, sizeof(*addr)))
			return false;
	return n;
}

/**
 * diff_name() - The name of an address
 * @policies: that are compared
 * @addr: the address
 * @ip_version: 4 or 6
 *
 * Return: the name in one policy that is no other address in the other one; NULL: there is none.
 */
const char *diff_name(struct policy *const policies[2], const union addr *addr, uint8_t ip_version)
{
	for (int side = 0; side < 2; side++) {
		const char *name = names_of(&policies[side]->names, addr, ip_version);

		if (name && !contradicts(policies[!side], name, addr, ip_version))
			return name;
	}
	return NULL;
}

static bool has_text(const json_t *list, const char *text)
{
	const json_t *item;
	size_t i;

	json_array_foreach ((json_t *)list, i, item)
		if (json_is_string(item) && !strcmp(json_string_value(item), text))
			return true;
	return false;
}

/* Put names in the place of addresses, each once though it has several. */
static void name_list(struct policy *const policies[2], json_t *list)
{
	json_t *named = json_array(), *item;
	struct prefix prefix;
	struct error ignored;
	size_t i;

	json_array_foreach (list, i, item) {
		const char *text = json_string_value(item), *name = NULL;

		if (text && !prefix_parse(text, &prefix, &ignored) &&
		    prefix.len == prefix_bits(prefix.ip_version))
			name = diff_name(policies, &prefix.addr, prefix.ip_version);
		if (!name)
			json_array_append(named, item);
		else if (!has_text(named, name))
			json_array_append_new(named, json_string(name));
	}
	json_array_clear(list);
	json_array_extend(list, named);
	json_decref(named);
}

/* The addresses of one end of a rule, or how they have changed. */
static void name_end(struct policy *const policies[2], json_t *end)
{
	const char *key;
	json_t *side;

	if (json_is_array(end))
		name_list(policies, end);
	json_object_foreach (end, key, side)
		if (json_is_array(side))
			name_list(policies, side);
}

/* A rule, or what has become of its parts. */
static void name_rule(struct policy *const policies[2], json_t *rule)
{
	name_end(policies, json_object_get(rule, "source"));
	name_end(policies, json_object_get(rule, "destination"));
}

/**
 * diff_use_names() - Have a difference of policies show names
 * @policies: that are compared
 * @diff: of policy_diff(); changed in place, for whoever reads it, not for programs
 */
void diff_use_names(struct policy *const policies[2], json_t *diff)
{
	static const char *const lists[] = {"added", "removed", "changed"};
	json_t *rules = json_object_get(diff, "rules"), *rule;
	size_t i;

	for (int l = 0; l < 3; l++)
		json_array_foreach (json_object_get(rules, lists[l]), i, rule) {
			json_t *changes = json_object_get(rule, "changes");

			name_rule(policies, changes ? changes : rule);
		}
}
