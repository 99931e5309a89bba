/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * shrike policy block and unblock: peers that are cut off, whatever the policy says.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/output.h"
#include "base/value.h"
#include "cli/cmd_policy.h"
#include "conntrack/filter.h"
#include "conntrack/tables.h"
#include "dataplane/apply.h"
#include "dataplane/blocking.h"

#define ANY "cannot block everybody: detach the interface, or apply a policy without rules"

enum { OPTION_FOR = OPTION_COMMAND };

/*
 * struct asked - what was asked for
 * @peer: as the user wrote it
 * @prefixes: of the peer, once it is looked up
 * @for_ns: how long; 0: until it is unblocked
 */
struct asked {
	const char *given;
	const char *peer;
	struct prefix *prefixes;
	size_t n;
	uint64_t for_ns;
	bool unblock;
	bool json;
};

/* The addresses of a name of the policy in force. */
static int find_name(const struct attached *attached, struct asked *asked, struct error *error)
{
	const struct name_address *found;
	struct names names;
	int err = attached_names(attached, &names, error);
	size_t n;

	if (err)
		return err;
	found = names_find(&names, asked->peer, &n);
	if (!n) {
		names_free(&names);
		return error_input(error,
				   "%.80s: neither an address or prefix nor a name of the policy",
				   asked->peer);
	}
	asked->prefixes = calloc(n, sizeof(*asked->prefixes));
	asked->n = asked->prefixes ? n : 0;
	for (size_t i = 0; i < asked->n; i++)
		asked->prefixes[i] = names_prefix(&found[i]);
	names_free(&names);
	return asked->prefixes ? 0 : error_no_memory(error);
}

/* What the user means by a peer; names are looked up where no address or prefix is written. */
static int find_peer(int ifindex, struct asked *asked, struct error *error)
{
	struct attached attached;
	struct prefix prefix;
	int err;

	if (!strcmp(asked->peer, "any"))
		return error_input(error, ANY);
	err = prefix_parse(asked->peer, &prefix, error);
	if (err && (strpbrk(asked->peer, "/:") || !names_is_valid(asked->peer)))
		return error_prefix(error, "%.80s", asked->peer);
	if (err) {
		err = attached_open(ifindex, &attached, error);
		if (!err) {
			err = find_name(&attached, asked, error);
			attached_close(&attached);
		}
		return err;
	}
	asked->prefixes = malloc(sizeof(prefix));
	if (!asked->prefixes)
		return error_no_memory(error);
	asked->prefixes[asked->n++] = prefix;
	return 0;
}

/* Refuse to block this host itself, and everybody. */
static int check(const struct asked *asked, struct error *error)
{
	struct interface_address *own = NULL;
	size_t n_own = 0;
	int err = netlink_read_addresses(&own, &n_own, error);

	for (size_t i = 0; i < asked->n && !err; i++) {
		const struct prefix *prefix = &asked->prefixes[i];

		if (!prefix->len)
			err = error_input(error, ANY);
		for (size_t j = 0; j < n_own && !err; j++)
			if (prefix->len == prefix_bits(prefix->ip_version) &&
			    prefix_contains_addr(prefix, &own[j].addr, own[j].ip_version))
				err = error_input(error, "%.80s: is this host itself", asked->peer);
	}
	free(own);
	return err;
}

/* The policy stays as it is. */
static int keep_text(const struct attached *attached, char **text, size_t *len, void *arg,
		     struct error *error)
{
	(void)arg;
	return attached_policy_text(attached, text, len, error);
}

/* Say that a peer is not blocked, and what blocks it all the same. */
static int not_blocked(const struct block_list *list, const struct asked *asked,
		       struct error *error)
{
	char text[PREFIX_TEXT_MAX];

	for (size_t i = 0; i < list->n; i++) {
		struct prefix wider = block_list_prefix(&list->peers[i]);

		if (prefix_contains(&wider, &asked->prefixes[0]))
			return error_set(error, ENOENT, "%.80s: is not blocked itself, but with %s",
					 asked->peer, prefix_format(&wider, text, sizeof(text)));
	}
	return error_set(error, ENOENT, "%.80s: is not blocked", asked->peer);
}

/* Change the list in force. */
static int change(struct block_list *list, void *arg, struct error *error)
{
	const struct asked *asked = arg;
	uint64_t until_ns = asked->for_ns ? blocking_now_ns() + asked->for_ns : 0;
	bool found = false;
	int err = 0;

	if (asked->unblock) {
		struct block_list before = *list;

		for (size_t i = 0; i < asked->n; i++)
			found |= block_list_remove(list, &asked->prefixes[i]);
		return found ? 0 : not_blocked(&before, asked, error);
	}
	for (size_t i = 0; i < asked->n && !err; i++)
		err = block_list_add(list, &asked->prefixes[i], until_ns, error);
	return err;
}

/* Forget connections of which one end is blocked. */
static int cut(int ifindex, const struct asked *asked, uint64_t *n_cut, struct error *error)
{
	struct conntrack conntrack;
	struct attached attached;
	struct flow_clock clock;
	uint64_t flushed;
	int err = attached_open(ifindex, &attached, error);

	if (err)
		return err;
	flow_clock_read(&attached.instance, &clock);
	err = conntrack_open(&attached.maps, &conntrack, error);
	for (size_t i = 0; i < 2 * asked->n && !err; i++) {
		struct filter filter;

		filter_init(&filter);
		filter.prefix[i % 2] = asked->prefixes[i / 2];
		err = conntrack_flush(&conntrack, &clock, &filter, &flushed, error);
		*n_cut += err ? 0 : flushed;
	}
	attached_close(&attached);
	return err ? error_prefix(error, "blocked, but its connections are not forgotten") : 0;
}

/* Print what has been done. */
static int print(const char *ifname, const struct asked *asked, uint64_t n_cut, struct error *error)
{
	char time[OUTPUT_TIME_LEN], text[PREFIX_TEXT_MAX], duration[OUTPUT_DURATION_LEN];
	json_t *prefixes;

	if (asked->json) {
		prefixes = json_array();
		for (size_t i = 0; i < asked->n; i++)
			json_array_append_new(prefixes,
					      json_string(prefix_format(&asked->prefixes[i], text,
									sizeof(text))));
		return output_json(
			json_pack("{s:o,s:s,s:o,s:b,s:o,s:I}", "interface",
				  output_json_text(ifname), "peer", asked->peer, "prefixes",
				  prefixes, "blocked", !asked->unblock, "until",
				  asked->for_ns
					  ? json_string(output_time(time, clock_ns(CLOCK_REALTIME) +
										  asked->for_ns))
					  : json_null(),
				  "cut", (json_int_t)n_cut),
			stdout, error);
	}
	printf("%s: %s is ", ifname, asked->peer);
	if (asked->unblock)
		printf("no longer blocked\n");
	else
		printf("blocked%s%s, %llu connection%s cut\n", asked->for_ns ? " for " : "",
		       asked->for_ns ? output_duration(duration, asked->for_ns) : "",
		       (unsigned long long)n_cut, n_cut == 1 ? "" : "s");
	return output_flush(stdout, error);
}

/* Put the policy that is in force into force again, with who is blocked now. */
static int apply(const char *ifname, struct asked *asked, struct error *error)
{
	char subject[PREFIX_TEXT_MAX + NAME_MAX_BYTES + 32], duration[OUTPUT_DURATION_LEN];
	struct dataplane *dataplane;
	struct dataplane_request request = {
		.ifname = ifname,
		.edit = keep_text,
		.block = change,
		.block_arg = asked,
		.caller = DATAPLANE_APPLY,
		.cause = asked->unblock ? "policy unblock" : "policy block",
		.subject = subject,
		.uid = getuid(),
		.warn = command_warn,
	};
	int err;

	snprintf(subject, sizeof(subject), "%s%s%s", asked->peer, asked->for_ns ? " --for " : "",
		 asked->for_ns ? output_duration(duration, asked->for_ns) : "");
	err = dataplane_apply(&request, &dataplane, error);
	if (!err)
		dataplane_free(dataplane);
	return err;
}

static int run(struct asked *asked, struct error *error)
{
	char name[IF_NAMESIZE];
	uint64_t n_cut = 0;
	int ifindex, err;

	err = policy_command_interface(asked->given, name, &ifindex, error);
	if (!err)
		err = find_peer(ifindex, asked, error);
	if (!err && !asked->unblock)
		err = check(asked, error);
	if (!err)
		err = apply(name, asked, error);
	if (!err && !asked->unblock)
		err = cut(ifindex, asked, &n_cut, error);
	if (!err)
		err = print(name, asked, n_cut, error);
	free(asked->prefixes);
	return err;
}

static int parse_for(const char *text, struct asked *asked, struct error *error)
{
	int err = timeout_parse(text, &asked->for_ns, error);

	return err ? error_prefix(error, "--for") : 0;
}

/* The end of both commands, after their options. */
static int run_on(const struct command *command, int argc, char **argv, struct asked *asked)
{
	struct error error;

	if (optind == argc)
		return command_usage(command, "a peer is needed");
	if (argc - optind > 2)
		return command_usage(command, "unexpected argument '%s'", argv[optind + 2]);
	asked->given = argc - optind == 2 ? argv[optind] : NULL;
	asked->peer = argv[argc - 1];
	return run(asked, &error) ? command_fail(&error) : EXIT_DONE;
}

/**
 * policy_command_block() - shrike policy block
 */
int policy_command_block(const struct command *command, int argc, char **argv)
{
	static const struct option options[] = {
		{"for", required_argument, NULL, OPTION_FOR},
		COMMON_LONG_OPTIONS,
		{},
	};
	struct asked asked = {};
	struct error error;
	int option;

	while ((option = command_option(argc, argv, "jv", options)) != -1) {
		if (option == OPTION_HELP)
			return command_help(command);
		if (option == '?')
			return command_unknown_option(command, argv);
		asked.json |= option == 'j';
		if (option == 'v')
			generation_verbose(true);
		if (option == OPTION_FOR && parse_for(optarg, &asked, &error))
			return command_fail(&error);
	}
	return run_on(command, argc, argv, &asked);
}

/**
 * policy_command_unblock() - shrike policy unblock
 */
int policy_command_unblock(const struct command *command, int argc, char **argv)
{
	struct asked asked = {.unblock = true};
	int status = command_parse_json(command, argc, argv, 2, &asked.json);

	return status >= 0 ? status : run_on(command, argc, argv, &asked);
}
