/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * shrike policy diff: what a policy would change, before it does.
 *
 * Connections are printed one at a time, so that a million of them need no more memory than the
 * list of their fates.
 */
#include <errno.h>
#include <jansson.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "addresses.h"
#include "cmd_policy.h"
#include "dataplane.h"
#include "output.h"
#include "policy_diff.h"

/* Everything that a comparison is made of. */
struct comparison {
	const char *ifname;
	const char *path;
	bool json;
	struct link_info link;
	struct live live;
	struct policy *policy[2]; /* in force, and the other one */
	struct classifier *classifier[2];
	struct fates fates;
	json_t *diff;
};

static const char *const kind_keys[FATE_KINDS] = {"cut", "opened", "moved"};

static const char *const whys[FATE_WHYS] = {
	[FATE_PEER_DEFAULT] = "no rule of peer_acl",
	[FATE_ROUTE_DEFAULT] = "no rule of route_acl",
	[FATE_TRACKED] = "connection tracking",
	[FATE_NATIVE] = "native routing without ACL",
	[FATE_NO_ROUTING] = "routing disabled",
	[FATE_OVERLAY] = "overlay block",
	[FATE_TIMEOUT] = "timeout",
	[FATE_TRANSLATE] = "address or port translation",
	[FATE_HANDED] = "change between kernel and forwarder",
};

/* ---- making it ---- */

static int plan_in_force(struct comparison *c, struct error *error)
{
	struct dataplane_request request = {
		.ifname = c->ifname,
		.policy_path = c->live.instance.policy_path,
		.caller = DATAPLANE_APPLY,
		.before = &c->live,
		.warn = command_warn,
	};
	char *text = NULL;
	struct mode mode;
	int err = live_policy_text(&c->live, &text, &request.policy_len, error);

	request.policy_text = text;
	if (!err)
		err = dataplane_plan(&request, &c->link, &mode, &c->policy[0], error);
	free(text);
	c->fates.before.config = c->live.instance.config;
	return err;
}

static int plan_other(struct comparison *c, struct error *error)
{
	struct dataplane_request request = {
		.ifname = c->ifname,
		.policy_path = c->path,
		.caller = DATAPLANE_APPLY,
		.before = &c->live,
		.warn = command_warn,
	};
	struct config *config = &c->fates.after.config;
	struct mode mode;
	int err = dataplane_plan(&request, &c->link, &mode, &c->policy[1], error);

	if (err)
		return err;
	*config = (struct config){
		.hook = mode.hook,
		.routing = mode.routing,
		.stateful = c->policy[1]->mode.stateful,
		.native_acl = c->policy[1]->mode.native_acl,
		.netstack = c->policy[1]->mode.netstack,
		.local_forwarding = c->policy[1]->mode.local_forwarding,
	};
	generation_set_timeouts(&c->policy[1]->timeouts, config);
	return 0;
}

static int compile(struct comparison *c, int side, struct fate_side *to, struct error *error)
{
	struct prefix *overlay = NULL;
	size_t n_overlay = 0;
	int err = 0;

	if (config_has_forwarder(&to->config))
		err = addresses_overlay_prefixes(c->link.ifindex, &overlay, &n_overlay, error);
	if (!err)
		err = classifier_compile(c->policy[side], overlay, n_overlay,
					 CLASSIFIER_BUDGET_BYTES, &c->classifier[side], error);
	free(overlay);
	to->policy = c->policy[side];
	to->classifier = c->classifier[side];
	return err;
}

static int read_local(struct comparison *c, struct error *error)
{
	struct interface_address *addresses;
	size_t n;
	int err = netlink_read_addresses(&addresses, &n, error);

	if (err)
		return err;
	c->fates.local = calloc(n + 1, sizeof(*c->fates.local));
	if (!c->fates.local)
		err = error_set(error, ENOMEM, "out of memory");
	for (size_t i = 0; i < n && !err; i++)
		c->fates.local[c->fates.n_local++] = (struct local_address){
			.prefix = {.addr = addresses[i].addr,
				   .ip_version = addresses[i].ip_version},
			.kind = addresses[i].ifindex == c->link.ifindex ? LOCAL_OVERLAY
									: LOCAL_HOST,
		};
	free(addresses);
	return err;
}

static int look_at_connections(struct comparison *c, struct error *error)
{
	struct conntrack conntrack;
	struct flow_clock clock;
	int err = live_conntrack(&c->live.maps, &conntrack, error);

	if (err)
		return err;
	error_set(error, ENOMEM, "out of memory"); /* what the visitor can fail with */
	fates_init(&c->fates);
	live_clock(&c->live.instance, &clock);
	err = conntrack_walk(&conntrack, &clock, NULL, fates_visit, &c->fates, error);
	if (!err)
		fates_sort(&c->fates);
	return err;
}

static int compare(struct comparison *c, struct error *error)
{
	int err = plan_in_force(c, error);

	if (!err)
		err = plan_other(c, error);
	if (!err)
		err = compile(c, 0, &c->fates.before, error);
	if (!err)
		err = compile(c, 1, &c->fates.after, error);
	if (!err)
		err = policy_diff(&c->fates.before, &c->fates.after, &c->diff, error);
	if (!err)
		err = read_local(c, error);
	return err ? err : look_at_connections(c, error);
}

/* ---- printing it ---- */

static const char *rule_id(const struct fate_side *side, const struct fate_cause *cause)
{
	if (cause->why != FATE_RULE)
		return NULL;
	return classifier_rule(side->classifier, cause->rule).rule->id;
}

static void print_cause(const struct fate_side *side, const struct fate_cause *cause)
{
	const char *id = rule_id(side, cause);

	printf("%s%s", id ? "rule " : "", id ? id : whys[cause->why]);
}

static void print_group(const struct comparison *c, const struct fate *first, size_t n)
{
	static const char *const titles[FATE_KINDS] = {"would be cut", "would be opened",
						       "would go on"};

	printf("%s by ", titles[first->kind]);
	print_cause(&c->fates.after, &first->after);
	printf(", %s by ", first->kind == FATE_OPENED ? "now ended" : "now allowed");
	print_cause(&c->fates.before, &first->before);
	printf(": %zu\n", n);
}

static void print_end(const struct fate *fate, int end, char *text, size_t size)
{
	char addr[ADDR_TEXT_MAX];
	bool v6 = fate->ip_version == IP_VERSION_6;

	addr_format(&fate->addr[end], fate->ip_version, addr, sizeof(addr));
	if (fate->l4_proto == IPPROTO_TCP || fate->l4_proto == IPPROTO_UDP)
		snprintf(text, size, v6 ? "[%s]:%u" : "%s:%u", addr, fate->port[end]);
	else
		snprintf(text, size, "%s", addr);
}

static void print_fate(const struct fate *fate)
{
	char from[ADDR_TEXT_MAX + 16], to[ADDR_TEXT_MAX + 16], number[FLOW_PROTOCOL_NUMBER];

	print_end(fate, 0, from, sizeof(from));
	print_end(fate, 1, to, sizeof(to));
	printf("  %s %s -> %s", flow_protocol_name(fate->l4_proto, fate->ip_version, number), from,
	       to);
	if (fate->l4_proto == IPPROTO_TCP)
		printf(" %s", flow_state_name(fate->state));
	else if (fate->state == FLOW_STATE_ICMP)
		printf(" id %u", fate->icmp_id);
	putchar('\n');
}

static int print_text(const struct comparison *c, struct error *error)
{
	const struct instance *instance = &c->live.instance;
	const struct fates *fates = &c->fates;
	size_t differences, end;

	printf("--- %s, generation %u, %s\n+++ %s\n", c->ifname, instance->config.generation,
	       instance->policy_path[0] ? instance->policy_path : "(default)", c->path);
	differences = policy_diff_print(c->diff, stdout);
	if (!differences)
		printf("the policies say the same\n");
	printf("connections: %llu, of which %zu would be cut, %zu opened, %zu would go on by "
	       "another rule\n",
	       (unsigned long long)fates->n_flows, fates->n_kind[FATE_CUT],
	       fates->n_kind[FATE_OPENED], fates->n_kind[FATE_MOVED]);
	for (size_t i = 0; i < fates->n && !ferror(stdout); i = end) {
		for (end = i;
		     end < fates->n && fates_same_group(&fates->list[i], &fates->list[end]); end++)
			;
		print_group(c, &fates->list[i], end - i);
		for (size_t j = i; j < end; j++)
			print_fate(&fates->list[j]);
	}
	return output_flush(stdout, error);
}

static json_t *cause_json(const struct fate_side *side, const struct fate_cause *cause)
{
	const char *id = rule_id(side, cause);

	return json_pack("{s:s?,s:s?}", "rule", id, "why", id ? NULL : whys[cause->why]);
}

static json_t *fate_json(const struct comparison *c, const struct fate *fate)
{
	char from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX], number[FLOW_PROTOCOL_NUMBER];
	json_t *object =
		json_pack("{s:s,s:s,s:s,s:s,s:s}", "protocol",
			  flow_protocol_name(fate->l4_proto, fate->ip_version, number), "family",
			  fate->ip_version == IP_VERSION_4 ? "ipv4" : "ipv6", "state",
			  flow_state_name(fate->state), "src",
			  addr_format(&fate->addr[0], fate->ip_version, from, sizeof(from)), "dst",
			  addr_format(&fate->addr[1], fate->ip_version, to, sizeof(to)));

	if (fate->l4_proto == IPPROTO_TCP || fate->l4_proto == IPPROTO_UDP) {
		json_object_set_new(object, "sport", json_integer(fate->port[0]));
		json_object_set_new(object, "dport", json_integer(fate->port[1]));
	} else {
		json_object_set_new(object, "id", json_integer(fate->icmp_id));
	}
	json_object_set_new(object, "before", cause_json(&c->fates.before, &fate->before));
	json_object_set_new(object, "after", cause_json(&c->fates.after, &fate->after));
	return object;
}

/* The head by jansson, the connections one by one. */
static int print_json(const struct comparison *c, struct error *error)
{
	const struct fates *fates = &c->fates;
	size_t i = 0;
	char *head;

	json_object_set_new(c->diff, "interface", json_string(c->ifname));
	json_object_set_new(c->diff, "generation",
			    json_integer(c->live.instance.config.generation));
	json_object_set_new(c->diff, "policy", json_string(c->path));
	json_object_set_new(c->diff, "connections", json_integer(fates->n_flows));
	head = json_dumps(c->diff, JSON_COMPACT);
	if (!head)
		return error_set(error, ENOMEM, "out of memory");
	printf("%.*s", (int)strlen(head) - 1, head);
	free(head);
	for (int kind = 0; kind < FATE_KINDS; kind++) {
		printf(",\n\"%s\":[", kind_keys[kind]);
		for (bool any = false; i < fates->n && fates->list[i].kind == kind; i++) {
			json_t *object = fate_json(c, &fates->list[i]);

			fputs(any ? ",\n" : "\n", stdout);
			json_dumpf(object, stdout, JSON_COMPACT);
			json_decref(object);
			any = true;
		}
		putchar(']');
	}
	puts("}");
	return output_flush(stdout, error);
}

static int diff(struct comparison *c, struct error *error)
{
	int err = netlink_link_by_name(c->ifname, &c->link, error);

	if (err)
		return err;
	err = live_open(c->link.ifindex, &c->live, error);
	if (err)
		return error_prefix(error, "%s", c->ifname);
	err = compare(c, error);
	if (!err)
		err = c->json ? print_json(c, error) : print_text(c, error);
	live_close(&c->live);
	fates_free(&c->fates);
	free(c->fates.local);
	json_decref(c->diff);
	for (int side = 0; side < 2; side++) {
		classifier_free(c->classifier[side]);
		policy_free(c->policy[side]);
	}
	return err;
}

/**
 * policy_command_diff() - shrike policy diff
 */
int policy_command_diff(const struct command *command, int argc, char **argv)
{
	static const struct option options[] = {COMMON_LONG_OPTIONS, {}};
	struct comparison comparison = {.json = false};
	char name[IF_NAMESIZE];
	struct error error;
	int option, err, ifindex;

	while ((option = getopt_long(argc, argv, "jv", options, NULL)) != -1) {
		if (option == OPTION_HELP)
			return command_help(command);
		if (option == '?')
			return command_unknown_option(command, argv);
		comparison.json |= option == 'j';
	}
	if (argc - optind < 1 || argc - optind > 2)
		return command_usage(command, "a policy file is needed");
	comparison.ifname = name;
	comparison.path = argv[argc - 1];
	err = policy_command_interface(argc - optind == 2 ? argv[optind] : NULL, name, &ifindex,
				       &error);
	if (!err)
		err = diff(&comparison, &error);
	return err ? command_fail(&error) : EXIT_DONE;
}
