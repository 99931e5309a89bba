/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is said of random policies, against the programs: a packet of each box that a rule lets in is
 * judged by a simulation.  Policies that are too large for an exact answer get one all the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/names.h"
#include "cli/reach_print.h"
#include "model/rulesets.h"
#include "policy/parse.h"
#include "review/prove.h"
#include "review/reach.h"
#include "simulate/question.h"

#define POLICIES 6
#define RULES	 14
#define TEXT_MAX 8192

static uint64_t random_state = 22;

/* A number below another one (xorshift64). */
static unsigned int below(unsigned int n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 20) % n;
}

/* One of few prefixes, so that rules meet. */
static const char *any_prefix(bool ipv6, char text[64])
{
	static const uint8_t lengths[] = {8, 16, 23, 24, 32};
	uint8_t len = lengths[below(5)];

	if (!below(6))
		return "any";
	if (ipv6)
		snprintf(text, 64, "\"fd00:%x::/%u\"", below(3), len == 8 ? 33 : 32);
	else
		snprintf(text, 64, "[10.%u.%u.%u/%u]", len > 8 ? below(3) : 0,
			 len > 16 ? 2 * below(3) : 0, len > 24 ? below(3) : 0, len);
	return text;
}

static struct policy *random_policy(void)
{
	static const char *const protocols[] = {"tcp", "udp", "icmp", "all", "47"};
	char text[TEXT_MAX], source[64], destination[64];
	size_t len = (size_t)snprintf(text, sizeof(text),
				      "version: 1\nmode: {routing: native}\nroute_acl:\n");
	struct policy *policy;
	struct error error;

	for (int i = 0; i < RULES; i++) {
		unsigned int protocol = below(5), port = 1 + below(4);
		bool ipv6 = !below(4);

		len += (size_t)snprintf(text + len, sizeof(text) - len,
					" - {id: r%d, action: %s, protocol: %s, source: %s, "
					"destination: %s",
					i, below(3) ? "allow" : "deny", protocols[protocol],
					any_prefix(ipv6, source), any_prefix(ipv6, destination));
		if (protocol < 2 && below(2))
			len += (size_t)snprintf(text + len, sizeof(text) - len,
						", destination_ports: [%u-%u]", port,
						port + below(3));
		len += (size_t)snprintf(text + len, sizeof(text) - len, "}\n");
	}
	if (policy_parse("random.yaml", text, len, &policy, &error))
		fail_msg("%s\n%s", error.text, text);
	return policy;
}

struct judge {
	const struct question *question;
	struct simulation *simulation;
	size_t n;
};

/* An address of the last range: lists may end in ones that nobody can have, such as multicast. */
static point inside(const struct ranges *ranges)
{
	struct range last = ranges->list[ranges->n - 1];

	return last.first + (last.last - last.first) / 4;
}

/* A packet of a box; false: it is none of one family, or from an address to itself. */
static bool packet_of(const struct reach_box *box, uint8_t l4_proto, struct witness *witness)
{
	const struct ranges *from = &box->product.dim[BOX_SOURCE];
	const struct ranges *to = &box->product.dim[BOX_DESTINATION];
	const struct ranges *ports = &box->product.dim[BOX_DPORT];
	const struct range ipv4 = box_family(IP_VERSION_4, 0);
	point source = inside(from), destination = inside(to);
	bool is_ipv4 = source >= ipv4.first && source <= ipv4.last;

	if (is_ipv4 != (destination >= ipv4.first && destination <= ipv4.last) ||
	    source == destination)
		return false;
	*witness = (struct witness){.ip_version = is_ipv4 ? IP_VERSION_4 : IP_VERSION_6,
				    .l4_proto = l4_proto,
				    .sport = 50000,
				    .dport = 9};
	if (box->has_ports)
		witness->dport = (uint16_t)ports->list[ports->n - 1].last;
	point_to_addr(source, &witness->source);
	point_to_addr(destination, &witness->destination);
	return true;
}

static int on_rule(void *arg, const struct reach_rule *rule)
{
	static const uint8_t protocols[] = {6, 17, 47};
	struct judge *judge = arg;
	struct simulation_result result;
	struct witness witness;
	char text[WITNESS_TEXT_MAX];
	struct error error;

	assert_false(rule->at_most);
	for (size_t i = 0; i < rule->n; i++)
		for (size_t p = 0; p < sizeof(protocols); p++) {
			const struct reach_box *box = &rule->boxes[i];
			bool has = box->everything || protocols_have(&box->protocols, protocols[p]);

			if (!has || !packet_of(box, protocols[p], &witness))
				continue;
			assert_int_equal(question_step(judge->question, &witness, judge->simulation,
						       &result, &error),
					 0);
			if (!result.rule_id || strcmp(result.rule_id, rule->rule->id))
				fail_msg("%s lets in what the programs have %s decide (%s): %s",
					 rule->rule->id, result.rule_id ?: "no rule",
					 reason_name(result.event.reason),
					 witness_packet(&witness, text));
			judge->n++;
		}
	return 0;
}

static void a_packet_of_each_box_is_let_in_by_the_rule_that_it_is_said_of(void **state)
{
	size_t n = 0;

	(void)state;
	for (int i = 0; i < POLICIES; i++) {
		struct question question = {.scenario = {.policy = random_policy()}};
		struct judge judge = {.question = &question};
		struct traffic traffic;
		struct error error;

		assert_int_equal(question_open(&question, NULL, NULL, &error), 0);
		assert_int_equal(simulation_new(&question.scenario, &question.environment, NULL,
						&judge.simulation, &error),
				 0);
		traffic_all(&traffic);
		assert_int_equal(reach_visit(&question.inquiry, &traffic, on_rule, &judge), 0);
		simulation_free(judge.simulation);
		question_close(&question);
		policy_free(question.scenario.policy);
		n += judge.n;
	}
	assert_true(n > 10 * POLICIES);
}

/* How many rules there are, and what is not exact. */
struct count {
	size_t n, n_at_most;
};

static int count_rule(void *arg, const struct reach_rule *rule)
{
	struct count *count = arg;

	count->n++;
	count->n_at_most += rule->at_most;
	return 0;
}

static char id[] = "rule";

/* Ask about rules as if all were routed by the kernel. */
static void open_rules(struct ruleset *set, struct inquiry *inquiry)
{
	const struct inquiry_host host = {.routing = ROUTING_NATIVE};
	struct policy_acl *acl = &set->policy.acl[ACL_ROUTE];

	for (size_t i = 0; i < acl->n_rules; i++)
		acl->rules[i].id = id;
	set->policy.mode.native_acl = true;
	assert_int_equal(inquiry_open(inquiry, &set->policy, &host), 0);
}

static void close_rules(struct ruleset *set, struct inquiry *inquiry)
{
	inquiry_close(inquiry);
	ruleset_free(set);
}

static void count_firewall(size_t n_rules, struct count *count)
{
	struct ruleset *set = ruleset_make(RULESET_FIREWALL, 4, n_rules, 22);
	struct inquiry inquiry;
	struct traffic traffic;

	open_rules(set, &inquiry);
	*count = (struct count){};
	traffic_all(&traffic);
	assert_int_equal(reach_visit(&inquiry, &traffic, count_rule, count), 0);
	close_rules(set, &inquiry);
}

static void large_firewalls_have_bounds_for_an_answer_and_not_a_hang(void **state)
{
	struct count count;

	(void)state;
	count_firewall(300, &count);
	assert_int_equal(count.n_at_most, 0);
	count_firewall(65000, &count);
	assert_true(count.n > 20000);
	assert_true(count.n_at_most > 0 && count.n_at_most < count.n);
}

/* Processor time of the shortest of three answers, which are printed in a form or only counted. */
static clock_t time_of_answer(struct inquiry *inquiry, bool print, bool json)
{
	clock_t least = 0;

	for (int i = 0; i < 3; i++) {
		FILE *file = fopen("/dev/null", "w");
		struct reach_printer *printer = reach_printer_new(file, json, inquiry);
		struct count count = {};
		struct traffic traffic;
		struct error error;
		clock_t begin = clock(), took;

		traffic_all(&traffic);
		assert_int_equal(reach_visit(inquiry, &traffic,
					     print ? reach_printer_rule : count_rule,
					     print ? (void *)printer : &count),
				 0);
		assert_int_equal(print ? reach_printer_end(printer, &error) : 0, 0);
		took = clock() - begin;
		least = i && least < took ? least : took;
		reach_printer_free(printer);
		fclose(file);
	}
	return least;
}

static void printing_takes_little_longer_than_finding_out(void **state)
{
	struct ruleset *set = ruleset_make(RULESET_FIREWALL, 4, 3000, 22);
	struct inquiry inquiry;
	clock_t counted;

	(void)state;
	open_rules(set, &inquiry);
	counted = time_of_answer(&inquiry, false, false);
	for (int json = 0; json <= 1; json++)
		assert_true(2 * time_of_answer(&inquiry, true, json) < 5 * counted);
	close_rules(set, &inquiry);
}

/* Rules that overlap too much to be compared, in one order and in another one. */
static void rules_that_two_policies_have_are_not_compared(void **state)
{
	struct inquiry inquiry[2];
	struct ruleset *sets[2];
	struct witness witness[2];
	struct policy_rule first;
	struct policy_acl *acl;

	(void)state;
	for (int i = 0; i < 2; i++) {
		sets[i] = ruleset_make(RULESET_HOSTILE, 4, 10000, 22);
		acl = &sets[i]->policy.acl[ACL_ROUTE];
		first = acl->rules[0];
		acl->rules[0] = acl->rules[i];
		acl->rules[i] = first;
		open_rules(sets[i], &inquiry[i]);
	}
	assert_int_equal(prove_equal(&inquiry[0], &inquiry[1], witness), 1);
	for (int i = 0; i < 2; i++)
		close_rules(sets[i], &inquiry[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_packet_of_each_box_is_let_in_by_the_rule_that_it_is_said_of),
		cmocka_unit_test(large_firewalls_have_bounds_for_an_answer_and_not_a_hang),
		cmocka_unit_test(printing_takes_little_longer_than_finding_out),
		cmocka_unit_test(rules_that_two_policies_have_are_not_compared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
