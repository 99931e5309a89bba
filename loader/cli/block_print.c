/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who is blocked, for people and for programs.
 */
#include "cli/block_print.h"

#include "base/output.h"
#include "dataplane/blocking.h"

/* One peer; a name is that of an address alone. */
static json_t *peer_json(const struct blocked_peer *peer, const struct names *names)
{
	struct prefix prefix = block_list_prefix(peer);
	int64_t left_ns = (int64_t)(peer->until_ns - blocking_now_ns());
	const char *name = NULL;
	char text[PREFIX_TEXT_MAX];

	if (names && prefix.len == prefix_bits(prefix.ip_version))
		name = names_of(names, &prefix.addr, prefix.ip_version);
	return json_pack("{s:s,s:s*,s:o}", "prefix", prefix_format(&prefix, text, sizeof(text)),
			 "name", name, "left_s",
			 !peer->until_ns
				 ? json_null()
				 : output_real(left_ns > 0 ? left_ns / NS_PER_MS / 1e3 : 0));
}

/**
 * block_json() - Who is blocked as JSON
 * @list: as blocking_read() has filled it; NULL: nobody
 * @names: of addresses; NULL: they stay numbers
 *
 * Return: an array with an object for each prefix.
 */
json_t *block_json(const struct block_list *list, const struct names *names)
{
	json_t *array = json_array();

	for (size_t i = 0; list && i < list->n; i++)
		json_array_append_new(array, peer_json(&list->peers[i], names));
	return array;
}

/**
 * block_print() - Print who is blocked, a line each
 * @blocked: what block_json() made, or NULL
 * @indent: before each line
 * @file: where to
 */
void block_print(const json_t *blocked, const char *indent, FILE *file)
{
	char left[OUTPUT_DURATION_LEN];
	json_t *peer;
	size_t i;

	json_array_foreach ((json_t *)blocked, i, peer) {
		const char *name = json_string_value(json_object_get(peer, "name"));
		const json_t *left_s = json_object_get(peer, "left_s");

		fprintf(file, "%sblocked: %s", indent,
			json_string_value(json_object_get(peer, "prefix")));
		if (name)
			fprintf(file, " (%s)", name);
		if (json_is_real(left_s))
			fprintf(file, ", %s left",
				output_duration(left, json_real_value(left_s) * NS_PER_S));
		fputc('\n', file);
	}
}
