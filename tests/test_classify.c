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
#include "classify/classify.h"
#include "classify_probe.skel.h"
#include "oracle.h"
#include "rulesets.h"

#define PACKETS 100000

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

static struct classify_probe_bpf *load(const struct classifier *classifier)
{
	struct classify_probe_bpf *skel = classify_probe_bpf__open();
	struct error error = {0};
	void *keys;

	assert_non_null(skel);
	memcpy((void *)&skel->rodata->classify_config, classifier_config(classifier),
	       sizeof(struct classify_config));
	assert_int_equal(classifier_configure(classifier, skel->obj, &error), 0);
	assert_int_equal(classify_probe_bpf__load(skel), 0);
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

static void check_answers(struct classify_probe_bpf *skel, size_t n)
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
	struct classify_probe_bpf *skel = load(classifier);

	run(skel->progs.probe_xdp, n);
	check_answers(skel, n);
	skel->bss->probe_next = 0;
	run(skel->progs.probe_tc, n);
	check_answers(skel, n);
	classify_probe_bpf__destroy(skel);
}

/* ---- the oracle's word ---- */

static void compare(enum ruleset_family family, uint8_t ip_version, size_t n_rules,
		    size_t n_overlay, uint64_t seed, size_t n_packets)
{
	struct ruleset *set = ruleset_make(family, ip_version, n_rules, seed);
	struct classifier *classifier = compile(&set->policy, n_overlay);

	make_packets(set, n_overlay, n_packets);
	check_userspace(classifier, n_packets);
	check_kernel(classifier, n_packets);
	classifier_free(classifier);
	ruleset_free(set);
}

static void random_rules_decide_as_the_oracle_says(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 10; seed++)
		compare(RULESET_RANDOM, seed % 2 ? 4 : 6, 1 + seed * seed, seed % 3, seed, 5000);
	compare(RULESET_RANDOM, 4, 512, 0, 11, PACKETS / 4);
	compare(RULESET_RANDOM, 6, 513, 2, 12, PACKETS / 4);
	compare(RULESET_RANDOM, 4, 5000, 2, 13, PACKETS / 4);
	compare(RULESET_RANDOM, 6, 5000, 0, 14, PACKETS / 4);
}

static void mesh_rules_decide_as_the_oracle_says(void **state)
{
	(void)state;
	compare(RULESET_MESH, 4, 10, 0, 1, PACKETS / 4);
	compare(RULESET_MESH, 4, 400, 1, 2, PACKETS / 4);
	compare(RULESET_MESH, 6, 2000, 1, 3, PACKETS / 4);
	compare(RULESET_MESH, 4, 6000, 1, 4, PACKETS / 4);
}

static void firewall_rules_decide_as_the_oracle_says(void **state)
{
	(void)state;
	compare(RULESET_FIREWALL, 4, 10, 0, 1, PACKETS / 4);
	compare(RULESET_FIREWALL, 6, 300, 2, 2, PACKETS / 4);
	compare(RULESET_FIREWALL, 4, 2000, 2, 3, PACKETS / 4);
	compare(RULESET_FIREWALL, 6, 5000, 2, 4, PACKETS / 4);
}

static void hostile_rules_decide_as_the_oracle_says(void **state)
{
	(void)state;
	compare(RULESET_HOSTILE, 4, 100, 0, 1, PACKETS / 4);
	compare(RULESET_HOSTILE, 6, 500, 0, 2, PACKETS / 4);
	compare(RULESET_HOSTILE, 4, 2000, 1, 3, PACKETS / 4);
	compare(RULESET_HOSTILE, 6, 5000, 0, 4, PACKETS / 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_rules_decide_as_the_oracle_says),
		cmocka_unit_test(mesh_rules_decide_as_the_oracle_says),
		cmocka_unit_test(firewall_rules_decide_as_the_oracle_says),
		cmocka_unit_test(hostile_rules_decide_as_the_oracle_says),
	};

	return cmocka_run_group_tests(tests, make_overlay, free_packets);
}
