/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netbird_map.h"
#include "policy/parse.h"

struct netbird_import import;
json_t *policy;
struct error error;

/* All that a map does not tell is known, so that nothing is noted of it. */
const struct netbird_options known = {
	.block_inbound = NETBIRD_OFF,
	.block_lan_access = NETBIRD_OFF,
	.json = true,
};

static void use_quotes(char *text)
{
	for (; *text; text++)
		*text = *text == '\'' ? '"' : *text;
}

/**
 * import_text() - Import a map
 * @text: JSON
 * @options: what is known beside it
 *
 * Return: what netbird_import() returned; `import` and `error` are set as it set them.
 */
int import_text(const char *text, const struct netbird_options *options)
{
	/* exactly the bytes, so that reading beyond them is seen */
	size_t len = strlen(text);
	char *bytes = malloc(len);
	int err;

	memcpy(bytes, text, len);
	err = netbird_import(&(struct netbird_map){"map", bytes, len}, options, &import, &error);
	free(bytes);
	return err;
}

/**
 * import_with() - Import a map that has to be one; `import` and `policy` are set
 * @fields: of the map, with ' for "
 * @options: what is known beside it
 */
void import_with(const char *fields, const struct netbird_options *options)
{
	char text[32768];

	snprintf(
		text, sizeof(text),
		"{'NetworkMap': {'firewallRulesIsEmpty': true, 'routesFirewallRulesIsEmpty': true, "
		"%s}}",
		fields);
	use_quotes(text);
	if (import_text(text, options))
		fail_msg("%s: %s", text, error.text);
	policy = json_loads(import.text, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(policy);
}

/**
 * import_fields() - Import a map with nothing unknown beside it
 */
void import_fields(const char *fields)
{
	import_with(fields, &known);
}

static void check_text(const char *form, const char *text, size_t len)
{
	struct policy *parsed;

	assert_int_equal(strlen(text), len);
	if (policy_parse(form, text, len, &parsed, &error))
		fail_msg("%s\n%s", error.text, text);
	policy_free(parsed);
}

/**
 * check_and_free() - See that what was made is a policy, as it has to be whatever it was made from
 */
void check_and_free(void)
{
	check_text("json", import.text, import.len);
	json_decref(policy);
	netbird_import_free(&import);
}

/**
 * check_yaml() - See that in YAML, too, it is one
 */
void check_yaml(const char *fields)
{
	struct netbird_options options = known;
	char text[8192];

	options.json = false;
	snprintf(text, sizeof(text), "{'NetworkMap': {%s}}", fields);
	use_quotes(text);
	assert_int_equal(import_text(text, &options), 0);
	check_text("yaml", import.text, import.len);
	netbird_import_free(&import);
}

/**
 * is_noted() - Whether a note has these words
 */
bool is_noted(const char *words)
{
	const json_t *note;
	size_t i;

	json_array_foreach (import.notes, i, note)
		if (strstr(json_string_value(note), words))
			return true;
	return false;
}

/* A part of the policy as compact JSON, with ' for ". */
static char *part_of(const char *key)
{
	char *text = json_dumps(json_object_get(policy, key), JSON_COMPACT);

	for (char *c = text; c && *c; c++)
		*c = *c == '"' ? '\'' : *c;
	return text ? text : strdup("none");
}

/**
 * expect_part() - Compare a part of the policy
 * @fields: of the map, for messages
 * @key: of the part
 * @expected: compact JSON with ' for ", or "none"
 */
void expect_part(const char *fields, const char *key, const char *expected)
{
	char *text = part_of(key);

	if (strcmp(text, expected))
		fail_msg("%s:\nexpected %s\ngot      %s", fields, expected, text);
	free(text);
}
