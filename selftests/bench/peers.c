/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "peers.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "classify/walk.h"
#include "flat.h"
#include "linear.h"
#include "linear.skel.h"

#define N_FAST	 16384	     /* packets to a sample of nftables */
#define WORK	 (10u << 20) /* rules that a sample of something slow looks at, about */
#define SLOW_MIN 64

static const char *const form_names[NFT_FORMS] = {"", "nftables, linear", "nftables, sets"};

/**
 * peers_test_run() - Run a program many times
 * @program: an XDP program
 * @n: how often
 *
 * Return: CPU time of a run in ns.
 */
double peers_test_run(const struct bpf_program *program, size_t n)
{
	char packet[64] = {[12] = 0x86, [13] = 0xdd};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = sizeof(packet),
		    .repeat = n);
	double begin = cpu_time_ns();
	int err = bpf_prog_test_run_opts(bpf_program__fd(program), &opts);

	if (err)
		die("test run of a BPF program: %s", strerror(-err));
	return (cpu_time_ns() - begin) / n;
}

static void *map_values(const struct bpf_map *map, size_t size)
{
	void *values = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

	if (values == MAP_FAILED)
		die("cannot map %s: %s", bpf_map__name(map), strerror(errno));
	return values;
}

/* ---- a linear scan in BPF ---- */

static void set_prefix(union addr *addr, union addr *mask, __u8 *ip_version,
		       const struct prefix *prefix)
{
	uint32_t bits;

	if (!prefix)
		return;
	*addr = prefix->addr;
	*ip_version = prefix->ip_version;
	bits = prefix->len + (prefix->ip_version == 4 ? 96 : 0);
	for (uint32_t i = 0; i < bits; i++)
		mask->bytes[i / 8] |= 0x80 >> i % 8;
}

static void fill_linear(const struct bpf_map *map, const struct flat_rule *rules, size_t n)
{
	size_t size = (n * sizeof(struct linear_rule) + 4095) / 4096 * 4096;
	struct linear_rule *out = map_values(map, size);

	for (size_t i = 0; i < n; i++) {
		out[i] = (struct linear_rule){
			.sport_first = rules[i].sport.first,
			.sport_last = rules[i].sport.last,
			.dport_first = rules[i].dport.first,
			.dport_last = rules[i].dport.last,
			.protocol = rules[i].protocol,
			.acl = rules[i].acl,
			.rule = rules[i].rule,
		};
		set_prefix(&out[i].saddr, &out[i].smask, &out[i].ip_version, rules[i].source);
		set_prefix(&out[i].daddr, &out[i].dmask, &out[i].ip_version, rules[i].destination);
	}
	munmap(out, size);
}

static struct linear_bpf *open_linear(const struct ruleset *set, struct bpf_map *probe_keys)
{
	struct linear_bpf *linear = linear_bpf__open();
	struct flat_rule *rules;
	size_t n = flat_rules(set, &rules);

	if (!linear)
		die("cannot open the linear scan: %s", strerror(errno));
	linear->rodata->linear_n_rules = n;
	if (bpf_map__reuse_fd(linear->maps.probe_keys, bpf_map__fd(probe_keys)) ||
	    bpf_map__set_max_entries(linear->maps.linear_rules, n) || linear_bpf__load(linear))
		die("cannot load the linear scan: %s", strerror(errno));
	fill_linear(linear->maps.linear_rules, rules, n);
	free(rules);
	return linear;
}

/* ---- all of them ---- */

static void read_keys(struct peers *peers, const struct bpf_map *probe_keys)
{
	size_t size = PROBE_KEYS * sizeof(struct probe_key);
	struct probe_key *keys = map_values(probe_keys, size);

	for (size_t i = 0; i < PEERS_KEYS; i++)
		peers->keys[i] = (struct classifier_key){
			.source = keys[i].saddr,
			.destination = keys[i].daddr,
			.sport = ntohs(keys[i].sport),
			.dport = ntohs(keys[i].dport),
			.ip_version = keys[i].ip_version,
			.l4_proto = keys[i].l4_proto,
		};
	munmap(keys, size);
}

/**
 * peers_open() - Give the rules to all who can have them
 * @set: the rules
 * @probe_keys: loaded, its first PEERS_KEYS packets are those to judge
 */
struct peers *peers_open(const struct ruleset *set, struct bpf_map *probe_keys)
{
	struct peers *peers = calloc(1, sizeof(*peers));
	size_t n = set->policy.acl[ACL_PEER].n_rules + set->policy.acl[ACL_ROUTE].n_rules;

	if (!peers)
		die("out of memory");
	peers->set = set;
	peers->n_slow = WORK / n < SLOW_MIN ? SLOW_MIN : WORK / n;
	if (peers->n_slow > N_FAST)
		peers->n_slow = N_FAST;
	read_keys(peers, probe_keys);
	peers->linear = open_linear(set, probe_keys);
	peers->linear_samples.has_empty = true;
	for (int form = 0; set->ip_version == 4 && form < NFT_FORMS; form++) {
		peers->has_nft[form] = nft_open(&peers->nft[form], set, form);
		if (!peers->has_nft[form])
			fprintf(stderr, "%s: not with these %zu rules\n", form_names[form], n);
		peers->nft_samples[form].has_empty = true;
	}
	return peers;
}

static void check_linear(struct peers *peers, const uint32_t *rules)
{
	size_t size = PROBE_KEYS * sizeof(struct probe_answer);
	const struct probe_answer *answers;

	peers->linear->bss->linear_next = 0;
	peers_test_run(peers->linear->progs.linear_xdp, peers->n_slow);
	answers = map_values(peers->linear->maps.linear_answers, size);
	for (size_t i = 0; i < peers->n_slow && i < PEERS_KEYS; i++)
		if (answers[i].rule != rules[i])
			die("packet %zu: the linear scan finds rule %u, the classifier %u", i,
			    answers[i].rule, rules[i]);
	munmap((void *)answers, size);
}

/**
 * peers_check() - All judge as the classifier does, else what is measured is something else
 * @peers: nothing was measured yet
 * @classifier: the rules
 */
void peers_check(struct peers *peers, const struct classifier *classifier)
{
	size_t n = peers->n_slow < PEERS_KEYS ? peers->n_slow : PEERS_KEYS;
	enum acl acl = peers->set->policy.acl[ACL_PEER].n_rules ? ACL_PEER : ACL_ROUTE;
	uint32_t rules[PEERS_KEYS];
	uint64_t allowed = 0;

	for (size_t i = 0; i < PEERS_KEYS; i++) {
		rules[i] = classifier_lookup(classifier, &peers->keys[i], acl);
		if (i < n && rules[i])
			allowed += !!(classifier_rule(classifier, rules[i] - 1).flags & RULE_ALLOW);
	}
	check_linear(peers, rules);
	for (int form = NFT_LINEAR; form < NFT_FORMS; form++) {
		if (!peers->has_nft[form])
			continue;
		nft_run(&peers->nft[form], peers->keys, PEERS_KEYS, n);
		if (nft_allowed(&peers->nft[form]) != allowed)
			die("%s allows %llu of %zu packets, the classifier %llu", form_names[form],
			    (unsigned long long)nft_allowed(&peers->nft[form]), n,
			    (unsigned long long)allowed);
	}
}

/**
 * peers_sample() - Measure each of them once
 * @peers: have been checked
 * @empty: the program that does all but judge
 */
void peers_sample(struct peers *peers, const struct bpf_program *empty)
{
	struct samples *linear = &peers->linear_samples;
	double nft_empty = 0;

	peers->linear->bss->linear_next = 0;
	linear->empty[linear->n] = peers_test_run(empty, N_FAST);
	linear->measured[linear->n++] = peers_test_run(peers->linear->progs.linear_xdp,
						       peers->n_slow);
	for (int form = 0; form < NFT_FORMS; form++) {
		struct samples *samples = &peers->nft_samples[form];
		size_t n = form == NFT_LINEAR ? peers->n_slow : N_FAST;
		double cost;

		if (!peers->has_nft[form])
			continue;
		cost = nft_run(&peers->nft[form], peers->keys, PEERS_KEYS, n);
		if (form == NFT_EMPTY)
			nft_empty = cost;
		samples->empty[samples->n] = nft_empty;
		samples->measured[samples->n++] = cost;
	}
}

static void report(const struct peers *peers, const struct samples *samples, const char *name,
		   size_t n_rules, const char *peer)
{
	samples_report(samples,
		       "\"part\":\"acl\",\"case\":\"%s\",\"rules\":%zu,\"ip\":%u,\"flows\":%d,"
		       "\"peer\":\"%s\",\"unit\":\"ns\"",
		       name, n_rules, peers->set->ip_version, PEERS_KEYS, peer);
}

/**
 * peers_report() - Write the lines of all
 * @peers: with samples
 * @name: of the rule set
 * @n_rules: as asked for
 */
void peers_report(const struct peers *peers, const char *name, size_t n_rules)
{
	report(peers, &peers->linear_samples, name, n_rules, "BPF, linear");
	for (int form = NFT_LINEAR; form < NFT_FORMS; form++)
		if (peers->has_nft[form])
			report(peers, &peers->nft_samples[form], name, n_rules, form_names[form]);
}

/**
 * peers_close() - Release all
 */
void peers_close(struct peers *peers)
{
	linear_bpf__destroy(peers->linear);
	for (int form = 0; form < NFT_FORMS; form++)
		if (peers->has_nft[form])
			nft_close(&peers->nft[form]);
	free(peers);
}
