/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * shrike policy diff: what a policy would change, before it does.
 *
 * Connections are printed one at a time, so that a million of them need no more memory than the
 * list of those that differ.
 */
#include <errno.h>
#include <jansson.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/names.h"
#include "base/output.h"
#include "cli/cmd_policy.h"
#include "cli/diff_names.h"
#include "cli/policy_source.h"
#include "conntrack/flow_id.h"
#include "conntrack/tables.h"
#include "dataplane/dataplane.h"
#include "dataplane/preview.h"
#include "follow/follow.h"
#include "follow/newest.h"
#include "kernel/lock.h"
#include "policy/parse.h"
#include "review/diff.h"
#include "review/impact.h"
#include "trace/record_print.h"

#define END_TEXT_MAX 96 /* a name or an address, and a port */

/* Everything that a comparison is made of. */
struct comparison {
	char iface[IF_NAMESIZE];
	const char *ifname; /* or the first file */
	const char *path;   /* or what the other policy is, where its text is known */
	const char *socket; /* of NetBird's daemon, whose map makes the other policy; NULL: none */
	struct part_text text;
	char name[64];
	bool is_followed; /* so that applying a file would keep NetBird's part */
	bool json;
	bool numeric; /* addresses, and not their names */
	struct link_info link;
	struct attached attached;
	struct policy *policy[2]; /* in force, and the other one */
	struct impacts impacts;
	json_t *diff;
};

static const char *const kind_keys[IMPACT_KINDS] = {"cut", "opened", "moved"};

/* Causes that are named differently here than as reasons of packets. */
static const char *const whys[IMPACT_WHYS] = {
	[REASON_PEER_ACL_DEFAULT] = "no rule of peer_acl",
	[REASON_ROUTE_ACL_DEFAULT] = "no rule of route_acl",
	[REASON_ESTABLISHED] = "connection tracking",
	[REASON_NATIVE_ROUTER] = "native routing without ACL",
	[REASON_ROUTING_DISABLED] = "routing disabled",
	[REASON_OVERLAY_BLOCKED] = "overlay block",
	[REASON_MARTIAN_SOURCE] = "martian source address",
	[REASON_MARTIAN_DEST] = "martian destination address",
	[REASON_NO_FORWARDER] = "lack of a userspace forwarder",
	[IMPACT_TIMEOUT] = "timeout",
	[IMPACT_NO_ROOM] = "no room in the connection table",
	[IMPACT_TRANSLATE] = "address or port translation",
	[IMPACT_HANDED] = "change between kernel and forwarder",
};

/* ---- making it ---- */

/* Read the policy in force, and clone its generation. */
static int plan_in_force(struct comparison *c, struct error *error)
{
	struct dataplane_request request = {
		.ifname = c->ifname,
		.policy_path = c->attached.instance.policy_path,
		.caller = DATAPLANE_APPLY,
		.before = &c->attached,
		.warn = command_warn,
	};
	char *text = NULL;
	struct mode mode;
	int err = attached_policy_text(&c->attached, &text, &request.policy_len, error);

	request.policy_text = text;
	if (!err)
		err = dataplane_plan(&request, &c->link, &mode, &c->policy[0], error);
	free(text);
	return err;
}

/* The policy in force with the newest of NetBird's maps. */
static int join_newest(struct comparison *c, struct error *error)
{
	const char *path = c->attached.instance.policy_path;
	struct part_text whole = {}, own = {}, old = {};
	struct newest newest = {};
	int err = newest_fetch(c->ifname, c->socket, &newest, error);

	if (!err)
		err = attached_policy_text(&c->attached, &whole.text, &whole.len, error);
	if (!err)
		err = part_split(path, &whole, &own, &old, error);
	if (!err)
		err = part_join(path, &own, &newest.part, &c->text, error);
	if (!err) {
		snprintf(c->name, sizeof(c->name), "NetBird map serial %llu",
			 (unsigned long long)newest.serial);
		c->path = c->name;
	}
	free(whole.text);
	free(own.text);
	free(old.text);
	free(newest.part.text);
	return err;
}

/* Build a dry-run clone of the policy to compare with. */
static int clone_other(struct comparison *c, struct error *error)
{
	struct dataplane_request request = {
		.ifname = c->ifname,
		.policy_path = c->text.text ? c->attached.instance.policy_path : c->path,
		.policy_text = c->text.text,
		.policy_len = c->text.len,
		.keeps_part = c->is_followed && !c->text.text,
		.caller = DATAPLANE_APPLY,
		.before = &c->attached,
		.warn = command_warn,
	};
	struct generation *clone;
	int err = dataplane_clone(&request, &c->link, &c->policy[1], &clone, error);

	if (!err)
		err = impacts_open(&c->attached, clone, &c->impacts, error);
	if (!err) /* whoever runs sees to a forwarder when the policy comes into force */
		c->impacts.forwarder_comes = lock_is_held(LOCK_RUN, c->ifname);
	return err;
}

static int compare_policies(struct comparison *c, struct error *error)
{
	const struct policy_side before = {c->policy[0], &c->attached.instance.config};
	const struct policy_side after = {c->policy[1],
					  &c->impacts.after.generation->instance.config};

	return policy_diff(&before, &after, &c->diff, error);
}

/* Ask both clones about every tracked connection. */
static int look_at_connections(struct comparison *c, struct error *error)
{
	struct conntrack conntrack;
	struct flow_clock clock;
	int err = conntrack_open(&c->attached.maps, &conntrack, error);

	if (err)
		return err;
	c->impacts.error = error;
	flow_clock_read(&c->attached.instance, &clock);
	err = conntrack_walk(&conntrack, &clock, NULL, impacts_visit, &c->impacts, error);
	if (!err)
		impacts_sort(&c->impacts);
	return err;
}

static int compare(struct comparison *c, struct error *error)
{
	int err = plan_in_force(c, error);

	if (!err)
		err = clone_other(c, error);
	if (!err)
		err = compare_policies(c, error);
	return err ? err : look_at_connections(c, error);
}

/* ---- printing it ---- */

static const char *why(const struct impact_cause *cause)
{
	return whys[cause->why] ? whys[cause->why] : reason_help(cause->why);
}

/* A built-in rule has no id. */
static const char *rule_id(const struct impact_cause *cause)
{
	return cause->rule ? cause->rule->rule.id : NULL;
}

static void print_cause(const struct impact_cause *cause)
{
	const char *id = rule_id(cause);

	printf(id ? " by rule %s" : " (%s)", id ? id : why(cause));
}

static void print_group(const struct impact *first, size_t n)
{
	static const char *const titles[IMPACT_KINDS] = {"would be cut", "would be opened",
							 "would go on"};

	printf("%s", titles[first->kind]);
	print_cause(&first->after);
	printf(", %s", first->kind == IMPACT_OPENED ? "now ended" : "now allowed");
	print_cause(&first->before);
	printf(": %zu\n", n);
}

static const char *name_of_end(const struct comparison *c, const struct impact *impact, int end)
{
	return diff_name(c->policy, &impact->addr[end], impact->ip_version);
}

static void print_end(const struct comparison *c, const struct impact *impact, int end,
		      char text[END_TEXT_MAX])
{
	char addr[ADDR_TEXT_MAX];
	bool v6 = impact->ip_version == IP_VERSION_6;
	const char *name = c->numeric ? NULL : name_of_end(c, impact, end);

	addr_format(&impact->addr[end], impact->ip_version, addr, sizeof(addr));
	if (!l4_has_ports(impact->l4_proto))
		snprintf(text, END_TEXT_MAX, "%s", name ? name : addr);
	else
		snprintf(text, END_TEXT_MAX, v6 && !name ? "[%s]:%u" : "%s:%u", name ? name : addr,
			 impact->port[end]);
}

/* Print a connection, and what becomes of it. */
static void print_impact(const struct comparison *c, const struct impact *impact)
{
	char from[END_TEXT_MAX], to[END_TEXT_MAX], number[FLOW_PROTOCOL_NUMBER];

	print_end(c, impact, 0, from);
	print_end(c, impact, 1, to);
	printf("  %s %s -> %s", flow_protocol_name(impact->l4_proto, impact->ip_version, number),
	       from, to);
	if (impact->l4_proto == IPPROTO_TCP)
		printf(" %s", flow_state_name(impact->state));
	else if (impact->state == FLOW_STATE_ICMP)
		printf(" id %u", impact->icmp_id);
	putchar('\n');
}

static void print_differences(const struct comparison *c)
{
	if (!c->numeric)
		diff_use_names(c->policy, c->diff);
	if (!policy_diff_print(c->diff, stdout))
		printf("the policies say the same\n");
}

/* Print the differences, and the connections that they affect, as text. */
static int print_text(const struct comparison *c, struct error *error)
{
	const struct instance *instance = &c->attached.instance;
	const struct impacts *impacts = &c->impacts;
	size_t end;

	printf("--- %s, generation %u, %s\n+++ %s\n", c->ifname, instance->config.generation,
	       instance->policy_path[0] ? instance->policy_path : "(default)", c->path);
	print_differences(c);
	printf("connections: %llu, of which %zu would be cut, %zu opened, %zu would go on by "
	       "another rule\n",
	       (unsigned long long)impacts->n_flows, impacts->n_kind[IMPACT_CUT],
	       impacts->n_kind[IMPACT_OPENED], impacts->n_kind[IMPACT_MOVED]);
	for (size_t i = 0; i < impacts->n && !ferror(stdout); i = end) {
		for (end = i;
		     end < impacts->n && impacts_same_group(&impacts->list[i], &impacts->list[end]);
		     end++)
			;
		print_group(&impacts->list[i], end - i);
		for (size_t j = i; j < end; j++)
			print_impact(c, &impacts->list[j]);
	}
	return output_flush(stdout, error);
}

static json_t *cause_json(const struct impact_cause *cause)
{
	const char *id = rule_id(cause);

	return json_pack("{s:s?,s:s?}", "rule", id, "why", id ? NULL : why(cause));
}

/* A connection, and what becomes of it, as JSON. */
static json_t *impact_json(const struct comparison *c, const struct impact *impact)
{
	char from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX], number[FLOW_PROTOCOL_NUMBER], id[FLOW_ID_LEN];
	json_t *object = json_pack(
		"{s:s,s:s,s:s,s:s,s:s,s:s}", "flow", flow_id_text(impact->id, id), "protocol",
		flow_protocol_name(impact->l4_proto, impact->ip_version, number), "family",
		impact->ip_version == IP_VERSION_4 ? "ipv4" : "ipv6", "state",
		flow_state_name(impact->state), "src",
		addr_format(&impact->addr[0], impact->ip_version, from, sizeof(from)), "dst",
		addr_format(&impact->addr[1], impact->ip_version, to, sizeof(to)));

	if (l4_has_ports(impact->l4_proto)) {
		json_object_set_new(object, "sport", json_integer(impact->port[0]));
		json_object_set_new(object, "dport", json_integer(impact->port[1]));
	} else if (impact->state == FLOW_STATE_ICMP) {
		json_object_set_new(object, "icmp_id", json_integer(impact->icmp_id));
	}
	for (int end = 0; end < 2; end++) {
		const char *name = name_of_end(c, impact, end);

		if (name)
			json_object_set_new(object, end ? "dst_name" : "src_name",
					    json_string(name));
	}
	json_object_set_new(object, "before", cause_json(&impact->before));
	json_object_set_new(object, "after", cause_json(&impact->after));
	return object;
}

static int load(const char *path, struct policy **policy, struct error *error)
{
	int err = policy_load(path, policy, error);

	if (err && err != -ENOMEM)
		error->invalid_input = true;
	return err;
}

/* Compare two files, whatever is in force. */
static int diff_files(struct comparison *c, struct error *error)
{
	int err = load(c->ifname, &c->policy[0], error);

	if (!err)
		err = load(c->path, &c->policy[1], error);
	if (!err)
		err = policy_diff(&(struct policy_side){c->policy[0], NULL},
				  &(struct policy_side){c->policy[1], NULL}, &c->diff, error);
	if (err)
		return err;
	if (c->json)
		return output_json(json_pack("{s:o,s:o,s:O}", "before", output_json_text(c->ifname),
					     "after", output_json_text(c->path), "changes",
					     c->diff),
				   stdout, error);
	printf("--- %s\n+++ %s\n", c->ifname, c->path);
	print_differences(c);
	return output_flush(stdout, error);
}

/* The head by jansson, the connections one by one. */
static int print_json(const struct comparison *c, struct error *error)
{
	const struct instance *instance = &c->attached.instance;
	const struct impacts *impacts = &c->impacts;
	json_t *whole;
	size_t i = 0;
	char *head;

	whole = output_formed(json_pack(
		"{s:o,s:i,s:o,s:o,s:O,s:I}", "interface", output_json_text(c->ifname), "generation",
		instance->config.generation, "before",
		output_json_text(instance->policy_path[0] ? instance->policy_path : "(default)"),
		"after", output_json_text(c->path), "changes", c->diff, "tracked",
		(json_int_t)impacts->n_flows));
	head = json_dumps(whole, OUTPUT_JSON_FLAGS);
	json_decref(whole);
	if (!head)
		return error_no_memory(error);
	printf("%.*s", (int)strlen(head) - 1, head);
	free(head);
	for (int kind = 0; kind < IMPACT_KINDS; kind++) {
		printf(",\n\"%s\":[", kind_keys[kind]);
		for (bool any = false; i < impacts->n && impacts->list[i].kind == kind; i++) {
			json_t *object = output_part(impact_json(c, &impacts->list[i]));

			fputs(any ? ",\n" : "\n", stdout);
			json_dumpf(object, stdout, OUTPUT_JSON_FLAGS);
			json_decref(object);
			any = true;
		}
		putchar(']');
	}
	puts("}");
	return output_flush(stdout, error);
}

/* Compare the policy in force with the other one, and ask about connections. */
static int diff_in_force(struct comparison *c, const char *given, struct error *error)
{
	struct follow_status followed;
	int ifindex, err = policy_command_interface(given, c->iface, &ifindex, error);

	c->ifname = c->iface;
	c->is_followed = !err && follow_status_read(c->iface, &followed);
	if (c->socket && !*c->socket)
		c->socket = c->is_followed ? followed.socket : FOLLOW_SOCKET;
	if (!err)
		err = netlink_link_by_name(c->iface, &c->link, error);
	if (err)
		return err;
	err = attached_open(c->link.ifindex, &c->attached, error);
	if (err)
		return error_prefix(error, "%s", c->ifname);
	err = c->socket ? join_newest(c, error) : 0;
	if (!err)
		err = compare(c, error);
	if (!err)
		err = c->json ? print_json(c, error) : print_text(c, error);
	attached_close(&c->attached);
	impacts_close(&c->impacts);
	return err;
}

/* Compare what the arguments name; the exit status. */
static int diff(struct comparison *c, const char *first, bool exit_code)
{
	struct error error;
	int status, err;

	if (first && !c->socket && policy_source_is_file(first)) {
		c->ifname = first;
		err = diff_files(c, &error);
	} else {
		err = diff_in_force(c, first, &error);
	}
	status = err				 ? command_fail(&error)
		 : policy_diff_is_empty(c->diff) ? EXIT_DONE
						 : EXIT_DIFFERENT;
	json_decref(c->diff);
	free(c->text.text);
	for (int side = 0; side < 2; side++)
		policy_free(c->policy[side]);
	return status == EXIT_DIFFERENT && !exit_code ? EXIT_DONE : status;
}

/**
 * policy_command_diff() - shrike policy diff
 */
int policy_command_diff(const struct command *command, int argc, char **argv)
{
	static const struct option options[] = {
		{"netbird", optional_argument, NULL, OPTION_COMMAND},
		{"exit-code", no_argument, NULL, 'e'},
		NUMERIC_LONG_OPTION,
		COMMON_LONG_OPTIONS,
		{},
	};
	struct comparison comparison = {.json = false};
	struct error error;
	bool exit_code = false;
	int option, n_files;

	while ((option = command_option(argc, argv, "jv", options)) != -1) {
		if (option == OPTION_HELP)
			return command_help(command);
		if (option == '?')
			return command_unknown_option(command, argv);
		comparison.json |= option == 'j';
		exit_code |= option == 'e';
		comparison.numeric |= option == OPTION_NUMERIC;
		if (option != OPTION_COMMAND)
			continue;
		if (command_netbird(optarg, &comparison.socket, &error))
			return command_fail(&error);
		if (!optarg)
			comparison.socket = ""; /* as it is followed */
	}
	n_files = comparison.socket ? 0 : 1;
	if (argc - optind < n_files || argc - optind > n_files + 1)
		return command_usage(command, n_files ? "a policy file is needed"
						      : "NetBird's map is compared, and no file");
	comparison.path = n_files ? argv[argc - 1] : NULL;
	if (n_files && !policy_source_is_file(comparison.path) && strcmp(comparison.path, "-") &&
	    access(comparison.path, F_OK))
		return command_usage(command, "'%s' is no policy file", comparison.path);
	return diff(&comparison, argc - optind > n_files ? argv[optind] : NULL, exit_code);
}
