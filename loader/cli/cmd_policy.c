/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/output.h"
#include "cli/cmd_policy.h"
#include "cli/policy_print.h"
#include "daemon/beat.h"
#include "dataplane/attached.h"
#include "dataplane/blocking.h"
#include "dataplane/confirm.h"
#include "dataplane/set_deadlines.h"
#include "policy/parse.h"
#include "policy/rule_json.h"
#include "review/drift.h"

enum { OPTION_NAMES = 0x200 };

static int run_show(const struct command *command, int argc, char **argv);

/* clang-format off */
static const char check_details[] =
	"  -i, --interface IFACE run the tests of the policy as on this interface: its\n"
	"                        addresses are \"self\", those of the host are local\n"
	"  --require-tests       exit status 1 where the rights to run them lack\n"
	"  --netbird             the policy is for 'shrike run --netbird': names that are\n"
	"                        unknown may be NetBird's, which is a warning\n"
	"\n"
	"Exit status 0 if the policy could be applied, warnings or not, 2 if it has\n"
	"errors, which are all told, or if one of its tests fails.\n";

static const char diff_details[] =
	"  --netbird[=SOCKET]    compare with what the newest map of NetBird's daemon\n"
	"                        would make of the policy in force; takes seconds\n"
	"  --exit-code           exit status 4 if anything differs\n"
	NUMERIC_HELP
	"\n"
	"Of two files the rules, sets and settings are compared. What has a slash or ends\n"
	"in .yaml, .yml or .json is a file.\n"
	"Changes nothing. Connections are named that would be cut by the policy, that it\n"
	"would keep though the one in force would end them, and that it would allow by\n"
	"another rule.\n";

static const char reach_details[] =
	"      --from, --to END  self, any, an address, a prefix, a name or set:NAME;\n"
	"                        several with commas between them\n"
	"  -p, --protocol PROTO  tcp, udp, icmp, 0-255 or a name of /etc/protocols\n"
	"      --dport PORTS     ports and ranges with commas between them\n"
	"  -i, --interface IFACE a policy file as on this interface\n"
	"\n"
	"For each rule a line for the packets that it lets in; the first that decides\n"
	"about a packet has it. What opens connections is meant: answers, and what this\n"
	"host sends, need no rule. \"at most\": many rules overlap, it may be less.\n";

static const char prove_details[] =
	"  SENTENCE              \"FROM can|cannot reach TO [PROTOCOL[/PORTS]]\", as in\n"
	"                        \"100.64.9.0/24 cannot reach 10.0.0.0/8 tcp/22,80\"\n"
	"  -i, --interface IFACE a policy file as on this interface\n"
	"\n"
	"\"can\": every such packet is let in, \"cannot\": none is. Exit status 0: yes; 1:\n"
	"no, and a packet shows it, with its trace.\n";

static const char equal_details[] =
	"  -i, --interface IFACE policy files as on this interface\n"
	"\n"
	"Exit status 0: both let in the same packets; 4: not, and a packet shows it, with\n"
	"its traces. What opens connections is meant, whoever forwards it.\n";

static const char unused_details[] =
	"      --since TIME      rules without hits for so long, such as 30d or 12h; else\n"
	"                        without any\n"
	"\n"
	"Rules without hits, rules of which others take all packets, and sets without\n"
	"members. Hits are counted for as long as the interface is attached and the\n"
	"policy has the rule's id; it is said where that is less than was asked for.\n";

static const char suggest_details[] =
	"      --since TIME      for what was dropped in the last 90s, 10m, 2h\n"
	"  -n, --count N         at most so many rules (20), those for most packets\n"
	"\n"
	"Rules that would let in what the recorder has of dropped packets, and nothing\n"
	"else; as YAML, to be pasted below peer_acl or route_acl. What no rule can allow\n"
	"is said behind them. Changes nothing.\n";

static const char apply_details[] =
	"  --confirm SECONDS     wait for 'shrike policy confirm', and return to the\n"
	"                        old policy if it does not come, or on Ctrl-C or a\n"
	"                        lost terminal\n"
	"  -v, --verbose         print libbpf messages\n"
	"\n"
	"Connections stay. Those that a peer has opened are judged again with their\n"
	"next packet. If anything is wrong the old policy stays in force, and status\n"
	"says so until a policy is applied.\n";

static const char set_details[] =
	"  PREFIX                an address or a prefix; '-': they are on standard input\n"
	"    timeout DURATION    behind it: it goes again after so long, 1s to 366 days:\n"
	"                        10m, 1h30m; behind '-': all of them do\n"
	"  -v, --verbose         print libbpf messages\n"
	"  -s, --save            write the set to the file that it comes from, too, of\n"
	"                        which all else stays; without NAME all sets, as they\n"
	"                        are in force\n"
	"\n"
	"All at once, without losing a packet. Without --save the policy file stays: when\n"
	"it is applied or read again, its own sets return.\n";

static const char block_details[] =
	"  PEER                  an address, a prefix or a name of the policy\n"
	"      --for DURATION    for so long, 1s to 366 days: 10m, 1h30m; without it\n"
	"                        until 'shrike policy unblock'\n"
	"  -v, --verbose         print libbpf messages\n"
	"\n"
	"Drops what comes from the peer and what goes to it by the interface, before any\n"
	"rule, and cuts its connections, also those that this host has opened. Stays over\n"
	"changes of the policy, and is no part of it; shown by status and policy show.\n"
	"The programs keep the time themselves, whether 'shrike run' is there or not.\n";

static const char export_details[] =
	"  --netbird             with NetBird's part\n"
	"  -j, --json            as \"text\" of a JSON object\n"
	"\n"
	"The text of the file, its comments too, with sets as they are now. Files that\n"
	"it includes are under the key included.\n";

static const char history_details[] =
	"  N                     what policy N has changed; with -j its text, too\n"
	"\n"
	"The last 100 policies, each with who has put it into force, when and why.\n";

static const char rollback_details[] =
	"  N                     number of the policy in 'shrike policy history'\n"
	"\n"
	"The policy file stays: when it is applied or read again, what it says returns.\n";

static const char show_details[] =
	"      --names           only its names, a line each with their addresses\n"
	HUMAN_HELP
	NUMERIC_HELP
	"\n"
	"Hits are the packets that the rule decided: the opening of a connection, and\n"
	"the first packet of a peer's connection after a change of policy.\n";
/* clang-format on */

static const struct command family[] = {
	{
		.name = "check",
		.arguments = "POLICY [-i IFACE] [--require-tests] [--netbird] [-j]",
		.summary = "parse and compile a policy, warn about rules that have no effect",
		.details = check_details,
		.run = policy_command_check,
		.fits = true,
	},
	{
		.name = "diff",
		.arguments = "[IFACE | POLICY] POLICY | [IFACE] --netbird [--exit-code] "
			     "[--numeric] [-j]",
		.summary = "what a policy would change: rules, and live connections",
		.details = diff_details,
		.run = policy_command_diff,
		.fits = true,
	},
	{
		.name = "reach",
		.arguments = "POLICY|IFACE [--from END] [--to END] [-p PROTO] [--dport PORTS] [-j]",
		.summary = "what can reach what, by rule",
		.details = reach_details,
		.run = policy_command_reach,
		.fits = true,
	},
	{
		.name = "prove",
		.arguments = "POLICY|IFACE SENTENCE [-i IFACE] [-j]",
		.summary = "whether \"FROM can|cannot reach TO tcp/22\" is true",
		.details = prove_details,
		.run = policy_command_prove,
		.fits = true,
	},
	{
		.name = "equal",
		.arguments = "POLICY|IFACE POLICY|IFACE [-i IFACE] [-j]",
		.summary = "whether two policies let in the same packets",
		.details = equal_details,
		.run = policy_command_equal,
		.fits = true,
	},
	{
		.name = "unused",
		.arguments = "[IFACE] [--since TIME] [-j]",
		.summary = "rules without hits, rules that others cover, empty sets",
		.details = unused_details,
		.run = policy_command_unused,
		.fits = true,
	},
	{
		.name = "suggest",
		.arguments = "[IFACE] [--since TIME] [-n N] [-j]",
		.summary = "rules that would let in what was dropped",
		.details = suggest_details,
		.run = policy_command_suggest,
	},
	{
		.name = "apply",
		.arguments = "[IFACE] POLICY [--confirm SECONDS] [-j]",
		.summary = "replace the policy in force, without losing a packet",
		.details = apply_details,
		.run = policy_command_apply,
	},
	{
		.name = "confirm",
		.arguments = "[IFACE] [-j]",
		.summary = "keep a policy that was applied with --confirm",
		.run = policy_command_confirm,
	},
	{
		.name = "set",
		.arguments = "[IFACE] [NAME add|del|replace PREFIX...] [--save] [-j]",
		.summary = "change a named set of the policy in force",
		.details = set_details,
		.run = policy_command_set,
	},
	{
		.name = "block",
		.arguments = "[IFACE] PEER [--for DURATION] [-j]",
		.summary = "cut a peer off at once, whatever the policy says",
		.details = block_details,
		.run = policy_command_block,
	},
	{
		.name = "unblock",
		.arguments = "[IFACE] PEER [-j]",
		.summary = "have the rules decide about a blocked peer again",
		.run = policy_command_unblock,
	},
	{
		.name = "show",
		.arguments = "[IFACE] [--names] [--numeric] [-h] [-j]",
		.summary = "the policy in force, with hit counters per rule",
		.details = show_details,
		.run = run_show,
		.fits = true,
	},
	{
		.name = "export",
		.arguments = "[IFACE] [--netbird] [-j]",
		.summary = "the policy in force as a file",
		.details = export_details,
		.run = policy_command_export,
	},
	{
		.name = "history",
		.arguments = "[IFACE] [N] [-j]",
		.summary = "policies that were in force: who, when, why, and what changed",
		.details = history_details,
		.run = policy_command_history,
		.fits = true,
	},
	{
		.name = "rollback",
		.arguments = "[IFACE] N [-j]",
		.summary = "put a policy of the history into force again",
		.details = rollback_details,
		.run = policy_command_rollback,
	},
	{
		.name = "import",
		.summary = "make a policy of what another program has",
		.family = policy_command_import,
	},
	{.name = NULL},
};

const struct command command_policy = {
	.name = "policy",
	.summary = "check, compare, apply, change, show or import policies",
	.family = family,
};

/* What `policy show` was asked for. */
struct show_options {
	const char *interface;
	bool names;
	bool numeric;
	bool human;
	bool json;
};

/* Print the names of a policy. */
static int show_names(const struct attached *attached, const struct show_options *options,
		      struct error *error)
{
	struct names names;
	int err = attached_names(attached, &names, error);
	char text[ADDR_TEXT_MAX];

	if (err)
		return err;
	for (size_t i = 0; i < names.n && !options->json; i++) {
		const struct name_address *entry = &names.list[i];
		bool is_first = !i || names.list[i - 1].name != entry->name;
		bool is_last = i + 1 == names.n || names.list[i + 1].name != entry->name;

		printf("%s %s%s", is_first ? entry->name : "",
		       addr_format(&entry->addr, entry->ip_version, text, sizeof(text)),
		       is_last ? "\n" : "");
	}
	err = options->json ? output_json(json_pack("{s:o,s:o}", "interface",
						    output_json_text(options->interface), "names",
						    policy_names_json(&names)),
					  stdout, error)
			    : output_flush(stdout, error);
	names_free(&names);
	return err;
}

/* Print a policy with the hits of its rules. */
static int show_policy(const struct attached *attached, const struct show_options *options,
		       struct error *error)
{
	struct policy *policy = NULL;
	struct rule_view *rules = NULL;
	struct block_list blocked;
	struct undo undo;
	enum drift drift = DRIFT_NO_FILE;
	size_t n_rules, len;
	char *text = NULL;
	int err = attached_policy_text(attached, &text, &len, error);

	if (!err)
		err = policy_parse(attached->instance.policy_path, text, len, &policy, error);
	if (!err)
		err = generation_read_rules(&attached->maps, &rules, &n_rules, error);
	if (!err)
		err = confirm_read(&attached->maps, &undo, error);
	if (!err)
		err = blocking_read(&attached->maps, &blocked, error);
	if (!err)
		err = set_deadlines_plan(policy, &attached->maps, NULL, error);
	if (!err)
		err = drift_find(attached, &drift, error);
	if (!err)
		err = policy_print(&(struct policy_view){policy, &attached->instance, &undo, rules,
							 n_rules, options->interface, &blocked,
							 beat_is_there(options->interface),
							 options->numeric, options->human, drift},
				   options->json, stdout, error);
	free(rules);
	free(text);
	policy_free(policy);
	return err;
}

/* Print what is asked for of the policy in force on an interface. */
static int show(const char *given, struct show_options *options, struct error *error)
{
	char name[IF_NAMESIZE];
	struct attached attached;
	int ifindex, err;

	err = policy_command_interface(given, name, &ifindex, error);
	if (err)
		return err;
	err = attached_open(ifindex, &attached, error);
	if (err)
		return error_prefix(error, "%s", name);
	options->interface = name;
	err = options->names ? show_names(&attached, options, error)
			     : show_policy(&attached, options, error);
	attached_close(&attached);
	return err;
}

/* The command `shrike policy show`. */
static int run_show(const struct command *command, int argc, char **argv)
{
	static const struct option options[] = {
		{"names", no_argument, NULL, OPTION_NAMES},
		NUMERIC_LONG_OPTION,
		HUMAN_LONG_OPTION,
		COMMON_LONG_OPTIONS,
		{},
	};
	struct show_options asked = {};
	struct error error;
	int option;

	while ((option = command_option(argc, argv, "hjv", options)) != -1) {
		if (option == OPTION_HELP)
			return command_help(command);
		if (option == '?')
			return command_unknown_option(command, argv);
		asked.json |= option == 'j';
		asked.human |= option == 'h';
		asked.names |= option == OPTION_NAMES;
		asked.numeric |= option == OPTION_NUMERIC;
	}
	if (argc - optind > 1)
		return command_usage(command, "unexpected argument '%s'", argv[optind + 1]);
	return show(argv[optind], &asked, &error) ? command_fail(&error) : EXIT_DONE;
}
