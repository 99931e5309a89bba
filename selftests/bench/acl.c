/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the rules of a policy cost: the verdict on a new flow, compiling and loading, memory.
 *
 *	acl [ROUNDS]
 *
 * Rule sets are those of the differential tests.  The verdict is a call of classify(), net of the
 * same program without the call; beside it, in turn, what others take for the same verdicts.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bpf/classify_probe.h"
#include "classify/classifier.h"
#include "classify/install.h"
#include "classify_probe.skel.h"
#include "dataplane/generation.h"
#include "dataplane/generation_build.h"
#include "model/rulesets.h"
#include "peers.h"
#include "samples.h"

#define SEED 1

static const struct {
	const char *name;
	enum ruleset_family family;
	size_t n_rules[5];
} sets[] = {
	{"mesh", RULESET_MESH, {10, 1000, 10000, 100000}},
	{"firewall", RULESET_FIREWALL, {10, 1000, 10000, 100000}},
	{"hostile", RULESET_HOSTILE, {100, 1000, 10000}},
};

static unsigned int rounds = 9;

static struct classify_probe *load(const struct classifier *classifier)
{
	struct classify_probe *skeleton = classify_probe__open();
	struct error error = {};

	if (!skeleton)
		die("cannot open the probe: %s", strerror(errno));
	memcpy((void *)&skeleton->rodata->classify_config, classifier_config(classifier),
	       sizeof(struct classify_config));
	if (classifier_configure(classifier, skeleton->obj, &error))
		die("%s", error.text);
	if (classify_probe__load(skeleton))
		die("cannot load the probe: %s", strerror(errno));
	if (classifier_fill(classifier, skeleton->obj, &error))
		die("%s", error.text);
	return skeleton;
}

/*
 * Random packets of the rule set; only the first @different of them are not repeated.  All go to
 * the ACL that has rules: the others would be cheap.
 */
static void fill_keys(struct ruleset *set, int fd, size_t different)
{
	struct probe_key *keys = mmap(NULL, PROBE_KEYS * sizeof(*keys), PROT_READ | PROT_WRITE,
				      MAP_SHARED, fd, 0);

	if (keys == MAP_FAILED)
		die("cannot map the keys: %s", strerror(errno));
	for (size_t i = 0; i < PROBE_KEYS; i++) {
		struct classifier_key key;
		enum acl acl;

		if (i >= different) {
			keys[i] = keys[i - different];
			continue;
		}
		key = ruleset_packet(set, &acl);
		keys[i] = (struct probe_key){
			.saddr = key.source,
			.daddr = key.destination,
			.sport = htobe16(key.sport),
			.dport = htobe16(key.dport),
			.ip_version = key.ip_version,
			.l4_proto = key.l4_proto,
			.acl = set->policy.acl[ACL_PEER].n_rules ? ACL_PEER : ACL_ROUTE,
		};
	}
	munmap(keys, PROBE_KEYS * sizeof(*keys));
}

/* Takes a sample of the verdict in each round, and one of each peer if there are any. */
static void measure_flows(struct classify_probe *skeleton, struct peers *peers,
			  struct samples *samples)
{
	peers_test_run(skeleton->progs.probe_xdp, PROBE_KEYS);
	for (samples->n = 0; samples->n < rounds; samples->n++) {
		samples->empty[samples->n] = peers_test_run(skeleton->progs.probe_empty,
							    PROBE_KEYS);
		samples->measured[samples->n] = peers_test_run(skeleton->progs.probe_xdp,
							       PROBE_KEYS);
		if (peers)
			peers_sample(peers, skeleton->progs.probe_empty);
	}
}

static void measure_verdicts(struct ruleset *set, const struct classifier *classifier,
			     const char *name, size_t n_rules)
{
	struct classify_probe *skeleton = load(classifier);
	const size_t different[] = {PEERS_KEYS, PROBE_KEYS};

	for (int i = 0; i < 2; i++) {
		struct samples samples = {.has_empty = true};
		struct peers *peers = NULL;

		fill_keys(set, bpf_map__fd(skeleton->maps.probe_keys), different[i]);
		if (different[i] == PEERS_KEYS) {
			peers = peers_open(set, skeleton->maps.probe_keys);
			peers_check(peers, classifier);
		}
		measure_flows(skeleton, peers, &samples);
		samples_report(&samples,
			       "\"part\":\"acl\",\"case\":\"%s\",\"rules\":%zu,\"ip\":%u,"
			       "\"flows\":%zu,\"peer\":\"shrike\",\"unit\":\"ns\"",
			       name, n_rules, set->ip_version, different[i]);
		if (!peers)
			continue;
		peers_report(peers, name, n_rules);
		peers_close(peers);
	}
	classify_probe__destroy(skeleton);
}

/* The rules of a set have no ids, but a generation wants them. */
static char *name_rules(struct policy *policy)
{
	size_t n = policy->acl[ACL_PEER].n_rules + policy->acl[ACL_ROUTE].n_rules, next = 0;
	char *ids = calloc(n + 1, RULE_ID_MAX);

	if (!ids)
		die("out of memory");
	for (int acl = 0; acl < ACL_MAX; acl++) {
		for (size_t i = 0; i < policy->acl[acl].n_rules; i++, next++) {
			policy->acl[acl].rules[i].id = ids + next * RULE_ID_MAX;
			snprintf(ids + next * RULE_ID_MAX, RULE_ID_MAX, "rule-%zu", next);
		}
	}
	return ids;
}

/* All of it: compiled, programs verified, tables filled. */
static void measure_build(const struct policy *policy, const char *name, size_t n_rules,
			  uint8_t ip_version)
{
	const struct mode mode = {.routing = ROUTING_NATIVE, .hook = HOOK_XDP};
	const struct generation_spec spec = {
		.policy = policy, .mode = &mode, .mtu = 1280, .l2_len = 14};
	struct samples samples = {};

	for (unsigned int i = 0; i < 3; i++) {
		struct generation *generation;
		struct error error = {};
		double begin = cpu_time_ns();

		if (generation_build(&spec, &generation, &error))
			die("%s, %zu rules: %s", name, n_rules, error.text);
		samples_add(&samples, (cpu_time_ns() - begin) / 1e9);
		generation_free(generation);
	}
	samples_report(&samples,
		       "\"part\":\"acl\",\"case\":\"compile and load, %s\",\"rules\":%zu,"
		       "\"ip\":%u,\"unit\":\"s\"%s",
		       name, n_rules, ip_version,
		       n_rules == 100000  ? ",\"goal\":5"
		       : n_rules == 10000 ? ",\"goal\":0.5"
					  : "");
}

static void measure_set(size_t which, size_t n_rules, uint8_t ip_version)
{
	struct ruleset *set = ruleset_make(sets[which].family, ip_version, n_rules, SEED);
	struct classifier *classifier;
	struct samples memory = {};
	struct error error = {};
	char *ids = name_rules(&set->policy);

	if (classifier_compile(&set->policy, NULL, 0, CLASSIFIER_BUDGET_BYTES, &classifier, &error))
		die("%s, %zu rules: %s", sets[which].name, n_rules, error.text);
	measure_verdicts(set, classifier, sets[which].name, n_rules);
	samples_add(&memory, classifier_memory(classifier) / 1048576.0);
	samples_report(&memory,
		       "\"part\":\"acl\",\"case\":\"memory, %s\",\"rules\":%zu,\"ip\":%u,"
		       "\"unit\":\"MiB\"%s",
		       sets[which].name, n_rules, ip_version,
		       n_rules != 100000			? ""
		       : sets[which].family == RULESET_MESH	? ",\"goal\":32"
		       : sets[which].family == RULESET_FIREWALL ? ",\"goal\":96"
								: "");
	classifier_free(classifier);
	measure_build(&set->policy, sets[which].name, n_rules, ip_version);
	ruleset_free(set);
	free(ids);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		rounds = strtoul(argv[1], NULL, 10);
	if (argc > 2 || !rounds || rounds > SAMPLES_MAX)
		die("usage: acl [ROUNDS], at most %d", SAMPLES_MAX);
	generation_verbose(false);
	for (uint8_t ip_version = 4; ip_version <= 6; ip_version += 2)
		for (size_t i = 0; i < sizeof(sets) / sizeof(*sets); i++)
			for (int n = 0; sets[i].n_rules[n]; n++)
				measure_set(i, sets[i].n_rules[n], ip_version);
	return 0;
}
