/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Policy files: reading, and the keys at the top.
 */
#include "policy/parse.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/names.h"
#include "base/value.h"
#include "policy/include.h"
#include "policy/mode_words.h"
#include "policy/parse_names.h"
#include "policy/parse_nat.h"
#include "policy/parse_rules.h"
#include "policy/parse_tests.h"
#include "yaml/yaml_file.h"

#define LIMIT_MAX	16777216 /* entries of a table */
#define SIZE_LIMIT_MAX	(1u << 30)
#define SOCKET_PATH_MAX 108	       /* bytes of struct sockaddr_un */
#define read_flag	yaml_read_bool /* the kinds of settings.h: read_KIND() */

/* Read the version, which decides what the rest means. */
static int parse_version(const struct yaml_doc *doc, const struct yaml_node *root,
			 struct error *error)
{
	const struct yaml_node *node;
	int err;

	err = yaml_require(doc, root, "version", error);
	if (err)
		return err;
	node = yaml_get(root, "version");
	if (node->kind != YAML_SCALAR || !node->plain || strcmp(node->text, "1") != 0)
		return yaml_error(doc, node->position, error, "version must be 1");
	return 0;
}

/* Read mode.routing. */
static int read_routing(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	_Static_assert(sizeof(enum policy_routing) == sizeof(unsigned int),
		       "a choice is read into it");

	return yaml_read_choice(in->doc, node, policy_routing_words, to, in->error);
}

static int read_hook(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	_Static_assert(sizeof(enum policy_hook) == sizeof(unsigned int),
		       "a choice is read into it");

	return yaml_read_choice(in->doc, node, policy_hook_words, to, in->error);
}

static int read_forwarder_input(const struct yaml_reader *in, const struct yaml_node *node,
				void *to)
{
	_Static_assert(sizeof(enum policy_forwarder_input) == sizeof(unsigned int),
		       "a choice is read into it");

	return yaml_read_choice(in->doc, node, policy_forwarder_input_words, to, in->error);
}

static int read_native_acl(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	const char *const names[] = {native_acl_name(false), native_acl_name(true), NULL};
	bool *enforce = to;
	unsigned int choice;
	int err;

	err = yaml_read_choice(in->doc, node, names, &choice, in->error);
	if (!err)
		*enforce = choice;
	return err;
}

/* Read a number of entries. */
static int parse_limit(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	uint32_t *limit = to;
	uint64_t number;
	int err;

	err = yaml_expect(in->doc, node, YAML_SCALAR, "a number of entries", in->error);
	if (err)
		return err;
	if (!node->plain)
		return yaml_error(in->doc, node->position, in->error,
				  "expected a number, not a text");
	if (number_parse(node->text, 1, LIMIT_MAX, &number, in->error))
		return yaml_locate(in->doc, node->position, in->error);
	*limit = (uint32_t)number;
	return 0;
}

/* Read a size of memory. */
static int parse_size_limit(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	uint32_t *limit = to;
	uint64_t bytes;
	int err;

	err = yaml_expect(in->doc, node, YAML_SCALAR, "a size", in->error);
	if (err)
		return err;
	if (size_parse(node->text, &bytes, in->error))
		return yaml_locate(in->doc, node->position, in->error);
	if (bytes > SIZE_LIMIT_MAX)
		return yaml_error(in->doc, node->position, in->error, "a size is at most 1G");
	*limit = (uint32_t)bytes;
	return 0;
}

/* Read a timeout. */
static int parse_timeout(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	uint64_t *timeout = to;
	uint64_t ns;
	int err;

	err = yaml_expect(in->doc, node, YAML_SCALAR, "a duration", in->error);
	if (err)
		return err;
	if (duration_parse(node->text, &ns, in->error))
		return yaml_locate(in->doc, node->position, in->error);
	if (ns < NS_PER_MS)
		return yaml_error(in->doc, node->position, in->error, "a timeout is at least 1ms");
	*timeout = ns;
	return 0;
}

static int parse_mode(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	static const struct yaml_field fields[] = {
#define MODE(name, type, kind, value) {#name, read_##kind, offsetof(struct policy_mode, name)},
		POLICY_MODES(MODE)
#undef MODE
	};

	return yaml_read_fields(in, node, fields, sizeof(fields) / sizeof(fields[0]), to);
}

static int parse_limits(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	static const struct yaml_field fields[] = {
#define LIMIT(name, entries) {#name, parse_limit, offsetof(struct policy_limits, name)},
		POLICY_LIMITS(LIMIT)
#undef LIMIT
#define SIZE_LIMIT(name, mebibytes) {#name, parse_size_limit, offsetof(struct policy_limits, name)},
			POLICY_SIZE_LIMITS(SIZE_LIMIT)
#undef SIZE_LIMIT
	};

	return yaml_read_fields(in, node, fields, sizeof(fields) / sizeof(fields[0]), to);
}

static int parse_timeouts(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	static const struct yaml_field fields[] = {
#define TIMEOUT(name, seconds, what) {#name, parse_timeout, offsetof(struct policy_timeouts, name)},
		POLICY_TIMEOUTS(TIMEOUT)
#undef TIMEOUT
	};

	return yaml_read_fields(in, node, fields, sizeof(fields) / sizeof(fields[0]), to);
}

/* What `routing: nat` does not go with. */
static int check_nat_routing(const struct yaml_doc *doc, const struct yaml_node *root,
			     const struct policy *policy, struct error *error)
{
	const struct yaml_node *mode = yaml_get(root, "mode");

	if (policy->mode.routing != POLICY_ROUTING_NAT)
		return 0;
	if (policy->mode.hook == POLICY_HOOK_XDP)
		return yaml_error(doc, yaml_get(mode, "hook")->position, error,
				  "routing: nat uses the TC hook: set hook to tc or auto");
	if (policy->mode.forwarder_input == POLICY_FORWARDER_INPUT_AF_XDP)
		return yaml_error(doc, yaml_get(mode, "forwarder_input")->position, error,
				  "routing: nat uses the TC hook, which does not reach AF_XDP "
				  "sockets: set forwarder_input to tun or auto");
	if (!policy->mode.stateful)
		return yaml_error(doc, yaml_get(mode, "stateful")->position, error,
				  "routing: nat needs connection tracking, or answers could not be "
				  "translated back");
	return 0;
}

/* Where ports are translated: in the user's policy, or else in NetBird's part. */
static const struct yaml_node *port_key(const struct yaml_node *root)
{
	const struct yaml_node *nat = yaml_get(root, "nat");
	const struct yaml_node *port = nat ? yaml_get(nat, "port") : NULL;

	return port ? port : yaml_get(yaml_get(yaml_get(root, "netbird"), "nat"), "port");
}

static int check_nat_port(const struct yaml_doc *doc, const struct yaml_node *root,
			  const struct policy *policy, struct error *error)
{
	if (!policy->n_nat_port || policy->mode.stateful)
		return 0;
	return yaml_error(doc, port_key(root)->key_position, error,
			  "port translation needs mode.stateful, or replies could not be "
			  "translated back");
}

static int check_forwarder_input(const struct yaml_doc *doc, const struct yaml_node *root,
				 const struct policy *policy, struct error *error)
{
	if (policy->mode.forwarder_input != POLICY_FORWARDER_INPUT_TUN ||
	    policy->mode.hook != POLICY_HOOK_XDP)
		return 0;
	return yaml_error(doc, yaml_get(yaml_get(root, "mode"), "forwarder_input")->position, error,
			  "forwarder_input: tun uses the TC hook, but mode.hook is xdp: set one of "
			  "them to auto");
}

/* What needs several keys of the file to judge. */
static int check_whole(const struct yaml_doc *doc, const struct yaml_node *root,
		       const struct policy *policy, struct error *error)
{
	int err;

	err = yaml_go_on(doc, error, check_nat_port(doc, root, policy, error));
	if (!err)
		err = yaml_go_on(doc, error, check_forwarder_input(doc, root, policy, error));
	if (!err)
		err = yaml_go_on(doc, error, check_nat_routing(doc, root, policy, error));
	return err ? err : parse_unique_ids(doc, root, policy, error);
}

/* Read the path of a socket. */
static int read_socket(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	char **socket = to;
	int err;

	err = yaml_expect(in->doc, node, YAML_SCALAR, "the path of a socket", in->error);
	if (err)
		return err;
	if (node->text[0] != '/' || strlen(node->text) >= SOCKET_PATH_MAX)
		return yaml_error(in->doc, node->position, in->error,
				  "'%.64s' is no absolute path of a socket", node->text);
	*socket = strdup(node->text);
	return *socket ? 0 : parse_no_memory(in->error);
}

/* Read what is followed. */
static int parse_follow(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	static const struct yaml_field fields[] = {
		{"netbird", read_socket, offsetof(struct policy, follow_netbird)},
	};

	return yaml_read_fields(in, node, fields, sizeof(fields) / sizeof(fields[0]), to);
}

/* NetBird's part stands in no file, so that its lines would be of none: its rule is named. */
static int blame_part(const struct parse *parse, struct error *error)
{
	const char *id = parse->rule ? parse->rule->id : NULL;
	char what[sizeof(error->text)];

	snprintf(what, sizeof(what), "%s", error->text + error->what);
	return error_input(error, "NetBird's %s%.80s%s: %.800s", id ? "rule '" : "part",
			   id ? id : "", id ? "'" : "", what);
}

/* Read NetBird's part, whose rules come behind all others. */
static int parse_part(const struct yaml_doc *doc, const struct yaml_node *node, struct parse *parse,
		      struct error *error)
{
	static const struct yaml_field fields[] = {
		{"version", NULL, 0}, /* the whole policy's */
		{"sets", NULL, 0},    /* read before rules */
		{"names", NULL, 0},
		{"peer_acl", parse_peer_acl, 0},
		{"route_acl", parse_route_acl, 0},
		{"nat", parse_part_nat, 0},
	};
	const struct yaml_reader in = {doc, parse, error};
	int err;

	parse->policy->has_netbird = parse->in_part = true;
	for (int i = 0; i < ACL_MAX; i++)
		parse->policy->acl[i].n_own = parse->policy->acl[i].n_rules;
	err = yaml_read_fields(&in, node, fields, sizeof(fields) / sizeof(fields[0]),
			       parse->policy);
	return err == -EINVAL ? blame_part(parse, error) : err;
}

/* Whether NetBird's part is there, or is to come. */
static bool names_netbird(const struct yaml_node *root)
{
	const struct yaml_node *follow = yaml_get(root, "follow");

	return yaml_get(root, "netbird") || (follow && yaml_get(follow, "netbird"));
}

/* Read a file that the policy includes: behind the policy itself, and behind files before it. */
static int parse_fragment(const struct yaml_reader *in, const struct yaml_node *node, void *unused)
{
	static const struct yaml_field fields[] = {
		{"version", NULL, 0}, /* read before */
		{"sets", NULL, 0},
		{"names", NULL, 0},
		{"peer_acl", parse_peer_acl, 0},
		{"route_acl", parse_route_acl, 0},
		{"tests", parse_tests, 0},
	};
	struct parse *parse = in->context;
	int err = 0;

	(void)unused;
	if (yaml_get(node, "version"))
		err = yaml_go_on(in->doc, in->error, parse_version(in->doc, node, in->error));
	return err ? err
		   : yaml_read_fields(in, node, fields, sizeof(fields) / sizeof(fields[0]),
				      parse->policy);
}

/* Read the files that the policy includes. */
static int parse_included(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	const struct yaml_node *file;
	int err = yaml_expect(in->doc, node, YAML_MAPPING, NULL, in->error);

	for (file = err ? NULL : node->first; file && !err; file = file->next)
		err = yaml_go_on(in->doc, in->error, parse_fragment(in, file, to));
	return err;
}

/* Who reads a policy's file has put in the files already that it includes. */
static int refuse_include(const struct yaml_reader *in, const struct yaml_node *node, void *unused)
{
	(void)unused;
	return yaml_error(in->doc, node->key_position, in->error,
			  "include works in a policy's file only");
}

/* The sets of files that the policy includes. */
static int parse_included_sets(const struct yaml_doc *doc, const struct yaml_node *root,
			       struct parse *parse, struct error *error)
{
	const struct yaml_node *included = yaml_get(root, INCLUDED_KEY), *file, *sets;
	int err = 0;

	parse->is_unique = true;
	file = included && included->kind == YAML_MAPPING ? included->first : NULL;
	for (; file && !err; file = file->next) {
		sets = yaml_get(file, "sets");
		if (sets)
			err = yaml_go_on(doc, error, parse_sets(doc, sets, parse, error));
	}
	parse->is_unique = false;
	return err;
}

/* Sets come before rules that refer to them; the user's before NetBird's, which they may replace. */
static int parse_all_sets(const struct yaml_doc *doc, const struct yaml_node *root,
			  struct parse *parse, struct error *error)
{
	const struct yaml_node *part = yaml_get(root, "netbird");
	const struct yaml_node *sets = yaml_get(root, "sets");
	int err = sets ? parse_sets(doc, sets, parse, error) : 0;

	if (!err)
		err = parse_included_sets(doc, root, parse, error);
	if (err || !part)
		return err;
	err = yaml_expect(doc, part, YAML_MAPPING, NULL, error);
	sets = err ? NULL : yaml_get(part, "sets");
	return sets ? parse_sets(doc, sets, parse, error) : err;
}

/* Read the policy's mapping: version, sets and names first, as other keys refer to them. */
static int parse_root(const struct yaml_doc *doc, const struct yaml_node *root, struct parse *parse,
		      struct error *error)
{
	static const struct yaml_field fields[] = {
		{"version", NULL, 0}, /* these three are read first */
		{"sets", NULL, 0},
		{"names", NULL, 0},
		{INCLUDED_KEY, NULL, 0}, /* and these last */
		{"netbird", NULL, 0},
		{INCLUDE_KEY, refuse_include, 0},
		{"follow", parse_follow, 0},
		{"mode", parse_mode, offsetof(struct policy, mode)},
		{"peer_acl", parse_peer_acl, 0},
		{"route_acl", parse_route_acl, 0},
		{"nat", parse_nat, 0},
		{"tests", parse_tests, 0},
		{"limits", parse_limits, offsetof(struct policy, limits)},
		{"timeouts", parse_timeouts, offsetof(struct policy, timeouts)},
#define SWITCH(name, value) {#name, yaml_read_bool, offsetof(struct policy, name)},
		POLICY_SWITCHES(SWITCH)
#undef SWITCH
	};
	const struct yaml_reader in = {doc, parse, error};
	const struct yaml_node *included, *part;
	int err;

	err = yaml_expect(doc, root, YAML_MAPPING, NULL, error);
	if (!err)
		err = yaml_go_on(doc, error, parse_version(doc, root, error));
	if (err)
		return err;
	parse->expects_netbird |= names_netbird(root);
	err = yaml_go_on(doc, error, parse_all_sets(doc, root, parse, error));
	if (!err)
		err = yaml_go_on(doc, error, parse_all_names(&in, root, &parse->policy->names));
	if (!err)
		err = yaml_read_fields(&in, root, fields, sizeof(fields) / sizeof(fields[0]),
				       parse->policy);
	included = err ? NULL : yaml_get(root, INCLUDED_KEY);
	if (included)
		err = yaml_go_on(doc, error, parse_included(&in, included, NULL));
	part = err ? NULL : yaml_get(root, "netbird");
	if (part)
		err = yaml_go_on(doc, error, parse_part(doc, part, parse, error));
	if (!err)
		err = yaml_go_on(doc, error, check_whole(doc, root, parse->policy, error));
	return !err && yaml_n_errors(doc) ? -EINVAL : err;
}

/**
 * policy_parse_node() - Read a policy that is part of another document
 * @doc: the document
 * @node: the policy's mapping
 * @source: to keep in struct policy
 * @policy: result, to be freed with policy_free()
 * @error: what is wrong and where
 *
 * Return: 0, -EINVAL or -ENOMEM.
 */
int policy_parse_node(const struct yaml_doc *doc, const struct yaml_node *node,
		      const struct policy_text *source, struct policy **policy, struct error *error)
{
	struct parse parse = {
		.policy = policy_create(source->path, source->text, source->len),
		.expects_netbird = source->expects_netbird,
	};
	int err;

	if (!parse.policy)
		return parse_no_memory(error);
	err = include_places(node, parse.policy) ? parse_no_memory(error) : 0;
	yaml_set_places(doc, parse.policy->places, parse.policy->n_places);
	if (!err)
		err = parse_root(doc, node, &parse, error);
	yaml_set_places(doc, NULL, 0);
	if (err)
		policy_free(parse.policy);
	else
		*policy = parse.policy;
	free(parse.set_names);
	return err;
}

/**
 * policy_read() - Read a policy from memory, and go on after an error
 * @source: the text; any bytes at all are safe
 * @policy: result, to be freed with policy_free()
 * @error: as of policy_parse(); has been told to @source->on_error if that was called
 *
 * Return: as policy_parse().
 */
int policy_read(const struct policy_text *source, struct policy **policy, struct error *error)
{
	struct yaml_doc *doc;
	int err;

	err = yaml_parse(source->path, source->text, source->len, &doc, error);
	if (err)
		return err;
	yaml_collect(doc, source->on_error, source->arg);
	err = policy_parse_node(doc, yaml_root(doc), source, policy, error);
	yaml_free(doc);
	return err;
}

/**
 * policy_parse() - Read a policy from memory
 * @path: name of the file for messages and struct policy; NULL: there is none
 * @text: YAML or JSON; any bytes at all are safe
 * @len: in bytes
 * @policy: result, to be freed with policy_free()
 * @error: "FILE:LINE:COLUMN: what" for a bad policy
 *
 * Return: 0, -EINVAL or -ENOMEM.
 */
int policy_parse(const char *path, const char *text, size_t len, struct policy **policy,
		 struct error *error)
{
	const struct policy_text source = {.path = path, .text = text, .len = len};

	return policy_read(&source, policy, error);
}

/* Read a policy's file, and those that it includes. */
static int read_file(const char *path, char **text, size_t *len, struct error *error)
{
	char *read;
	int err = yaml_read_file(path, &read, len, error);

	if (err)
		return err;
	err = include_expand(path, &read, len, error);
	if (err)
		free(read);
	else
		*text = read;
	return err;
}

/**
 * policy_read_text() - The text of a policy, whether it is one or not
 * @path: the file, "-" for standard input, NULL for the default policy
 * @text: set to it, NUL-terminated; the caller frees it
 * @len: set to its length
 * @error: "FILE: why" for a file that cannot be read
 *
 * Return: 0, -EINVAL for a file larger than 64 MiB, -ENOMEM, or what opening and reading failed with.
 */
int policy_read_text(const char *path, char **text, size_t *len, struct error *error)
{
	struct policy *policy;

	if (path)
		return read_file(path, text, len, error);
	policy = policy_default();
	if (!policy)
		return error_no_memory(error);
	*text = policy->text;
	*len = policy->text_len;
	policy->text = NULL;
	policy_free(policy);
	return 0;
}

/**
 * policy_load() - Read a policy file
 * @path: the file, "-" for standard input
 * @policy: result, to be freed with policy_free()
 * @error: "FILE:LINE:COLUMN: what" for a bad policy, "FILE: why" for a file that cannot be read
 *
 * Return: 0, -EINVAL for a bad policy or one larger than 64 MiB, -ENOMEM, or what opening and
 * reading the file failed with.
 */
int policy_load(const char *path, struct policy **policy, struct error *error)
{
	return policy_load_as(&(struct policy_text){.path = path}, policy, error);
}

/**
 * policy_load_as() - Read a policy file as it is said
 * @how: the file, "-" for standard input, and how to read it; its text is not looked at
 * @policy: result, to be freed with policy_free()
 * @error: as of policy_load(); has been told to @how->on_error if that was called
 *
 * Return: as policy_load().
 */
int policy_load_as(const struct policy_text *how, struct policy **policy, struct error *error)
{
	struct policy_text source = *how;
	char *text;
	size_t len;
	int err = read_file(how->path, &text, &len, error);

	if (err)
		return err;
	source.text = text;
	source.len = len;
	err = policy_read(&source, policy, error);
	free(text);
	return err;
}
