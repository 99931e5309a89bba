/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The classifier's peers: other ways to judge by the same rules, measured in turn with it.
 */
#ifndef SHRIKE_BENCH_PEERS_H
#define SHRIKE_BENCH_PEERS_H

#include "bpf/classify_probe.h"
#include "nft.h"
#include "samples.h"

#define PEERS_KEYS 1024 /* different packets, that come again and again */

struct linear_bpf;
struct bpf_map;
struct bpf_program;

/*
 * struct peers - what can judge by a rule set besides the classifier
 * @n_slow: packets to a sample of what goes through the rules one by one
 * @nft, @has_nft: IPv4 only
 */
struct peers {
	const struct ruleset *set;
	struct linear_bpf *linear;
	size_t n_slow;
	struct classifier_key keys[PEERS_KEYS];
	struct nft nft[NFT_FORMS];
	bool has_nft[NFT_FORMS];
	struct samples linear_samples;
	struct samples nft_samples[NFT_FORMS];
};

double peers_test_run(const struct bpf_program *program, size_t n);
struct peers *peers_open(const struct ruleset *set, struct bpf_map *probe_keys);
void peers_check(struct peers *peers, const struct classifier *classifier);
void peers_sample(struct peers *peers, const struct bpf_program *empty);
void peers_report(const struct peers *peers, const char *name, size_t n_rules);
void peers_close(struct peers *peers);

#endif /* SHRIKE_BENCH_PEERS_H */
