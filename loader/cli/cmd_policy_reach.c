/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * shrike policy reach: what can reach what.
 */
#include <stdio.h>
#include <string.h>

#include "cli/cmd_policy.h"
#include "cli/policy_source.h"
#include "cli/reach_print.h"
#include "conntrack/filter.h"
#include "policy/claim.h"
#include "trace/record_print.h"

enum { OPTION_FROM = OPTION_COMMAND, OPTION_TO, OPTION_DPORT };

/* What was asked, as it was written. */
struct reach_options {
	const char *policy;
	const char *ifname;
	const char *from;
	const char *to;
	const char *protocol;
	const char *dport;
	bool json;
};

/* Read protocol and ports; ports alone are those of every protocol that has some. */
static int read_traffic(const struct reach_options *asked, struct policy_claim *claim,
			struct error *error)
{
	char text[128];
	int err = 0;

	claim->protocol = PROTOCOL_ALL;
	if (asked->protocol)
		err = filter_protocol(asked->protocol, &claim->protocol, error);
	if (err || !asked->dport)
		return err;
	if (asked->protocol && !l4_has_ports(claim->protocol))
		return error_input(error, "--dport: only tcp and udp have ports");
	snprintf(text, sizeof(text), "tcp/%.100s", asked->dport);
	if (asked->protocol)
		snprintf(text, sizeof(text), "%u/%.100s", claim->protocol, asked->dport);
	err = claim_read_traffic(text, claim, error);
	if (err)
		return error_prefix(error, "--dport");
	return 0;
}

/* Read what the question is about; the claim is for policy_claim_free(), even on failure. */
static int read_question(const struct reach_options *asked, const struct policy *policy,
			 struct policy_claim *claim, struct error *error)
{
	int err = claim_read_ends(policy, asked->from, &claim->from, &claim->sets, error);

	if (err)
		return error_prefix(error, "--from");
	err = claim_read_ends(policy, asked->to, &claim->to, &claim->sets, error);
	if (err)
		return error_prefix(error, "--to");
	err = read_traffic(asked, claim, error);
	return err ? err : claim_check(claim, error);
}

/* Keep the protocols that have ports, where ports were asked for and no protocol. */
static void keep_ports(struct traffic *traffic)
{
	struct protocols left = {};

	for (int p = 0; p < INQUIRY_PROTOCOLS; p++)
		if (l4_has_ports(p))
			protocols_add(&left, p);
	traffic->protocols = left;
}

/* Print what rules let in of the packets that are asked about. */
static int print_answer(const struct reach_options *asked, struct inquiry *inquiry,
			const struct traffic *traffic, struct error *error)
{
	struct reach_printer *printer = reach_printer_new(stdout, asked->json, inquiry);
	int err;

	if (!printer || reach_visit(inquiry, traffic, reach_printer_rule, printer))
		err = error_no_memory(error);
	else
		err = reach_printer_end(printer, error);
	reach_printer_free(printer);
	return err;
}

static int reach(const struct reach_options *asked, struct error *error)
{
	struct policy_source source;
	struct policy_claim claim = {};
	struct traffic traffic;
	int err = policy_source_read(&source, asked->policy, asked->ifname, error);

	if (!err)
		err = read_question(asked, source.question.scenario.policy, &claim, error);
	if (!err)
		err = policy_source_open(&source, NULL, error);
	if (!err)
		err = ask_traffic(&source.question.inquiry, &claim, &traffic, error);
	if (!err && asked->dport && !asked->protocol)
		keep_ports(&traffic);
	if (!err)
		err = print_answer(asked, &source.question.inquiry, &traffic, error);
	policy_claim_free(&claim);
	policy_source_close(&source);
	return err;
}

/**
 * policy_command_reach() - shrike policy reach
 */
int policy_command_reach(const struct command *command, int argc, char **argv)
{
	static const struct option options[] = {
		{"from", required_argument, NULL, OPTION_FROM},
		{"to", required_argument, NULL, OPTION_TO},
		{"protocol", required_argument, NULL, 'p'},
		{"dport", required_argument, NULL, OPTION_DPORT},
		{"interface", required_argument, NULL, 'i'},
		COMMON_LONG_OPTIONS,
		{},
	};
	struct reach_options asked = {.from = "any", .to = "self,any"};
	struct error error;
	int option;

	while ((option = command_option(argc, argv, "p:i:jv", options)) != -1) {
		if (option == OPTION_HELP)
			return command_help(command);
		if (option == '?')
			return command_unknown_option(command, argv);
		if (option == OPTION_FROM)
			asked.from = optarg;
		else if (option == OPTION_TO)
			asked.to = optarg;
		else if (option == OPTION_DPORT)
			asked.dport = optarg;
		else if (option == 'p')
			asked.protocol = optarg;
		else if (option == 'i')
			asked.ifname = optarg;
		asked.json |= option == 'j';
	}
	if (argc - optind != 1)
		return command_usage(command, "one policy file or interface is needed");
	asked.policy = argv[optind];
	return reach(&asked, &error) ? command_fail(&error) : EXIT_DONE;
}
