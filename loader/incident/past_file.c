/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "incident/past_file.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/output.h"
#include "incident/unpack.h"
#include "kernel/pin_path.h"
#include "yaml/yaml.h"

#define JSON_NAME    "recorder.json"
#define RECORDS_NAME "recorder.bin"
#define POLICY_DIR   "policies/"
#define NAME_BYTES   32

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define BYTE_ORDER_NAME "little"
#else
#define BYTE_ORDER_NAME "big"
#endif

/* The file of a policy. */
static const char *policy_name(uint32_t number, char name[NAME_BYTES])
{
	if (number)
		snprintf(name, NAME_BYTES, POLICY_DIR "%u.yaml", number);
	else
		snprintf(name, NAME_BYTES, POLICY_DIR "now.yaml");
	return name;
}

/* ---- writing ---- */

/* What is said of the policies; their texts are files of their own. */
static json_t *policies_json(const struct incident_past *past)
{
	json_t *list = json_array();
	char name[NAME_BYTES];

	for (size_t i = 0; i < past->n_policies; i++) {
		const struct incident_policy *policy = &past->policies[i];

		json_array_append_new(
			list,
			json_pack("{s:I,s:I,s:I,s:s,s:o}", "number", (json_int_t)policy->number,
				  "generation", (json_int_t)policy->generation, "from_ns",
				  (json_int_t)policy->from_ns, "file",
				  policy_name(policy->number, name), "path",
				  policy->path ? output_json_text(policy->path) : json_null()));
	}
	return list;
}

/* What is in recorder.json. */
static json_t *past_json(const struct incident_past *past)
{
	json_t *rules = json_array(), *addresses = json_array();

	for (size_t i = 0; i < past->rules.n; i++)
		json_array_append_new(rules,
				      json_pack("{s:I,s:o}", "number",
						(json_int_t)past->rules.names[i].number, "id",
						output_json_text(past->rules.names[i].id)));
	for (size_t i = 0; i < past->n_addresses; i++)
		json_array_append_new(addresses, json_string(past->addresses[i]));
	return json_pack("{s:i,s:o,s:I,s:I,s:s,s:i,s:I,s:b,s:o,s:o,s:o}", "schema",
			 OUTPUT_JSON_SCHEMA, "interface", output_json_text(past->interface),
			 "written_ns", (json_int_t)past->written_ns, "clock_offset_ns",
			 (json_int_t)past->offset_ns, "byte_order", BYTE_ORDER_NAME, "record_bytes",
			 (int)sizeof(struct record), "records", (json_int_t)past->n_records,
			 "ip_forward", past->ip_forward, "addresses", addresses, "rules", rules,
			 "policies", policies_json(past));
}

/**
 * past_file_write() - Add the past of an interface to a report
 * @past: what there is
 * @archive: the report
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int past_file_write(const struct incident_past *past, struct incident_archive *archive,
		    struct error *error)
{
	json_t *json = past_json(past);
	char *text = json ? json_dumps(json, OUTPUT_JSON_FLAGS) : NULL, name[NAME_BYTES];
	int err = text ? archive_add(archive, JSON_NAME, text, strlen(text), error)
		       : error_no_memory(error);

	if (!err)
		err = archive_add(archive, RECORDS_NAME, (const char *)past->records,
				  past->n_records * sizeof(*past->records), error);
	for (size_t i = 0; i < past->n_policies && !err; i++)
		err = archive_add(archive, policy_name(past->policies[i].number, name),
				  past->policies[i].text, past->policies[i].len, error);
	free(text);
	json_decref(json);
	return err;
}

/* ---- reading ---- */

/* Whether a text may be shown: what is not printed on a terminal is in no id and no path. */
static bool is_showable(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f ||
		    (*text == '\xc2' && !((unsigned char)text[1] & 0x60))) /* C1 */
			return false;
	return true;
}

/* Take the numbers and ids of rules. */
static int parse_rules(struct incident_past *past, const json_t *list, struct error *error)
{
	size_t n = json_array_size(list);

	past->rules.names = calloc(n + 1, sizeof(*past->rules.names));
	if (!past->rules.names)
		return error_no_memory(error);
	for (size_t i = 0; i < n; i++) {
		struct rule_name *name = &past->rules.names[i];
		json_int_t number;
		const char *id;

		if (json_unpack(json_array_get(list, i), "{s:I,s:s}", "number", &number, "id",
				&id) ||
		    number < 0 || number > UINT32_MAX || strlen(id) >= sizeof(name->id) ||
		    !is_showable(id))
			return error_input(error, "rule %zu is none", i);
		name->number = (uint32_t)number;
		strcpy(name->id, id);
	}
	past->rules.n = n;
	rule_names_seal(&past->rules);
	return 0;
}

/* Take what is said of the policies; their texts are files of their own. */
static int parse_policies(struct incident_past *past, const json_t *list, struct error *error)
{
	size_t n = json_array_size(list);

	if (n > PAST_POLICIES_MAX)
		return error_input(error, "more than %d policies", PAST_POLICIES_MAX);
	for (size_t i = 0; i < n; i++) {
		struct incident_policy *policy = &past->policies[i];
		json_int_t number, generation, from_ns;
		const json_t *item = json_array_get(list, i);
		const char *path = json_string_value(json_object_get(item, "path"));

		if (json_unpack((json_t *)item, "{s:I,s:I,s:I}", "number", &number, "generation",
				&generation, "from_ns", &from_ns) ||
		    number < 0 || number > UINT32_MAX || generation < 0 ||
		    generation > UINT32_MAX || from_ns < 0 || (path && !is_showable(path)))
			return error_input(error, "policy %zu is none", i);
		*policy = (struct incident_policy){
			.number = (uint32_t)number,
			.generation = (uint32_t)generation,
			.from_ns = (uint64_t)from_ns,
			.path = path ? strdup(path) : NULL,
		};
		past->n_policies = i + 1;
		if (path && !policy->path)
			return error_no_memory(error);
	}
	return 0;
}

/* Take the addresses of the interface, which who uses them checks. */
static int parse_addresses(struct incident_past *past, const json_t *list, struct error *error)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *text = json_string_value(json_array_get(list, i));

		if (!text || i == PAST_ADDRESSES_MAX || strlen(text) >= PREFIX_TEXT_MAX ||
		    !is_showable(text))
			return error_input(error, "address %zu is none", i);
		strcpy(past->addresses[past->n_addresses++], text);
	}
	return 0;
}

/* Take what recorder.json says. */
static int take_json(struct incident_past *past, const json_t *json, struct error *error)
{
	json_int_t written_ns, offset_ns, record_bytes, records;
	const char *interface, *byte_order;
	json_t *rules, *policies, *addresses;
	int ip_forward, err;

	if (json_unpack((json_t *)json, "{s:s,s:I,s:I,s:s,s:I,s:I,s:b,s:o,s:o,s:o}", "interface",
			&interface, "written_ns", &written_ns, "clock_offset_ns", &offset_ns,
			"byte_order", &byte_order, "record_bytes", &record_bytes, "records",
			&records, "ip_forward", &ip_forward, "addresses", &addresses, "rules",
			&rules, "policies", &policies))
		return error_input(error, "a key is missing, or has no value of its kind");
	if (strcmp(byte_order, BYTE_ORDER_NAME) || record_bytes != sizeof(struct record))
		return error_input(error, "records are of a host or a version that this one cannot "
					  "read");
	if (written_ns < 0 || records < 0 || path_check_name(interface, error))
		return error_input(error, "the interface or a number is none");
	strcpy(past->interface, interface);
	past->written_ns = (uint64_t)written_ns;
	past->offset_ns = (uint64_t)offset_ns;
	past->n_records = (size_t)records;
	past->ip_forward = ip_forward;
	err = parse_addresses(past, addresses, error);
	if (!err)
		err = parse_rules(past, rules, error);
	return err ? err : parse_policies(past, policies, error);
}

/**
 * past_file_parse() - Read recorder.json
 * @past: all zero; is filled but for records and texts of policies, for incident_past_free() also
 *	  on failure
 * @text, @len: what is in the file
 * @error: set on failure
 *
 * Return: 0, -EINVAL (invalid input) or -ENOMEM.
 */
int past_file_parse(struct incident_past *past, const char *text, size_t len, struct error *error)
{
	json_t *json = json_loadb(text, len, 0, NULL);
	int err = json ? take_json(past, json, error) : error_input(error, "no JSON");

	json_decref(json);
	return err ? error_prefix(error, JSON_NAME) : 0;
}

/**
 * past_file_records() - Take what is in recorder.bin
 * @past: past_file_parse() has filled it; has @bytes afterwards, and frees it
 * @bytes, @len: what is in the file
 * @error: set on failure, and @bytes is freed
 *
 * Return: 0 or -EINVAL (invalid input).
 */
int past_file_records(struct incident_past *past, char *bytes, size_t len, struct error *error)
{
	struct record *records = (struct record *)bytes;
	size_t n = len / sizeof(*records);
	uint64_t last_ns = 0;
	int err = 0;

	if (past->records || len % sizeof(*records) || n != past->n_records)
		err = error_input(error, RECORDS_NAME ": not as many records as were written");
	for (size_t i = 0; i < n && !err; i++) {
		if (records[i].reason >= REASON_MAX || !records[i].count ||
		    records[i].time_ns < last_ns)
			err = error_input(error, RECORDS_NAME ": record %zu is none", i);
		last_ns = records[i].time_ns;
	}
	if (err)
		free(bytes);
	else
		past->records = records;
	return err;
}

/* Take the text of a policy, if it is that. */
static int take_text(struct incident_past *past, struct unpacker *unpacker, const char *name,
		     struct error *error)
{
	char expected[NAME_BYTES];

	for (size_t i = 0; i < past->n_policies; i++) {
		struct incident_policy *policy = &past->policies[i];

		if (!policy->text && !strcmp(name, policy_name(policy->number, expected)))
			return unpack_take(unpacker, YAML_TEXT_MAX, &policy->text, &policy->len,
					   error);
	}
	return 0;
}

/* Take a member, if it is one of the past; recorder.json comes before the others. */
static int take_member(struct incident_past *past, struct unpacker *unpacker, const char *name,
		       struct error *error)
{
	bool is_begun = past->interface[0];
	char *bytes;
	size_t len;
	int err;

	if (!is_begun && !strcmp(name, JSON_NAME)) {
		err = unpack_take(unpacker, PAST_JSON_MAX, &bytes, &len, error);
		if (err)
			return err;
		err = past_file_parse(past, bytes, len, error);
		free(bytes);
		return err;
	}
	if (is_begun && !strcmp(name, RECORDS_NAME)) {
		err = unpack_take(unpacker, PAST_RECORDS_MAX, &bytes, &len, error);
		return err ? err : past_file_records(past, bytes, len, error);
	}
	return is_begun ? take_text(past, unpacker, name, error) : 0;
}

/* Go through all members of a report. */
static int take_members(struct incident_past *past, struct unpacker *unpacker, struct error *error)
{
	const char *name;
	int err;

	while ((err = unpack_next(unpacker, &name, error)) == 1) {
		err = take_member(past, unpacker, name, error);
		if (err)
			return err;
	}
	if (!err && !past->interface[0])
		err = error_input(error, JSON_NAME " is missing");
	if (!err && !past->records)
		err = error_input(error, RECORDS_NAME " is missing");
	return err;
}

/**
 * past_file_read() - Read the past of an interface from a report
 * @path: of the report
 * @past: is filled, for incident_past_free(); policies whose texts are missing have none
 * @error: set on failure
 *
 * Return: 0, -EINVAL (invalid input) where it is no report or a broken one, or another -errno.
 */
int past_file_read(const char *path, struct incident_past *past, struct error *error)
{
	struct unpacker *unpacker;
	int err = unpack_open(path, &unpacker, error);

	if (err)
		return err;
	*past = (struct incident_past){.n_policies = 0};
	err = take_members(past, unpacker, error);
	unpack_close(unpacker);
	if (!err)
		return 0;
	incident_past_free(past);
	return error_prefix(error, "%.200s", path);
}
