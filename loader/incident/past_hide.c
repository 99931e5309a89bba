/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "incident/past_hide.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/value.h"
#include "policy/names.h"
#include "policy/parse.h"
#include "yaml/yaml.h"

/* Have the names in a list with commas hidden; what a set or another word stands for is none. */
static void hide_ends(struct anonymiser *anonymiser, const char *list)
{
	char *copy = strdup(list), *rest = copy, *word;

	while (copy && (word = strsep(&rest, ",")))
		if (names_is_valid(word))
			anonymiser_hide(anonymiser, word);
	free(copy);
}

/* Have the names in "FROM can reach TO" hidden. */
static void hide_sentence(struct anonymiser *anonymiser, const char *text)
{
	char *copy = strdup(text), *rest = NULL;
	char *word = copy ? strtok_r(copy, " \t\n", &rest) : NULL;

	for (int i = 0; word; i++, word = strtok_r(NULL, " \t\n", &rest))
		if (i == 0 || i == 3)
			hide_ends(anonymiser, word);
	free(copy);
}

/*
 * Have every id and name that is in a policy's text hidden, also names that it does not define itself;
 * its depth is bounded.
 */
static void hide_node(struct anonymiser *anonymiser, const struct yaml_node *node, const char *key)
{
	/* clang-format off */
	static const char *const texts[] = {"description", "id", "rule", NULL};
	static const char *const ends[] = {"destination", "from", "source", "to", NULL};
	static const char *const named[] = {"included", "names", "sets", NULL};
	/* clang-format on */
	bool mapping = node->kind == YAML_MAPPING, by_name = mapping && text_is_one_of(key, named);

	if (node->kind == YAML_SCALAR && text_is_one_of(key, texts))
		anonymiser_hide(anonymiser, node->text);
	else if (node->kind == YAML_SCALAR && text_is_one_of(key, ends))
		hide_ends(anonymiser, node->text);
	else if (node->kind == YAML_SCALAR && !strcmp(key, "assert"))
		hide_sentence(anonymiser, node->text);
	for (const struct yaml_node *child = node->first; child; child = child->next) {
		if (by_name)
			anonymiser_hide(anonymiser, child->key);
		hide_node(anonymiser, child, mapping ? child->key : key);
	}
}

/**
 * past_hide_names() - Have every name that policies of the past give or use hidden
 * @past: the policies; one that cannot be read is passed over
 * @anonymiser: learns the names
 */
void past_hide_names(const struct incident_past *past, struct anonymiser *anonymiser)
{
	for (size_t i = 0; i < past->n_policies; i++) {
		const struct incident_policy *from = &past->policies[i];
		struct yaml_doc *doc;
		struct error ignored;

		anonymiser_hide(anonymiser, from->path);
		if (yaml_parse(from->path, from->text, from->len, &doc, &ignored))
			continue;
		hide_node(anonymiser, yaml_root(doc), "");
		yaml_free(doc);
	}
	for (size_t i = 0; i < past->rules.n; i++)
		anonymiser_hide(anonymiser, past->rules.names[i].id);
}

/* A scalar; without quotes it may be no text, unless it is a name. */
static json_t *scalar_json(const struct yaml_node *node)
{
	const char *key = node->key ?: "";
	struct error ignored;
	uint64_t number;

	if (!node->plain || !strcmp(key, "id") || !strcmp(key, "description"))
		return json_string(node->text);
	if (yaml_is_null(node))
		return json_null();
	if (!strcasecmp(node->text, "true") || !strcasecmp(node->text, "false"))
		return json_boolean(!strcasecmp(node->text, "true"));
	if (!number_parse(node->text, 0, UINT32_MAX, &number, &ignored))
		return json_integer((json_int_t)number);
	return json_string(node->text);
}

/* A file as JSON; its depth is bounded. */
static json_t *node_json(const struct yaml_node *node)
{
	json_t *made;

	if (node->kind == YAML_SCALAR)
		return scalar_json(node);
	made = node->kind == YAML_MAPPING ? json_object() : json_array();
	for (const struct yaml_node *child = node->first; child; child = child->next)
		if (node->kind == YAML_MAPPING)
			json_object_set_new(made, child->key, node_json(child));
		else
			json_array_append_new(made, node_json(child));
	return made;
}

/* The text of a policy with other addresses and names; NULL: it makes no policy. */
static char *other_text(struct anonymiser *anonymiser, const struct incident_policy *policy)
{
	json_t *json, *other;
	struct policy *parsed;
	struct yaml_doc *doc;
	struct error ignored;
	char *text;

	if (yaml_parse(policy->path, policy->text, policy->len, &doc, &ignored))
		return NULL;
	json = node_json(yaml_root(doc));
	yaml_free(doc);
	other = anonymiser_json(anonymiser, json);
	text = json_dumps(other, JSON_INDENT(1));
	json_decref(json);
	json_decref(other);
	if (text && policy_parse(NULL, text, strlen(text), &parsed, &ignored)) {
		free(text);
		return NULL;
	}
	if (text)
		policy_free(parsed);
	return text;
}

/* Hide a name in its place. */
static void hide_in(struct anonymiser *anonymiser, const char *name, char *to, size_t size)
{
	json_t *other = anonymiser_string(anonymiser, name);

	snprintf(to, size, "%s", json_string_value(other) ?: "x");
	json_decref(other);
}

/* Replace the texts and paths of policies; those whose other text makes no policy go. */
static int hide_policies(struct incident_past *past, struct anonymiser *anonymiser,
			 struct error *error)
{
	size_t kept = 0;
	int err = 0;

	for (size_t i = 0; i < past->n_policies; i++) {
		struct incident_policy *policy = &past->policies[i];
		char path[64] = "", *text = other_text(anonymiser, policy);

		if (policy->path)
			hide_in(anonymiser, policy->path, path, sizeof(path));
		free(policy->text);
		free(policy->path);
		policy->text = text;
		policy->path = path[0] && text ? strdup(path) : NULL;
		policy->len = text ? strlen(text) : 0;
		if (text && path[0] && !policy->path)
			err = error_no_memory(error);
		if (text)
			past->policies[kept++] = *policy;
	}
	past->n_policies = kept;
	return err;
}

/**
 * past_hide() - Give the past other addresses and names
 * @past: is changed; a policy that makes none any more is left out
 * @anonymiser: past_hide_names() has told it the names
 * @error: set on failure
 *
 * Return: 0 or -ENOMEM.
 */
int past_hide(struct incident_past *past, struct anonymiser *anonymiser, struct error *error)
{
	for (size_t i = 0; i < past->n_records; i++) {
		struct record *record = &past->records[i];
		uint8_t ip_version = record->flags & RECORD_IP6 ? IP_VERSION_6 : IP_VERSION_4;

		anonymiser_host(anonymiser, &record->saddr, ip_version);
		anonymiser_host(anonymiser, &record->daddr, ip_version);
	}
	for (size_t i = 0; i < past->rules.n; i++)
		hide_in(anonymiser, past->rules.names[i].id, past->rules.names[i].id,
			sizeof(past->rules.names[i].id));
	for (size_t i = 0; i < past->n_addresses; i++)
		hide_in(anonymiser, past->addresses[i], past->addresses[i], PREFIX_TEXT_MAX);
	return hide_policies(past, anonymiser, error);
}
