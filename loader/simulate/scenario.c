/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reading scenario files.
 *
 * The interface is read before the packets, wherever it stands in the file, because the link
 * decides which keys a packet may have.
 */
#include "simulate/scenario.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/value.h"
#include "policy/parse.h"
#include "simulate/fields.h"
#include "simulate/render.h"
#include "yaml/yaml.h"
#include "yaml/yaml_file.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define MTU_MIN 68 /* RFC 791 */

static int out_of_memory(const struct yaml_doc *doc, const struct yaml_node *node,
			 struct error *error)
{
	error_set(error, ENOMEM, "%s", strerror(ENOMEM));
	return yaml_locate(doc, node->position, error);
}

/* "ADDRESS" or "ADDRESS/LENGTH"; unlike that of a prefix the address keeps its host bits. */
static int parse_address(const char *text, struct prefix *prefix, struct error *error)
{
	const char *slash = strchr(text, '/');
	char address[ADDR_TEXT_MAX];
	struct prefix result;
	uint64_t len;
	int err;

	snprintf(address, sizeof(address), "%.*s", slash ? (int)(slash - text) : INT_MAX, text);
	err = addr_parse(strlen(address) == sizeof(address) - 1 ? text : address, &result.addr,
			 &result.ip_version, error);
	if (err)
		return err;
	len = prefix_bits(result.ip_version);
	if (slash) {
		err = number_parse(slash + 1, 0, len, &len, error);
		if (err)
			return err;
	}
	result.len = (uint8_t)len;
	*prefix = result;
	return 0;
}

/* Read a list of addresses with their prefix lengths. */
static int read_addresses(const struct yaml_doc *doc, const struct yaml_node *node,
			  struct prefix **addresses, size_t *n_addresses, struct error *error)
{
	const struct yaml_node *item;
	struct prefix *list;
	size_t n = 0;
	int err;

	err = yaml_expect(doc, node, YAML_SEQUENCE, "a list of addresses", error);
	if (err)
		return err;
	list = calloc(yaml_list_count(node) + 1, sizeof(*list));
	if (!list)
		return out_of_memory(doc, node, error);
	for (item = yaml_list_first(node); item; item = yaml_list_next(node, item), n++) {
		err = yaml_expect(doc, item, YAML_SCALAR, "an address", error);
		if (!err && parse_address(item->text, &list[n], error))
			err = yaml_locate(doc, item->position, error);
		if (err) {
			free(list);
			return err;
		}
	}
	*addresses = list;
	*n_addresses = n;
	return 0;
}

static int read_interface_addresses(const struct yaml_reader *in, const struct yaml_node *node,
				    void *to)
{
	struct scenario_interface *interface = to;

	return read_addresses(in->doc, node, &interface->addresses, &interface->n_addresses,
			      in->error);
}

static int read_local_addresses(const struct yaml_reader *in, const struct yaml_node *node,
				void *to)
{
	struct scenario *scenario = to;
	int err;

	err = read_addresses(in->doc, node, &scenario->local_addresses,
			     &scenario->n_local_addresses, in->error);

	for (size_t i = 0; !err && i < scenario->n_local_addresses; i++)
		prefix_truncate(&scenario->local_addresses[i], scenario->local_addresses[i].len);
	return err;
}

static int read_mtu(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	uint64_t mtu;
	int err;

	err = yaml_expect(in->doc, node, YAML_SCALAR, "a number of bytes", in->error);
	if (err)
		return err;
	if (number_parse(node->text, MTU_MIN, UINT16_MAX, &mtu, in->error))
		return yaml_locate(in->doc, node->position, in->error);
	*(uint16_t *)to = (uint16_t)mtu;
	return 0;
}

static int read_link(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	static const char *const names[] = {"l3", "ethernet", NULL};
	unsigned int choice;
	int err = yaml_read_choice(in->doc, node, names, &choice, in->error);

	if (!err)
		*(bool *)to = choice == 1;
	return err;
}

static int read_interface(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	static const struct yaml_field fields[] = {
		{"addresses", read_interface_addresses, 0},
		{"mtu", read_mtu, offsetof(struct scenario_interface, mtu)},
		{"link", read_link, offsetof(struct scenario_interface, ethernet)},
	};

	return yaml_read_fields(in, node, fields, ARRAY_SIZE(fields), to);
}

static int read_uplink_name(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	int err = yaml_expect(in->doc, node, YAML_SCALAR, "the name of a device", in->error);

	if (err)
		return err;
	if (!node->text[0] || strlen(node->text) >= POLICY_IFNAME_SIZE)
		return yaml_error(in->doc, node->position, in->error,
				  "'%.80s' is no name of a device", node->text);
	strcpy(to, node->text);
	return 0;
}

static int read_uplink(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	static const struct yaml_field fields[] = {
		{"name", read_uplink_name, offsetof(struct scenario_uplink, name)},
		{"addresses", read_interface_addresses,
		 offsetof(struct scenario_uplink, interface)},
		{"mtu", read_mtu, offsetof(struct scenario_uplink, interface.mtu)},
		{"link", read_link, offsetof(struct scenario_uplink, interface.ethernet)},
	};
	int err = yaml_read_fields(in, node, fields, ARRAY_SIZE(fields), to);

	if (!err)
		err = yaml_require(in->doc, node, "name", in->error);
	return err ? err : yaml_require(in->doc, node, "addresses", in->error);
}

/* A policy of its own file; the path counts from the folder of the scenario. */
static int load_policy(const struct scenario *scenario, const struct yaml_doc *doc,
		       const struct yaml_node *node, struct policy **policy, struct error *error)
{
	const char *slash = strrchr(scenario->path, '/');
	char path[PATH_MAX];
	int dir_len, len;

	dir_len = slash && node->text[0] != '/' ? (int)(slash + 1 - scenario->path) : 0;
	len = snprintf(path, sizeof(path), "%.*s%s", dir_len, scenario->path, node->text);
	if ((size_t)len >= sizeof(path))
		return yaml_error(doc, node->position, error, "the path is too long");
	if (policy_load(path, policy, error) == 0)
		return 0;
	if (error->invalid_input)
		return -error->code;
	error->invalid_input = true; /* the scenario names a file that cannot be read */
	return yaml_locate(doc, node->position, error);
}

/* A policy inside the scenario: errors and rules keep their place in the scenario's file. */
static int inline_policy(const struct scenario *scenario, const struct yaml_doc *doc,
			 const struct yaml_node *node, struct policy **policy, struct error *error)
{
	char *text;
	size_t len;
	int err;

	text = render_node(node, &len);
	if (!text)
		return out_of_memory(doc, node, error);
	err = policy_parse_node(
		doc, node, &(struct policy_text){.path = scenario->path, .text = text, .len = len},
		policy, error);
	free(text);
	return err;
}

static int read_policy(const struct scenario *scenario, const struct yaml_doc *doc,
		       const struct yaml_node *node, struct policy **policy, struct error *error)
{
	if (node->kind == YAML_MAPPING)
		return inline_policy(scenario, doc, node, policy, error);
	if (node->kind == YAML_SCALAR && node->text[0] && !yaml_is_null(node))
		return load_policy(scenario, doc, node, policy, error);
	return yaml_error(doc, node->position, error, "expected a policy or the path of one");
}

static int read_first_policy(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	struct scenario *scenario = to;

	return read_policy(scenario, in->doc, node, &scenario->policy, in->error);
}

/* Read an entry that puts another policy into force. */
static int read_apply(const struct scenario *scenario, const struct yaml_doc *doc,
		      const struct yaml_node *node, struct scenario_step *step, struct error *error)
{
	static const struct yaml_field fields[] = {
		{"at", NULL, 0},
		{"apply", NULL, 0},
	};
	const struct yaml_reader in = {.doc = doc, .error = error};
	int err;

	step->kind = SCENARIO_APPLY;
	err = yaml_read_fields(&in, node, fields, ARRAY_SIZE(fields), step);
	if (err)
		return err;
	return read_policy(scenario, doc, yaml_get(node, "apply"), &step->policy, error);
}

/* Where a packet comes in, unless by the protected interface. */
static int read_where(const struct scenario *scenario, const struct yaml_doc *doc,
		      const struct yaml_node *node, struct scenario_step *step, struct error *error)
{
	const struct yaml_node *where = yaml_get(node, "interface");
	int err;

	if (!where)
		return 0;
	err = yaml_expect(doc, where, YAML_SCALAR, "the name of the uplink", error);
	if (err)
		return err;
	if (!scenario->uplink.name[0] || strcmp(where->text, scenario->uplink.name))
		return yaml_error(doc, where->position, error, "no 'uplink' is named '%.80s'",
				  where->text);
	if (step->direction != DIR_INGRESS)
		return yaml_error(doc, where->position, error,
				  "what an uplink has is packets with 'direction: in' alone");
	step->direction = DIR_UPLINK;
	return 0;
}

/* Read an entry of the list of packets. */
static int read_step(const struct scenario *scenario, const struct yaml_doc *doc,
		     const struct yaml_node *node, struct scenario_step *step, struct error *error)
{
	const struct yaml_reader in = {.doc = doc, .error = error};
	const struct yaml_node *at = yaml_get(node, "at");
	uint64_t before_ns = step->at_ns;
	int err;

	step->position = node->position;
	if (at) {
		err = fields_read_time(&in, at, &step->at_ns);
		if (err)
			return err;
		if (step->at_ns < before_ns)
			return yaml_error(doc, at->position, error,
					  "'%.80s' is before the time of the previous entry",
					  at->text);
	}
	if (yaml_get(node, "apply"))
		return read_apply(scenario, doc, node, step, error);
	err = fields_read_packet(doc, node, scenario->interface.ethernet, step, error);
	return err ? err : read_where(scenario, doc, node, step, error);
}

/* Read the list of packets. */
static int read_steps(struct scenario *scenario, const struct yaml_doc *doc,
		      const struct yaml_node *node, struct error *error)
{
	const struct yaml_node *item;
	struct scenario_step *step;
	uint64_t now_ns = 0;
	int err;

	err = yaml_expect(doc, node, YAML_SEQUENCE, NULL, error);
	if (err)
		return err;
	scenario->steps = calloc(yaml_list_count(node) + 1, sizeof(*scenario->steps));
	if (!scenario->steps)
		return out_of_memory(doc, node, error);
	for (item = yaml_list_first(node); item; item = yaml_list_next(node, item)) {
		step = &scenario->steps[scenario->n_steps++];
		step->at_ns = now_ns;
		err = read_step(scenario, doc, item, step, error);
		if (err)
			return err;
		now_ns = step->at_ns;
	}
	return 0;
}

/* Read the scenario's mapping. */
static int read_scenario(struct scenario *scenario, const struct yaml_doc *doc, struct error *error)
{
	static const struct yaml_field fields[] = {
		{"policy", read_first_policy, 0},
		{"interface", read_interface, offsetof(struct scenario, interface)},
		{"uplink", read_uplink, offsetof(struct scenario, uplink)},
		{"local_addresses", read_local_addresses, 0},
		{"ip_forward", yaml_read_bool, offsetof(struct scenario, ip_forward)},
		{"packets", NULL, 0},
	};
	const struct yaml_reader in = {.doc = doc, .error = error};
	const struct yaml_node *root = yaml_root(doc);
	int err;

	err = yaml_read_fields(&in, root, fields, ARRAY_SIZE(fields), scenario);
	if (!err)
		err = yaml_require(doc, root, "policy", error);
	if (!err)
		err = yaml_require(doc, root, "packets", error);
	if (err)
		return err;
	return read_steps(scenario, doc, yaml_get(root, "packets"), error);
}

/**
 * scenario_parse() - Read a scenario from memory
 * @path: its name for messages; paths of policies count from its folder
 * @text: the YAML or JSON text
 * @len: bytes of @text
 * @scenario: set to the scenario, for scenario_free()
 * @error: "FILE:LINE:COLUMN: what" of the first thing that is wrong
 *
 * Return: 0, -EINVAL for a text that is no scenario, -ENOMEM, or why a policy cannot be read.
 */
int scenario_parse(const char *path, const char *text, size_t len, struct scenario **scenario,
		   struct error *error)
{
	struct scenario *result = NULL;
	struct yaml_doc *doc = NULL;
	int err;

	err = yaml_parse(path, text, len, &doc, error);
	if (err)
		goto out;
	result = calloc(1, sizeof(*result));
	if (result)
		result->path = strdup(path);
	if (!result || !result->path) {
		err = error_set(error, ENOMEM, "%s: %s", path, strerror(ENOMEM));
		goto out;
	}
	result->interface.mtu = SCENARIO_DEFAULT_MTU;
	result->uplink.interface.mtu = SCENARIO_DEFAULT_UPLINK_MTU;
	result->uplink.interface.ethernet = true;
	err = read_scenario(result, doc, error);
	if (err)
		goto out;
	*scenario = result;
	result = NULL;
out:
	scenario_free(result);
	yaml_free(doc);
	return err;
}

/**
 * scenario_load() - Read a scenario file
 * @path: the file, "-" for standard input
 * @scenario: set to the scenario, for scenario_free()
 * @error: "FILE:LINE:COLUMN: what" of the first thing that is wrong, or why the file or a policy
 *	   that it names cannot be read
 *
 * Return: 0, -EINVAL for a file that is no scenario, -ENOMEM, or why a file cannot be read.
 */
int scenario_load(const char *path, struct scenario **scenario, struct error *error)
{
	char *text;
	size_t len;
	int err;

	err = yaml_read_file(path, &text, &len, error);
	if (err)
		return err;
	err = scenario_parse(path, text, len, scenario, error);
	free(text);
	return err;
}

/**
 * scenario_free() - Free a scenario with its packets and policies
 * @scenario: may be NULL
 */
void scenario_free(struct scenario *scenario)
{
	size_t i;

	if (!scenario)
		return;
	for (i = 0; i < scenario->n_steps; i++) {
		free(scenario->steps[i].bytes);
		policy_free(scenario->steps[i].policy);
	}
	free(scenario->steps);
	free(scenario->interface.addresses);
	free(scenario->uplink.interface.addresses);
	free(scenario->local_addresses);
	policy_free(scenario->policy);
	free(scenario->path);
	free(scenario);
}
