/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The policy as a file for people: YAML, a rule per paragraph, what was not carried as comments.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netbird/import.h"

#define LINE_MAX_COLUMNS 96

/* What YAML reads as the same text without quotes, a number that means a number included. */
static bool is_plain(const char *text)
{
	return *text &&
	       strspn(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ./-") ==
		       strlen(text) &&
	       *text != '-' && *text != '.';
}

/* Returns the columns that it took; all text is printable ASCII. */
static int write_scalar(FILE *file, const json_t *value)
{
	const char *text = json_string_value(value);
	int columns = 2;

	if (json_is_integer(value))
		return fprintf(file, "%lld", (long long)json_integer_value(value));
	if (is_plain(text))
		return fprintf(file, "%s", text);
	putc('"', file);
	for (; *text; text++, columns++) {
		if (*text == '"' || *text == '\\') {
			putc('\\', file);
			columns++;
		}
		putc(*text, file);
	}
	putc('"', file);
	return columns;
}

/* A list on as many lines as it takes. */
static void write_list(FILE *file, const json_t *list, int column, int indent)
{
	const json_t *value;
	size_t i;

	putc('[', file);
	json_array_foreach (list, i, value) {
		if (i && column > LINE_MAX_COLUMNS - 20) {
			fprintf(file, ",\n%*s", indent, "");
			column = indent;
		} else if (i) {
			column += fprintf(file, ", ");
		}
		column += write_scalar(file, value);
	}
	fprintf(file, "]\n");
}

/* Write an ACL as YAML, a rule in each item. */
static void write_rules(FILE *file, const char *name, const json_t *rules)
{
	const json_t *rule;
	const char *key;
	json_t *value;
	size_t i;

	fprintf(file, "%s:%s\n", name, json_array_size(rules) ? "" : " []");
	json_array_foreach (rules, i, rule) {
		const char *lead = "  - ";

		json_object_foreach ((json_t *)rule, key, value) {
			int column = fprintf(file, "%s%s: ", lead, key);

			if (json_is_array(value)) {
				write_list(file, value, column, 8);
			} else {
				write_scalar(file, value);
				putc('\n', file);
			}
			lead = "    ";
		}
	}
}

/* Write the named sets as YAML. */
static void write_sets(FILE *file, json_t *sets)
{
	const char *name;
	json_t *prefixes;

	if (json_object_size(sets))
		fprintf(file, "sets:\n");
	json_object_foreach (sets, name, prefixes) {
		json_t *text = json_string(name);

		fprintf(file, "  ");
		if (text)
			write_scalar(file, text);
		fprintf(file, ": []\n");
		json_decref(text);
	}
}

static void write_nat(FILE *file, const json_t *ports)
{
	const json_t *entry;
	size_t i;

	if (json_array_size(ports))
		fprintf(file, "nat:\n  port:\n");
	json_array_foreach (ports, i, entry)
		fprintf(file, "    - {protocol: %s, port: %lld, to: %lld}\n",
			json_string_value(json_object_get(entry, "protocol")),
			(long long)json_integer_value(json_object_get(entry, "port")),
			(long long)json_integer_value(json_object_get(entry, "to")));
}

/**
 * netbird_write() - The policy as text
 * @import: the policy
 * @text: set to the text, NUL-terminated; the caller frees it
 * @len: set to its length
 * @error: set on failure
 *
 * Return: 0 or -ENOMEM.
 */
int netbird_write(const struct netbird_import *import, char **text, size_t *len,
		  struct error *error)
{
	const json_t *policy = import->policy, *note;
	FILE *file = open_memstream(text, len);
	size_t i;

	if (!file)
		return error_no_memory(error);
	fprintf(file, "# A policy for shrike, from NetBird's network map: %s\n", import->origin);
	if (json_array_size(import->notes))
		fprintf(file, "#\n# What differs from the map:\n");
	json_array_foreach (import->notes, i, note)
		fprintf(file, "# * %s\n", json_string_value(note));
	fprintf(file, "version: 1\n");
	write_rules(file, "peer_acl", json_object_get(policy, "peer_acl"));
	write_rules(file, "route_acl", json_object_get(policy, "route_acl"));
	write_sets(file, json_object_get(policy, "sets"));
	write_nat(file, json_object_get(json_object_get(policy, "nat"), "port"));
	if (ferror(file)) {
		fclose(file);
		free(*text);
		return error_no_memory(error);
	}
	if (fclose(file)) {
		free(*text);
		return error_no_memory(error);
	}
	return 0;
}
