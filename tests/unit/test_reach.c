/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What rules let in, against the classifier: a million random packets of policies of every kind.
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

#include "classify/walk.h"
#include "model/rulesets.h"
#include "review/prove.h"
#include "review/reach.h"

#define PACKETS 1000000

/* The boxes of all rules, kept. */
struct kept {
	struct reach_box *boxes;
	size_t n, room;
	size_t *first; /* by rule of the policy: its first box, and behind it that of the next one */
	size_t n_at_most;
	const struct policy *policy;
};

static size_t number_of(const struct policy *policy, const struct policy_rule *rule, enum acl acl)
{
	return (acl == ACL_ROUTE ? policy->acl[ACL_PEER].n_rules : 0) +
	       (size_t)(rule - policy->acl[acl].rules);
}

static int keep(void *arg, const struct reach_rule *rule)
{
	struct kept *kept = arg;
	size_t number = number_of(kept->policy, rule->rule, rule->acl);

	assert_int_equal(kept->first[2 * number], kept->first[2 * number + 1]);
	kept->first[2 * number] = kept->n;
	kept->n_at_most += rule->at_most;
	for (size_t i = 0; i < rule->n; i++) {
		struct reach_box *box;

		if (kept->n == kept->room) {
			kept->room = 2 * kept->room + 64;
			kept->boxes = realloc(kept->boxes, kept->room * sizeof(*kept->boxes));
		}
		box = &kept->boxes[kept->n++];
		*box = rule->boxes[i];
		for (int d = 0; d < BOX_DIMENSIONS; d++) {
			size_t size = box->product.dim[d].n * sizeof(struct range);
			struct range *list = malloc(size + 1);

			memcpy(list, box->product.dim[d].list, size);
			box->product.dim[d].list = list;
		}
	}
	kept->first[2 * number + 1] = kept->n;
	return 0;
}

static void forget(struct kept *kept)
{
	for (size_t i = 0; i < kept->n; i++)
		for (int d = 0; d < BOX_DIMENSIONS; d++)
			free(kept->boxes[i].product.dim[d].list);
	free(kept->boxes);
	free(kept->first);
}

static bool in(const struct ranges *ranges, point value)
{
	for (size_t i = 0; i < ranges->n; i++)
		if (ranges->list[i].first <= value && value <= ranges->list[i].last)
			return true;
	return false;
}

static point point_of(const union addr *addr)
{
	point value = 0;

	for (int i = 0; i < 16; i++)
		value = value << 8 | addr->bytes[i];
	return value;
}

/* What a destination is to the boxes of peer_acl. */
static point destination_of(const struct classifier_key *key, enum acl acl)
{
	if (acl == ACL_PEER && key->local_kind == LOCAL_BROADCAST)
		return (point)0xffffffffffff;
	return point_of(&key->destination);
}

static bool box_has(const struct reach_box *box, const struct classifier_key *key, enum acl acl)
{
	bool icmp = key->l4_proto == (key->ip_version == 4 ? 1 : 58);
	point types = key->ip_version == 4 ? 0x10000 : 0x20000;

	if (!(box->families & (key->ip_version == 4 ? FAMILY_4 : FAMILY_6)))
		return false;
	if (!box->everything &&
	    (icmp ? !box->icmp : !protocols_have(&box->protocols, key->l4_proto)))
		return false;
	if (!in(&box->product.dim[BOX_SOURCE], point_of(&key->source)) ||
	    !in(&box->product.dim[BOX_DESTINATION], destination_of(key, acl)))
		return false;
	if (!box->has_ports)
		return true;
	if (icmp)
		return in(&box->product.dim[BOX_DPORT],
			  types | key->icmp_type << 8 | key->icmp_code);
	return in(&box->product.dim[BOX_SPORT], key->sport) &&
	       in(&box->product.dim[BOX_DPORT], key->dport);
}

/* An inquiry in a world where every address can be anybody's, and is asked about by both ACLs. */
static void open_world(struct inquiry *inquiry, const struct policy *policy)
{
	static struct range all[2][2];
	const struct inquiry_host host = {.routing = ROUTING_NATIVE};

	assert_int_equal(inquiry_open(inquiry, policy, &host), 0);
	all[0][0] = box_family(4, 0);
	all[1][0] = box_family(6, 1);
	all[1][1] = box_family(6, 0);
	inquiry->n_regions = 4;
	for (int i = 0; i < 4; i++) {
		struct ranges whole = {all[i % 2], 1 + i % 2, true};

		inquiry->region[i] = (struct region){.acl = i / 2,
						     .ip_version = i % 2 ? 6 : 4,
						     .source = whole,
						     .destination = whole,
						     .asked = whole};
	}
}

/* Which rule a box says a packet is let in by: the number, or -1. */
static long rule_by_boxes(const struct kept *kept, const struct classifier_key *key, enum acl acl)
{
	const struct policy *policy = kept->policy;
	size_t begin = number_of(policy, policy->acl[acl].rules, acl);
	long found = -1;

	for (size_t r = begin; r < begin + policy->acl[acl].n_rules; r++)
		for (size_t i = kept->first[2 * r]; i < kept->first[2 * r + 1]; i++)
			if (box_has(&kept->boxes[i], key, acl)) {
				assert_int_equal(found < 0 || found == (long)r, 1);
				found = (long)r;
			}
	return found;
}

static void compare(struct ruleset *set, const struct kept *kept, size_t n)
{
	struct classifier *classifier;
	struct error error;

	assert_int_equal(
		classifier_compile(&set->policy, NULL, 0, (size_t)1 << 30, &classifier, &error), 0);
	for (size_t i = 0; i < n; i++) {
		enum acl acl;
		struct classifier_key key = ruleset_packet(set, &acl);
		uint32_t index;
		long expected = -1;

		if (!protocol_can_arrive(key.l4_proto, key.ip_version))
			continue;
		index = classifier_lookup(classifier, &key, acl);
		if (index) {
			struct classifier_rule rule = classifier_rule(classifier, index - 1);

			if (rule.rule->allow)
				expected = number_of(&set->policy, rule.rule, acl);
		}
		if (rule_by_boxes(kept, &key, acl) != expected)
			fail_msg("packet %zu: rule %ld by its boxes, %ld by the classifier", i,
				 rule_by_boxes(kept, &key, acl), expected);
	}
	classifier_free(classifier);
}

static void boxes_agree(enum ruleset_family family, uint8_t version, size_t n_rules, size_t packets)
{
	struct ruleset *set = ruleset_make(family, version, n_rules, 7 * n_rules + version);
	struct kept kept = {.policy = &set->policy};
	struct inquiry inquiry;
	struct traffic all;

	if (family == RULESET_RANDOM)
		ruleset_name_groups_and_types(set);
	kept.first = calloc(2 * (set->policy.acl[0].n_rules + set->policy.acl[1].n_rules) + 2,
			    sizeof(*kept.first));
	open_world(&inquiry, &set->policy);
	traffic_all(&all);
	assert_int_equal(reach_visit(&inquiry, &all, keep, &kept), 0);
	assert_int_equal(kept.n_at_most, 0);
	compare(set, &kept, packets);
	forget(&kept);
	inquiry_close(&inquiry);
	ruleset_free(set);
}

static void boxes_say_what_the_classifier_says_of_a_million_packets(void **state)
{
	(void)state;
	for (uint8_t v = 4; v <= 6; v += 2) {
		for (size_t n = 1; n <= 40; n++)
			boxes_agree(RULESET_RANDOM, v, n, PACKETS / 160);
		boxes_agree(RULESET_MESH, v, 300, PACKETS / 16);
		boxes_agree(RULESET_FIREWALL, v, 300, PACKETS / 16);
		boxes_agree(RULESET_SERVICES, v, 300, PACKETS / 16);
		boxes_agree(RULESET_HOSTILE, v, 30, PACKETS / 16);
	}
}

/* ---- proofs, against every packet of a small question ---- */

#define FEW	  3
#define QUESTIONS 200 /* of each policy */

/* A question about a few addresses, ports and one protocol. */
struct few {
	struct classifier_key key[FEW];
	struct range source[FEW], destination[FEW], port[FEW];
};

static void ask_few(struct ruleset *set, struct few *few, struct traffic *traffic)
{
	enum acl acl;

	traffic_all(traffic);
	memset(&traffic->protocols, 0, sizeof(traffic->protocols));
	for (int i = 0; i < FEW; i++) {
		struct range *source = &few->source[i], *destination = &few->destination[i];

		few->key[i] = i && set->random & 1 ? few->key[0] : ruleset_packet(set, &acl);
		few->key[i].local_kind = LOCAL_NONE;
		source->first = source->last = point_of(&few->key[i].source);
		destination->first = destination->last = point_of(&few->key[i].destination);
		few->port[i].first = few->port[i].last = few->key[i].dport;
	}
	traffic->product.dim[BOX_SOURCE] = (struct ranges){few->source, FEW, true};
	traffic->product.dim[BOX_DESTINATION] = (struct ranges){few->destination, FEW, true};
	traffic->product.dim[BOX_DPORT] = (struct ranges){few->port, FEW, true};
	for (int d = BOX_DPORT; d < BOX_DIMENSIONS; d++)
		ranges_sort(&traffic->product.dim[d]);
	protocols_add(&traffic->protocols, 6);
}

/* Try the packets of a question by ACLs from @first on: how many are let in, and how many not. */
static void count_few(const struct classifier *classifier, const struct few *few, enum acl first,
		      size_t counts[2])
{
	counts[0] = counts[1] = 0;
	for (int i = first * 27; i < 27 * ACL_MAX; i++) {
		const struct classifier_key *from = &few->key[i % FEW],
					    *to = &few->key[i / 3 % FEW];
		struct classifier_key key = {.source = from->source,
					     .destination = to->destination,
					     .ip_version = from->ip_version,
					     .l4_proto = 6,
					     .sport = 50000,
					     .dport = few->key[i / 9 % FEW].dport};
		uint32_t index;

		if (from->ip_version != to->ip_version ||
		    !memcmp(&key.source, &key.destination, sizeof(key.source)))
			continue;
		if (i / 27 == ACL_PEER)
			key.local_kind = point_group(point_of(&key.destination));
		index = classifier_lookup(classifier, &key, i / 27);
		counts[index && classifier_rule(classifier, index - 1).rule->allow]++;
	}
}

/* Whether the classifier says of a witness what the proof does. */
static void check_witness(const struct classifier *classifier, const struct witness *witness)
{
	struct classifier_key key = {.source = witness->source,
				     .destination = witness->destination,
				     .ip_version = witness->ip_version,
				     .l4_proto = witness->l4_proto,
				     .sport = witness->sport,
				     .dport = witness->dport,
				     .icmp_type = witness->icmp_type,
				     .icmp_code = witness->icmp_code};
	bool peer = witness->reason == REASON_PEER_ACL_ALLOWED ||
		    witness->reason == REASON_PEER_ACL_DENIED ||
		    witness->reason == REASON_PEER_ACL_DEFAULT;
	uint32_t index;

	if (peer)
		key.local_kind = point_group(point_of(&key.destination));
	index = classifier_lookup(classifier, &key, peer ? ACL_PEER : ACL_ROUTE);
	if (!index)
		assert_null(witness->rule);
	else
		assert_ptr_equal(witness->rule, classifier_rule(classifier, index - 1).rule);
	assert_int_equal(witness->allowed, witness->rule && witness->rule->allow);
}

static struct classifier *compiled(const struct policy *policy)
{
	struct classifier *classifier;
	struct error error;

	assert_int_equal(classifier_compile(policy, NULL, 0, (size_t)1 << 30, &classifier, &error),
			 0);
	return classifier;
}

static void proofs_agree_with_every_packet_of_a_question(void **state)
{
	size_t answers[2][2] = {};

	(void)state;
	for (size_t n = 1; n <= 60; n++) {
		struct ruleset *set = ruleset_make(RULESET_RANDOM, n % 2 ? 4 : 6, n / 2 + 1, n);
		struct classifier *classifier = compiled(&set->policy);
		struct inquiry inquiry;

		open_world(&inquiry, &set->policy);
		if (n % 3) /* what both ACLs let in is rare */
			memmove(inquiry.region, inquiry.region + 2, 2 * sizeof(*inquiry.region));
		inquiry.n_regions = n % 3 ? 2 : 4;
		for (int i = 0; i < QUESTIONS; i++) {
			struct range sport = {50000, 50000};
			struct traffic traffic;
			struct witness witness;
			struct few few;
			size_t counts[2];

			ask_few(set, &few, &traffic);
			traffic.product.dim[BOX_SPORT] = (struct ranges){&sport, 1, true};
			count_few(classifier, &few, n % 3 ? ACL_ROUTE : ACL_PEER, counts);
			for (int all = 0; all <= 1; all++) {
				int answer = all ? prove_all(&inquiry, &traffic, &witness)
						 : prove_none(&inquiry, &traffic, &witness);

				if (answer == PROVE_NOBODY || !(counts[0] + counts[1]))
					continue;
				assert_int_equal(answer, !counts[!all]);
				if (!answer)
					check_witness(classifier, &witness);
				answers[all][answer]++;
			}
		}
		inquiry_close(&inquiry);
		classifier_free(classifier);
		ruleset_free(set);
	}
	for (int i = 0; i < 4; i++)
		assert_true(answers[i / 2][i % 2] > 20);
}

/* Two policies that differ in a rule, or in the order of their rules alone. */
static void policies_are_equal_if_every_packet_is_judged_alike(void **state)
{
	size_t n_equal = 0, n_different = 0;

	(void)state;
	for (size_t n = 1; n <= 400; n++) {
		struct ruleset *sets[2] = {ruleset_make(RULESET_RANDOM, n % 2 ? 4 : 6, 6, n),
					   ruleset_make(RULESET_RANDOM, n % 2 ? 4 : 6, 6, n)};
		struct policy_acl *acl = &sets[1]->policy.acl[n / 2 % 2];
		struct inquiry inquiry[2];
		struct classifier *classifier[2];
		struct witness witness[2];
		struct policy_rule first = acl->rules[0];
		int answer;

		if (n % 3) {
			acl->rules[n % 3].allow = !acl->rules[n % 3].allow;
		} else { /* both deny before they allow */
			acl->rules[0] = acl->rules[acl->n_rules - 1];
			acl->rules[acl->n_rules - 1] = first;
		}
		for (int i = 0; i < 2; i++) {
			open_world(&inquiry[i], &sets[i]->policy);
			classifier[i] = compiled(&sets[i]->policy);
		}
		answer = prove_equal(&inquiry[0], &inquiry[1], witness);
		assert_true(answer == 0 || answer == 1);
		for (int i = 0; i < 2 && !answer; i++)
			check_witness(classifier[i], &witness[i]);
		if (!answer)
			assert_int_not_equal(witness[0].allowed, witness[1].allowed);
		for (int i = 0; i < 2000 && answer; i++) {
			enum acl which;
			struct classifier_key key = ruleset_packet(sets[i % 2], &which);
			bool allowed[2];

			if (!protocol_can_arrive(key.l4_proto, key.ip_version) ||
			    !memcmp(&key.source, &key.destination, sizeof(key.source)))
				continue;
			for (int j = 0; j < 2; j++) {
				uint32_t found = classifier_lookup(classifier[j], &key, which);

				allowed[j] = found &&
					     classifier_rule(classifier[j], found - 1).rule->allow;
			}
			assert_int_equal(allowed[0], allowed[1]);
		}
		n_equal += answer;
		n_different += !answer;
		for (int i = 0; i < 2; i++) {
			inquiry_close(&inquiry[i]);
			classifier_free(classifier[i]);
			ruleset_free(sets[i]);
		}
	}
	assert_true(n_equal > 50 && n_different > 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(proofs_agree_with_every_packet_of_a_question),
		cmocka_unit_test(policies_are_equal_if_every_packet_is_judged_alike),
		cmocka_unit_test(boxes_say_what_the_classifier_says_of_a_million_packets),
	};

	return cmocka_run_group_tests_name("reach", tests, NULL, NULL);
}
