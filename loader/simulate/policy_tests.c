/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "simulate/policy_tests.h"

#include <endian.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "packet/build.h"
#include "policy/icmp_type.h"
#include "simulate/question.h"

#define PACKETS_MAX 65536 /* of one test */
#define SPORT_ANY   50000
#define TEXT_MAX    512

/* Where a run of addresses begins that rules and tables may treat alike. */
struct bounds {
	union addr *at; /* sorted, IPv4 is v4-mapped */
	size_t n;
};

/* One end of a test, as single addresses. */
struct ends {
	struct prefix *addr;
	size_t n;
};

struct runner {
	const struct policy_tests *tests;
	struct question question;
	struct simulation *simulation;
	struct bounds bounds;
	char text[TEXT_MAX]; /* of the test that has failed last */
};

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(union addr));
}

/* The address behind the last one of a prefix; false where there is none. */
static bool behind(const struct prefix *prefix, union addr *addr)
{
	unsigned int len = prefix->len + (prefix->ip_version == IP_VERSION_4 ? 96 : 0);
	int at = (int)len - 1; /* the bit that one more is added to */

	*addr = prefix->addr;
	for (; at >= 0; at--) {
		uint8_t bit = 0x80 >> at % 8;

		addr->bytes[at / 8] ^= bit;
		if (addr->bytes[at / 8] & bit)
			return true;
	}
	return false;
}

static void add(struct bounds *bounds, const struct prefix *prefixes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct prefix network = prefixes[i];

		prefix_truncate(&network, network.len);
		bounds->at[bounds->n++] = network.addr;
		bounds->n += behind(&network, &bounds->at[bounds->n]);
	}
}

/* Each prefix that this policy or this host tells addresses apart by. */
static size_t each_prefix(const struct runner *runner, struct bounds *bounds)
{
	const struct policy *policy = runner->tests->policy;
	const struct scenario *scenario = &runner->question.scenario;
	size_t n = 0;

#define PREFIXES(list, count)                                                                      \
	do {                                                                                       \
		if (bounds)                                                                        \
			add(bounds, list, count);                                                  \
		n += count;                                                                        \
	} while (0)
	for (int acl = 0; acl < ACL_MAX; acl++)
		for (size_t i = 0; i < policy->acl[acl].n_rules; i++) {
			const struct policy_rule *rule = &policy->acl[acl].rules[i];

			PREFIXES(rule->source.prefixes, rule->source.n_prefixes);
			PREFIXES(rule->destination.prefixes, rule->destination.n_prefixes);
		}
	for (size_t i = 0; i < policy->n_sets; i++)
		PREFIXES(policy->sets[i].prefixes, policy->sets[i].n_prefixes);
	PREFIXES(scenario->interface.addresses, scenario->interface.n_addresses);
	PREFIXES(scenario->local_addresses, scenario->n_local_addresses);
#undef PREFIXES
	return n;
}

static int find_bounds(struct runner *runner, struct error *error)
{
	struct bounds *bounds = &runner->bounds;
	size_t n = each_prefix(runner, NULL), kept = 0;

	bounds->at = calloc(2 * n + 1, sizeof(*bounds->at));
	if (!bounds->at)
		return error_no_memory(error);
	each_prefix(runner, bounds);
	qsort(bounds->at, bounds->n, sizeof(*bounds->at), compare);
	for (size_t i = 0; i < bounds->n; i++)
		if (!kept || compare(&bounds->at[kept - 1], &bounds->at[i]))
			bounds->at[kept++] = bounds->at[i];
	bounds->n = kept;
	return 0;
}

/* The first bound that is greater than an address. */
static size_t bound_after(const struct bounds *bounds, const union addr *addr)
{
	size_t low = 0, high = bounds->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (compare(&bounds->at[middle], addr) > 0)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static int append(struct ends *ends, const union addr *addr, uint8_t ip_version)
{
	struct prefix *larger = ends->addr;

	if (!(ends->n & (ends->n + 1))) /* grows when all bits of the number are set */
		larger = realloc(ends->addr, 2 * (ends->n + 1) * sizeof(*larger));
	if (!larger)
		return -ENOMEM;
	ends->addr = larger;
	larger[ends->n++] = (struct prefix){*addr, ip_version, prefix_bits(ip_version)};
	return 0;
}

/* One address of each run of a prefix. */
static int append_prefix(const struct runner *runner, const struct prefix *prefix,
			 struct ends *ends)
{
	const struct bounds *bounds = &runner->bounds;
	int err = append(ends, &prefix->addr, prefix->ip_version);

	for (size_t i = bound_after(bounds, &prefix->addr);
	     !err && i < bounds->n && ends->n <= PACKETS_MAX &&
	     prefix_contains_addr(prefix, &bounds->at[i], prefix->ip_version);
	     i++)
		err = append(ends, &bounds->at[i], prefix->ip_version);
	return err;
}

static int expand(const struct runner *runner, const struct policy_test_end *end, struct ends *ends)
{
	const struct scenario_interface *interface = &runner->question.scenario.interface;
	int err = 0;

	for (size_t i = 0; !err && end->is_self && i < interface->n_addresses; i++)
		err = append(ends, &interface->addresses[i].addr,
			     interface->addresses[i].ip_version);
	for (size_t i = 0; !err && i < end->n_prefixes; i++)
		err = append_prefix(runner, &end->prefixes[i], ends);
	return err;
}

/* The protocol and type of a packet of a test; false where the family has none such. */
static bool set_protocol(const struct policy_test *test, struct packet_spec *spec)
{
	bool is_icmp = test->protocol == PROTOCOL_ICMP ||
		       test->protocol == packet_icmp_proto(spec->ip_version);
	int family = spec->ip_version == IP_VERSION_6;

	spec->l4_proto = is_icmp ? packet_icmp_proto(spec->ip_version) : test->protocol;
	spec->tcp_flags = PACKET_TCP_SYN;
	spec->sport = test->sport ? test->sport : SPORT_ANY;
	spec->dport = test->dport;
	spec->icmp_type = PACKET_ICMP_ECHO;
	if (!is_icmp || !test->icmp_type.families)
		return true;
	if (!(test->icmp_type.families & (family ? FAMILY_6 : FAMILY_4)))
		return false;
	spec->icmp_type = test->icmp_type.number[family];
	spec->icmp_code = test->icmp_type.any_code ? 0 : test->icmp_type.code;
	return true;
}

/* Whether a packet came as the test expects; @text becomes how it did not. */
static bool is_as_expected(const struct policy_test *test, const struct packet_spec *spec,
			   const struct simulation_result *result, char text[TEXT_MAX])
{
	const struct policy_rule rule = {.id = (char *)result->rule_id};
	const struct witness packet = {
		.source = spec->saddr,
		.destination = spec->daddr,
		.dport = spec->dport,
		.ip_version = spec->ip_version,
		.l4_proto = spec->l4_proto,
		.icmp_type = result->event.icmp_type,
		.icmp_code = result->event.icmp_code,
		.allowed = result->event.verdict != VERDICT_DROP,
		.reason = result->event.reason,
		.rule = result->rule_id ? &rule : NULL,
	};
	char came[WITNESS_TEXT_MAX];

	if (packet.allowed == test->allowed &&
	    (!test->rule || (result->rule_id && !strcmp(result->rule_id, test->rule))))
		return true;
	snprintf(text, TEXT_MAX, "%s, expected %s%s%s", witness_format(&packet, came),
		 test->allowed ? "allowed" : "denied", test->rule ? " by rule " : "",
		 test->rule ? test->rule : "");
	return false;
}

/* Of a prefix those addresses are meant that somebody can have. */
static bool is_nobodys(const struct policy_test *test, const struct simulation_result *result)
{
	const struct policy_test_end *from = &test->from, *to = &test->to;

	if (result->event.reason == REASON_MARTIAN_SOURCE)
		return from->n_prefixes &&
		       from->prefixes[0].len < prefix_bits(from->prefixes[0].ip_version);
	if (result->event.reason == REASON_MARTIAN_DEST)
		return to->n_prefixes &&
		       to->prefixes[0].len < prefix_bits(to->prefixes[0].ip_version);
	return false;
}

static bool is_own(const struct scenario *scenario, const union addr *addr)
{
	for (size_t i = 0; i < scenario->interface.n_addresses; i++)
		if (!compare(&scenario->interface.addresses[i].addr, addr))
			return true;
	return false;
}

/* One packet of a test.  Return: 1: as expected, 0: not, or -errno. */
static int try_packet(struct runner *runner, const struct policy_test *test,
		      const struct prefix *from, const struct prefix *to, struct error *error)
{
	struct simulation_result result = {};
	enum direction direction;
	struct packet_spec spec;
	int err;

	packet_spec_init(&spec);
	spec.ip_version = from->ip_version;
	spec.saddr = from->addr;
	spec.daddr = to->addr;
	if (!set_protocol(test, &spec))
		return 1;
	direction = is_own(&runner->question.scenario, &spec.saddr) ? DIR_EGRESS : DIR_INGRESS;
	err = question_judge(runner->simulation, &spec, direction, &result, error);
	if (err)
		return err;
	return is_nobodys(test, &result) || is_as_expected(test, &spec, &result, runner->text);
}

/* All packets of a test, up to the first that is not as expected. */
static int try_pairs(struct runner *runner, const struct policy_test *test, const struct ends *from,
		     const struct ends *to, struct error *error)
{
	size_t n = 0;
	int good = 1;

	for (size_t i = 0; good == 1 && i < from->n; i++)
		for (size_t j = 0; good == 1 && j < to->n; j++) {
			if (from->addr[i].ip_version != to->addr[j].ip_version ||
			    (!test->from.is_self &&
			     is_own(&runner->question.scenario, &from->addr[i].addr)))
				continue;
			n++;
			good = try_packet(runner, test, &from->addr[i], &to->addr[j], error);
		}
	/* of a peer that NetBird's map does not have there is nothing to expect */
	if (n || good != 1 || test->from.is_netbirds || test->to.is_netbirds)
		return good;
	snprintf(runner->text, TEXT_MAX, "no peer can send such a packet");
	return 0;
}

static int try_test(struct runner *runner, const struct policy_test *test, struct error *error)
{
	struct ends from = {}, to = {};
	int good;

	if (expand(runner, &test->from, &from) || expand(runner, &test->to, &to)) {
		good = error_no_memory(error);
	} else if (from.n > PACKETS_MAX || to.n > PACKETS_MAX || from.n * to.n > PACKETS_MAX) {
		snprintf(runner->text, TEXT_MAX,
			 "the policy tells more than %d pairs of addresses apart here: name "
			 "smaller prefixes",
			 PACKETS_MAX);
		good = 0;
	} else {
		good = try_pairs(runner, test, &from, &to, error);
	}
	free(from.addr);
	free(to.addr);
	return good;
}

/* Judge tests that are sentences, which takes no programs.  Return: 0 or -errno. */
static int try_claims(struct runner *runner, size_t *failed, struct error *error)
{
	const struct policy_tests *tests = runner->tests;
	int err = 0;

	for (size_t i = 0; i < tests->policy->n_tests && !err; i++) {
		const struct policy_test *test = &tests->policy->tests[i];
		char came[WITNESS_TEXT_MAX];
		struct witness witness;
		struct error why;
		int answer = 1;

		if (test->claim)
			answer = ask_claim(&runner->question.inquiry, test->claim, &witness, &why);
		if (answer == 1)
			continue;
		snprintf(runner->text, TEXT_MAX, "'%s': %s", test->text,
			 answer ? why.text + why.what : witness_format(&witness, came));
		++*failed;
		tests->on_failure(tests->arg, test, runner->text);
		if (answer == -ENOMEM)
			err = error_no_memory(error);
	}
	return err;
}

/* Judge the other tests by programs.  Return: 0 or -errno. */
static int try_packets(struct runner *runner, size_t *failed, struct error *error)
{
	const struct policy_tests *tests = runner->tests;
	const struct policy *policy = tests->policy;
	int good, err = find_bounds(runner, error);

	if (!err)
		err = simulation_new(&runner->question.scenario, &runner->question.environment,
				     tests->warn, &runner->simulation, error);
	for (size_t i = 0; !err && i < policy->n_tests; i++) {
		if (policy->tests[i].text)
			continue;
		good = try_test(runner, &policy->tests[i], error);
		if (!good) {
			++*failed;
			tests->on_failure(tests->arg, &policy->tests[i], runner->text);
		}
		err = good < 0 ? good : 0;
	}
	simulation_free(runner->simulation);
	free(runner->bounds.at);
	return err;
}

/**
 * policy_tests_packets() - How many tests of a policy are judged by programs
 */
size_t policy_tests_packets(const struct policy *policy)
{
	size_t n = 0;

	for (size_t i = 0; i < policy->n_tests; i++)
		n += !policy->tests[i].text;
	return n;
}

/**
 * policy_tests_run() - Judge the tests of a policy
 * @tests: how
 * @failed: becomes the number of those that fail
 * @error: set where they cannot be judged
 *
 * Loads programs where tests are not all sentences, which takes CAP_BPF; without tests it does nothing.
 *
 * Return: 0 or -errno.
 */
int policy_tests_run(const struct policy_tests *tests, size_t *failed, struct error *error)
{
	struct runner runner = {.tests = tests, .question.scenario.policy = tests->policy};
	int err;

	*failed = 0;
	if (!tests->policy->n_tests)
		return 0;
	err = question_open(&runner.question, tests->ifname, tests->warn, error);
	if (!err)
		err = try_claims(&runner, failed, error);
	if (!err && policy_tests_packets(tests->policy))
		err = try_packets(&runner, failed, error);
	question_close(&runner.question);
	return err;
}

struct first_failure {
	struct position position;
	char text[TEXT_MAX];
};

static void note_first(void *arg, const struct policy_test *test, const char *text)
{
	struct first_failure *first = arg;

	if (first->position.line)
		return;
	first->position = test->position;
	snprintf(first->text, sizeof(first->text), "%s", text);
}

static void no_warning(const char *text, void *arg)
{
	(void)text;
	(void)arg;
}

/**
 * policy_tests_verify() - Refuse a policy of which a test fails; as dataplane_request.verify
 * @policy: after environment_apply()
 * @ifname: the interface that it is for
 * @error: names the first test that fails, and the number of others
 *
 * Return: 0; -EINVAL (invalid input): one fails; or another -errno.
 */
int policy_tests_verify(struct policy *policy, const char *ifname, struct error *error)
{
	struct first_failure first = {};
	const struct policy_tests tests = {policy, ifname, no_warning, note_first, &first};
	char others[40] = "";
	const char *path;
	size_t failed;
	int err = policy_tests_run(&tests, &failed, error);

	if (err || !failed)
		return err;
	if (failed > 1)
		snprintf(others, sizeof(others), "; %zu more fail", failed - 1);
	error_input(error, "test failed: %s%s", first.text, others);
	path = policy_place(policy, &first.position);
	error_prefix(error, "%s:%u:%u", path, first.position.line, first.position.column);
	error->in_file = true;
	error->line = first.position.line;
	error->column = first.position.column;
	return -EINVAL;
}
