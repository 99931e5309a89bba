/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The classifier against the oracle: in userspace, and in the kernel by BPF_PROG_TEST_RUN.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bpf/classify_probe.h"
#include "classify/classifier.h"
#include "classify/install.h"
#include "classify/walk.h"
#include "classify_probe.skel.h"
#include "model/oracle.h"
#include "model/rulesets.h"

#define PACKETS 100000
#define BATCH	50000 /* packets to a policy, at most PROBE_KEYS */

static const char *const family_names[] = {
	[RULESET_RANDOM] = "random",	 [RULESET_MESH] = "mesh",
	[RULESET_FIREWALL] = "firewall", [RULESET_SERVICES] = "services",
	[RULESET_HOSTILE] = "hostile",
};

static struct prefix overlay[2];
static struct probe_key *packets;
static uint32_t *expected;

static int make_overlay(void **state)
{
	(void)state;
	overlay[0].ip_version = 4; /* with host bits, as an interface has it */
	overlay[0].len = 16;
	overlay[0].addr = (union addr){.word = {0, 0, htonl(0xffff), htonl(0x9e370164)}};
	overlay[1].ip_version = 6;
	overlay[1].len = 64;
	overlay[1].addr.word[0] = htonl(0x20010db8);
	packets = calloc(PROBE_KEYS, sizeof(*packets));
	expected = calloc(PROBE_KEYS, sizeof(*expected));
	return packets && expected ? 0 : -1;
}

static int free_packets(void **state)
{
	(void)state;
	free(packets);
	free(expected);
	return 0;
}

static struct classifier *compile(const struct policy *policy, size_t n_overlay)
{
	struct classifier *classifier = NULL;
	struct error error = {0};

	if (classifier_compile(policy, overlay, n_overlay, CLASSIFIER_BUDGET_BYTES, &classifier,
			       &error))
		fail_msg("%s", error.text);
	return classifier;
}

static struct classifier_key key_of(const struct probe_key *packet)
{
	return (struct classifier_key){
		.source = packet->saddr,
		.destination = packet->daddr,
		.sport = ntohs(packet->sport),
		.dport = ntohs(packet->dport),
		.ip_version = packet->ip_version,
		.l4_proto = packet->l4_proto,
		.icmp_type = packet->icmp_type,
		.icmp_code = packet->icmp_code,
		.local_kind = packet->local_kind,
	};
}

static void make_packets(struct ruleset *set, size_t n_overlay, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		enum acl acl;
		struct classifier_key key = ruleset_packet(set, &acl);

		packets[i] = (struct probe_key){
			.saddr = key.source,
			.daddr = key.destination,
			.sport = htons(key.sport),
			.dport = htons(key.dport),
			.ip_version = key.ip_version,
			.l4_proto = key.l4_proto,
			.acl = acl,
			.icmp_type = key.icmp_type,
			.icmp_code = key.icmp_code,
			.local_kind = key.local_kind,
		};
		expected[i] = oracle_lookup(&set->policy, overlay, n_overlay, &key, acl);
	}
}

static void check(size_t i, uint32_t rule)
{
	if (rule != expected[i])
		fail_msg("packet %zu: rule %u instead of %u", i, rule, expected[i]);
}

static void check_userspace(const struct classifier *classifier, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct classifier_key key = key_of(&packets[i]);

		check(i, classifier_lookup(classifier, &key, packets[i].acl));
	}
}

/* ---- in the kernel ---- */

static struct classify_probe *load(const struct classifier *classifier)
{
	struct classify_probe *skel = classify_probe__open();
	struct error error = {0};
	void *keys;

	assert_non_null(skel);
	memcpy((void *)&skel->rodata->classify_config, classifier_config(classifier),
	       sizeof(struct classify_config));
	assert_int_equal(classifier_configure(classifier, skel->obj, &error), 0);
	bpf_program__set_autoload(skel->progs.probe_empty, false); /* is for measuring */
	assert_int_equal(classify_probe__load(skel), 0);
	if (classifier_fill(classifier, skel->obj, &error))
		fail_msg("%s", error.text);
	keys = mmap(NULL, PROBE_KEYS * sizeof(*packets), PROT_READ | PROT_WRITE, MAP_SHARED,
		    bpf_map__fd(skel->maps.probe_keys), 0);
	assert_ptr_not_equal(keys, MAP_FAILED);
	memcpy(keys, packets, PROBE_KEYS * sizeof(*packets));
	munmap(keys, PROBE_KEYS * sizeof(*packets));
	return skel;
}

static uint32_t run(struct bpf_program *program, size_t n)
{
	char packet[64] = {[12] = 0x86, [13] = 0xdd};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet, .data_size_in = sizeof(packet),
		    .repeat = n);

	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(program), &options), 0);
	return options.duration;
}

static void check_answers(struct classify_probe *skel, size_t n)
{
	const struct probe_answer *answers = mmap(NULL, PROBE_KEYS * sizeof(*answers),
						  PROT_READ | PROT_WRITE, MAP_SHARED,
						  bpf_map__fd(skel->maps.probe_answers), 0);

	assert_ptr_not_equal(answers, MAP_FAILED);
	for (size_t i = 0; i < n; i++)
		check(i, answers[i].rule);
	memset((void *)answers, 0xff, PROBE_KEYS * sizeof(*answers));
	munmap((void *)answers, PROBE_KEYS * sizeof(*answers));
}

static void check_kernel(const struct classifier *classifier, size_t n)
{
	struct classify_probe *skel = load(classifier);

	run(skel->progs.probe_xdp, n);
	check_answers(skel, n);
	skel->bss->probe_next = 0;
	run(skel->progs.probe_tc, n);
	check_answers(skel, n);
	classify_probe__destroy(skel);
}

/* ---- the oracle's word ---- */

static void compare_set(struct ruleset *set, size_t n_overlay, size_t n_packets)
{
	struct classifier *classifier = compile(&set->policy, n_overlay);

	make_packets(set, n_overlay, n_packets);
	check_userspace(classifier, n_packets);
	check_kernel(classifier, n_packets);
	classifier_free(classifier);
	ruleset_free(set);
}

static void compare(enum ruleset_family family, uint8_t ip_version, size_t n_rules,
		    size_t n_overlay, uint64_t seed, size_t n_packets)
{
	compare_set(ruleset_make(family, ip_version, n_rules, seed), n_overlay, n_packets);
}

/* With groups and ICMP types, in every layout of the tables. */
static void groups_and_types_decide_as_the_oracle_says(void **state)
{
	static const struct {
		enum ruleset_family family;
		size_t n_rules;
		size_t n_packets;
	} rows[] = {
		{RULESET_RANDOM, 3, 2000},	{RULESET_RANDOM, 12, 4000},
		{RULESET_RANDOM, 60, 4000},	{RULESET_RANDOM, 500, 10000},
		{RULESET_RANDOM, 5000, 10000},	{RULESET_MESH, 400, 20000},
		{RULESET_MESH, 8000, 5000},	{RULESET_FIREWALL, 2000, 10000},
		{RULESET_SERVICES, 4000, 5000}, {RULESET_FIREWALL, 10000, 5000},
		{RULESET_HOSTILE, 500, 10000},
	};

	(void)state;
	for (uint64_t i = 0; i < 2 * sizeof(rows) / sizeof(*rows); i++) {
		struct ruleset *set = ruleset_make(rows[i / 2].family, i % 2 ? 4 : 6,
						   rows[i / 2].n_rules, 200 + i);

		ruleset_name_groups_and_types(set);
		compare_set(set, i % 3, rows[i / 2].n_packets);
	}
}

static void random_rules_decide_as_the_oracle_says(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 6; seed++)
		compare(RULESET_RANDOM, seed % 2 ? 4 : 6, 1 + seed * seed * 7, seed % 3, seed,
			5000);
	compare(RULESET_RANDOM, 4, 512, 0, 11, PACKETS / 4);
	compare(RULESET_RANDOM, 6, 513, 2, 12, PACKETS / 4);
	compare(RULESET_RANDOM, 4, 5000, 2, 13, PACKETS / 10);
	compare(RULESET_RANDOM, 6, 5000, 0, 14, PACKETS / 10);
}

static void mesh_rules_decide_as_the_oracle_says(void **state)
{
	(void)state;
	compare(RULESET_MESH, 4, 10, 0, 1, PACKETS / 2);
	compare(RULESET_MESH, 4, 400, 1, 2, PACKETS / 4);
	compare(RULESET_MESH, 6, 2000, 1, 3, PACKETS / 5);
	compare(RULESET_MESH, 4, 6000, 1, 4, PACKETS / 20);
}

static void rules_of_services_decide_as_the_oracle_says(void **state)
{
	(void)state;
	compare(RULESET_SERVICES, 4, 1000, 0, 1, PACKETS / 2);
	compare(RULESET_SERVICES, 6, 4000, 2, 2, PACKETS / 10);
	compare(RULESET_SERVICES, 4, 30000, 0, 3, PACKETS / 50);
}

static void firewall_rules_decide_as_the_oracle_says(void **state)
{
	(void)state;
	compare(RULESET_FIREWALL, 4, 10, 0, 1, PACKETS / 2);
	compare(RULESET_FIREWALL, 6, 300, 2, 2, PACKETS / 2);
	compare(RULESET_FIREWALL, 4, 2000, 2, 3, PACKETS / 5);
	compare(RULESET_FIREWALL, 6, 10000, 2, 4, PACKETS / 20);
	compare(RULESET_FIREWALL, 4, 100000, 2, 5, PACKETS / 200);
}

static void hostile_rules_decide_as_the_oracle_says(void **state)
{
	(void)state;
	compare(RULESET_HOSTILE, 4, 100, 0, 1, PACKETS / 2);
	compare(RULESET_HOSTILE, 6, 500, 0, 2, PACKETS / 2);
	compare(RULESET_HOSTILE, 4, 2000, 1, 3, PACKETS / 5);
	compare(RULESET_HOSTILE, 6, 5000, 0, 4, PACKETS / 10);
}

/* As many packets for each IP version as RULE_PACKETS says: make test-rules N=1000000. */
static void each_family_decides_as_the_oracle_says(void **state)
{
	static const struct {
		size_t n_rules;
		unsigned int percent;
	} shares[] = {{30, 40}, {512, 30}, {4000, 25}, {12000, 5}};
	const char *wanted = getenv("RULE_PACKETS");
	size_t n = wanted ? strtoul(wanted, NULL, 10) : 1000;
	uint64_t seed = 100;

	(void)state;
	assert_in_range(n, 100, UINT32_MAX);
	for (int family = RULESET_RANDOM; family <= RULESET_HOSTILE; family++) {
		for (uint8_t ip_version = 4; ip_version <= 6; ip_version += 2) {
			for (size_t i = 0; i < sizeof(shares) / sizeof(*shares); i++) {
				size_t left = n * shares[i].percent / 100;

				for (size_t now; left; left -= now) {
					now = left < BATCH ? left : BATCH;
					compare(family, ip_version, shares[i].n_rules, seed % 3,
						seed, now);
					seed++;
				}
			}
			if (wanted)
				print_message("%s, IPv%u: %zu packets, no difference\n",
					      family_names[family], ip_version, n);
		}
	}
}

/* The families above are worth something only if they reach every layout of the tables. */
static void the_families_reach_every_layout(void **state)
{
	static const struct {
		enum ruleset_family family;
		size_t n_rules;
		uint32_t lines;
		bool merged;
	} rows[] = {
		{RULESET_MESH, 400, 1, false},	     {RULESET_MESH, 6000, 1, true},
		{RULESET_FIREWALL, 2000, 4, false},  {RULESET_SERVICES, 4000, 2, true},
		{RULESET_FIREWALL, 10000, 0, false}, {RULESET_SERVICES, 30000, 0, true},
		{RULESET_HOSTILE, 5000, 10, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct ruleset *set = ruleset_make(rows[i].family, 4, rows[i].n_rules, 1);
		struct classifier *classifier = compile(&set->policy, 0);
		const struct classify_config *config = classifier_config(classifier);
		const struct classify_layout *layout =
			classifier_table(classifier, CLASSIFY_TABLE_LAYOUT).data;

		if (rows[i].merged && rows[i].lines)
			assert_in_range(layout->lines, rows[i].lines, CLASSIFY_LINES_MAX);
		else
			assert_int_equal(layout->lines, rows[i].lines);
		assert_int_equal(config->tries, !rows[i].lines);
		assert_int_equal(config->merged, rows[i].merged);
		classifier_free(classifier);
		ruleset_free(set);
	}
}

/* ---- by hand ---- */

static struct address_match from_prefix(struct prefix *prefix)
{
	return (struct address_match){.prefixes = prefix, .n_prefixes = 1};
}

static uint32_t look_up(const struct classifier *classifier, enum acl acl, uint8_t l4_proto,
			uint16_t dport)
{
	struct classifier_key key = {
		.source.word = {0, 0, htonl(0xffff), htonl(0x64400001)},
		.destination.word = {0, 0, htonl(0xffff), htonl(0x9e370202)},
		.sport = 40000,
		.dport = dport,
		.ip_version = 4,
		.l4_proto = l4_proto,
	};

	return classifier_lookup(classifier, &key, acl);
}

static void a_policy_without_rules_matches_nothing(void **state)
{
	struct policy policy = {0};
	struct classifier *classifier = compile(&policy, 0);

	(void)state;
	assert_int_equal(classifier_n_rules(classifier), 0);
	assert_int_equal(look_up(classifier, ACL_PEER, 6, 22), 0);
	packets[0] = (struct probe_key){.ip_version = 4, .l4_proto = 6};
	packets[1] = (struct probe_key){.ip_version = 6, .l4_proto = 58, .acl = 1};
	expected[0] = expected[1] = 0;
	check_kernel(classifier, 2);
	classifier_free(classifier);
}

static void built_in_rules_come_first_then_denials_then_allowances(void **state)
{
	struct address_match any = {.any = true};
	struct port_range ssh = {22, 22};
	struct policy_rule rules[] = {
		{.id = "allow",
		 .source = any,
		 .destination = any,
		 .allow = true,
		 .protocol = PROTOCOL_ALL},
		{.id = "deny",
		 .source = any,
		 .destination = any,
		 .protocol = 6,
		 .destination_ports = &ssh,
		 .n_destination_ports = 1},
	};
	struct policy policy = {.acl = {{rules, 2}, {rules, 2}}};
	struct classifier *classifier = compile(&policy, 1);

	(void)state;
	assert_int_equal(classifier_n_rules(classifier), 5);
	assert_string_equal(classifier_rule(classifier, 0).rule->id, "deny");
	assert_string_equal(classifier_rule(classifier, 1).rule->id, "allow");
	assert_int_equal(classifier_rule(classifier, 1).flags, RULE_ALLOW);
	assert_int_equal(classifier_rule(classifier, 1).acl, ACL_PEER);
	assert_null(classifier_rule(classifier, 2).rule);
	assert_int_equal(classifier_rule(classifier, 2).flags, RULE_BUILTIN);
	assert_int_equal(classifier_rule(classifier, 2).acl, ACL_ROUTE);
	assert_int_equal(look_up(classifier, ACL_PEER, 6, 22), 1);
	assert_int_equal(look_up(classifier, ACL_PEER, 6, 23), 2);
	assert_int_equal(look_up(classifier, ACL_ROUTE, 6, 22), 3);
	classifier_free(classifier);
}

static void ports_are_compared_for_tcp_and_udp_only(void **state)
{
	struct address_match any = {.any = true};
	struct port_range web = {80, 80};
	struct policy_rule rule = {.source = any,
				   .destination = any,
				   .allow = true,
				   .protocol = PROTOCOL_ALL,
				   .destination_ports = &web,
				   .n_destination_ports = 1};
	struct policy policy = {.acl = {{&rule, 1}, {NULL, 0}}};
	struct classifier *classifier = compile(&policy, 0);

	(void)state;
	assert_int_equal(look_up(classifier, ACL_PEER, 6, 80), 1);
	assert_int_equal(look_up(classifier, ACL_PEER, 17, 81), 0);
	assert_int_equal(look_up(classifier, ACL_PEER, 1, 81), 1);
	assert_int_equal(look_up(classifier, ACL_PEER, 132, 81), 1);
	classifier_free(classifier);
}

static void every_ipv4_address_is_not_every_address(void **state)
{
	struct prefix everything = {.addr.word = {0, 0, htonl(0xffff), 0}, .ip_version = 4};
	struct policy_rule rule = {.source = from_prefix(&everything),
				   .destination.any = true,
				   .protocol = PROTOCOL_ALL,
				   .allow = true};
	struct policy policy = {.acl = {{&rule, 1}, {NULL, 0}}};
	struct classifier *classifier = compile(&policy, 0);
	struct classifier_key key = {.ip_version = 6, .l4_proto = 6};

	(void)state;
	assert_int_equal(look_up(classifier, ACL_PEER, 6, 80), 1);
	assert_int_equal(classifier_lookup(classifier, &key, ACL_PEER), 0);
	classifier_free(classifier);
}

static void a_rule_with_empty_sets_matches_nothing(void **state)
{
	struct prefix_set empty = {0};
	size_t zero = 0;
	struct policy_rule rule = {.source = {.sets = &zero, .n_sets = 1},
				   .destination.any = true,
				   .protocol = PROTOCOL_ALL,
				   .allow = true};
	struct policy policy = {.acl = {{&rule, 1}, {NULL, 0}}, .sets = &empty, .n_sets = 1};
	struct classifier *classifier = compile(&policy, 0);

	(void)state;
	assert_int_equal(look_up(classifier, ACL_PEER, 6, 80), 0);
	classifier_free(classifier);
}

static void rules_beyond_the_budget_are_refused(void **state)
{
	struct ruleset *set = ruleset_make(RULESET_HOSTILE, 4, 5000, 1);
	struct classifier *classifier = NULL;
	struct error error = {0};

	(void)state;
	assert_int_equal(classifier_compile(&set->policy, NULL, 0, 8 << 20, &classifier, &error),
			 -E2BIG);
	assert_null(classifier);
	assert_non_null(strstr(error.text, "8 MiB"));
	ruleset_free(set);
}

static void the_tables_stay_within_the_budget(void **state)
{
	struct ruleset *set = ruleset_make(RULESET_FIREWALL, 4, 10000, 1);
	struct classifier *classifier = compile(&set->policy, 0);
	struct classifier *same = NULL;
	size_t bytes = classifier_memory(classifier);
	struct error error = {0};

	(void)state;
	assert_int_equal(classifier_compile(&set->policy, NULL, 0, bytes, &same, &error), 0);
	classifier_free(same);
	same = NULL;
	assert_int_equal(classifier_compile(&set->policy, NULL, 0, bytes - 1, &same, &error),
			 -E2BIG);
	classifier_free(classifier);
	ruleset_free(set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_policy_without_rules_matches_nothing),
		cmocka_unit_test(built_in_rules_come_first_then_denials_then_allowances),
		cmocka_unit_test(ports_are_compared_for_tcp_and_udp_only),
		cmocka_unit_test(every_ipv4_address_is_not_every_address),
		cmocka_unit_test(a_rule_with_empty_sets_matches_nothing),
		cmocka_unit_test(rules_beyond_the_budget_are_refused),
		cmocka_unit_test(the_tables_stay_within_the_budget),
		cmocka_unit_test(the_families_reach_every_layout),
		cmocka_unit_test(groups_and_types_decide_as_the_oracle_says),
		cmocka_unit_test(random_rules_decide_as_the_oracle_says),
		cmocka_unit_test(mesh_rules_decide_as_the_oracle_says),
		cmocka_unit_test(rules_of_services_decide_as_the_oracle_says),
		cmocka_unit_test(firewall_rules_decide_as_the_oracle_says),
		cmocka_unit_test(hostile_rules_decide_as_the_oracle_says),
		cmocka_unit_test(each_family_decides_as_the_oracle_says),
	};

	return cmocka_run_group_tests(tests, make_overlay, free_packets);
}
