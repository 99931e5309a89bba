/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Does this kernel's verifier take every variant of the programs, and at what cost?
 *
 *	verify [-p] BUDGET-FILE KERNEL
 *
 * Builds, without attaching, a generation per combination of hook, link header, NAT, tracing,
 * routing and form of the rule tables, and asks the kernel how many instructions its verifier
 * walked.  Lines of BUDGET-FILE are "KERNEL PROGRAM INSTRUCTIONS", the most that any variant may
 * cost; KERNEL is "6.1" or "*" for all, and the last line that fits counts.  A program without one
 * fails.  A line per variant, the dearest of each program, and
 * "N passed, N failed, N skipped"; exit status 0 if none failed.
 *
 * -p tries as few variants as hold every pair of features that any variant has (a form of the rules
 * and a hook, a hook and a link), and the dearest, for machines on which each takes a second.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/names.h"
#include "classify.h"
#include "dataplane/generation.h"
#include "dataplane/generation_build.h"
#include "masquerade.h"
#include "policy/block_list.h"
#include "policy/parse.h"
#include "recorder.h"
#include "shrike.skel.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define PROGRAMS_MAX 16
#define VARIANTS_MAX 128
#define VALUES_MAX   8 /* of a feature */
#define ETHERNET     14

struct variant {
	enum hook hook;
	enum routing routing;
	uint8_t l2_len;
	bool nat;
	bool trace;
	bool dry_run;
	bool stateful;
	bool blocked; /* as many peers as there may be */
	unsigned int n_rules;
};

struct program_cost {
	char name[32];
	uint32_t budget; /* 0: has none */
	uint32_t worst;
	char worst_variant[96];
};

static struct program_cost costs[PROGRAMS_MAX];
static size_t n_costs;

static struct program_cost *cost_of(const char *program)
{
	for (size_t i = 0; i < n_costs; i++)
		if (!strcmp(costs[i].name, program))
			return &costs[i];
	if (n_costs == PROGRAMS_MAX)
		return NULL;
	snprintf(costs[n_costs].name, sizeof(costs->name), "%s", program);
	return &costs[n_costs++];
}

static int read_budget(const char *path, const char *kernel)
{
	char line[256], for_kernel[32], program[32];
	FILE *file = fopen(path, "re");
	struct program_cost *cost;
	uint32_t budget;

	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%31s %31s %u", for_kernel, program, &budget) != 3 ||
		    (strcmp(for_kernel, kernel) && strcmp(for_kernel, "*")))
			continue;
		cost = cost_of(program);
		if (cost)
			cost->budget = budget;
	}
	fclose(file);
	return 0;
}

/*
 * Few rules have a position of their own in the rows; of many, two that differ in their source
 * alone share one, so that both ways through the classifier are walked.
 */
static void write_rules(FILE *text, const char *acl, unsigned int n, bool has_destination)
{
	fprintf(text, "%s:\n", acl);
	for (unsigned int i = 0; i < n; i++) {
		unsigned int position = n > 10 ? i / 2 : i;

		fprintf(text,
			"  - {id: %s-%u, action: %s, source: [10.%u.%u.0/24, \"fd00:%x::/32\"], ",
			acl, i, position % 7 ? "allow" : "deny", i >> 8 & 255, i & 255, i & 0xffff);
		if (has_destination)
			fprintf(text, "destination: [172.16.%u.%u/32, \"fd01:%x::/32\"], ",
				position >> 8 & 255, position & 255, position & 0xffff);
		fprintf(text, "protocol: %s, destination_ports: [%u]}\n",
			position & 1 ? "udp" : "tcp", 1 + position);
	}
}

/* Block so many peers that the search for one takes all its steps. */
static int block(struct policy *policy, struct error *error)
{
	struct prefix peer = {.ip_version = IP_VERSION_4, .len = 32};
	int err = 0;

	policy->blocked = calloc(1, sizeof(*policy->blocked));
	if (!policy->blocked)
		return error_no_memory(error);
	memcpy(peer.addr.bytes, (uint8_t[16]){[10] = 0xff, 0xff, 10}, sizeof(peer.addr));
	for (unsigned int i = 0; i < BLOCKED_MAX && !err; i++) {
		peer.addr.bytes[14] = i;
		err = block_list_add(policy->blocked, &peer, i, error);
	}
	return err;
}

static int make_policy(const struct variant *variant, struct policy **policy, struct error *error)
{
	size_t len = 0;
	char *bytes = NULL;
	FILE *text = open_memstream(&bytes, &len);
	int err;

	if (!text)
		return error_set(error, errno, "out of memory");
	fprintf(text, "version: 1\nmode: {stateful: %s}\n", variant->stateful ? "true" : "false");
	if (variant->nat)
		fputs("nat:\n  one_to_one: [{original: 10.9.0.5, translated: 100.64.0.5}]\n"
		      "  port: [{protocol: tcp, port: 8080, to: 80}]\n",
		      text);
	write_rules(text, "peer_acl", variant->n_rules / 2, false);
	write_rules(text, "route_acl", variant->n_rules - variant->n_rules / 2, true);
	fclose(text);
	err = policy_parse("generated", bytes, len, policy, error);
	free(bytes);
	return err || !variant->blocked ? err : block(*policy, error);
}

static void describe(const struct variant *variant, char *text, size_t size)
{
	snprintf(text, size, "%s-%s-%s-%u-rules%s%s%s%s%s", hook_name(variant->hook),
		 variant->l2_len ? "ethernet" : "l3", routing_name(variant->routing),
		 variant->n_rules, variant->nat ? "-nat" : "", variant->trace ? "-trace" : "",
		 variant->dry_run ? "-dry" : "", variant->stateful ? "" : "-stateless",
		 variant->blocked ? "-blocked" : "");
}

static int note_cost(int prog_fd, const char *variant, char *costs, size_t size)
{
	struct bpf_prog_info info = {};
	struct program_cost *cost;
	__u32 len = sizeof(info);
	size_t used = strlen(costs);

	if (bpf_obj_get_info_by_fd(prog_fd, &info, &len))
		return -errno;
	snprintf(costs + used, size - used, " %s %u", info.name, info.verified_insns);
	cost = cost_of(info.name);
	if (!cost)
		return -E2BIG;
	if (cost->worst < info.verified_insns) {
		cost->worst = info.verified_insns;
		snprintf(cost->worst_variant, sizeof(cost->worst_variant), "%s", variant);
	}
	return 0;
}

static int note_costs(const struct generation *generation, const char *variant, char *costs,
		      size_t size)
{
	struct bpf_program *program;
	int err = 0;

	bpf_object__for_each_program(program, generation->skeleton->obj)
	{
		if (!err && bpf_program__fd(program) >= 0)
			err = note_cost(bpf_program__fd(program), variant, costs, size);
	}
	return err;
}

static int try_variant(const struct variant *variant, const struct policy *policy)
{
	struct mode mode = {
		.routing = variant->routing,
		.hook = variant->hook,
		.forwarder_input = variant->hook == HOOK_TC ? FORWARDER_INPUT_TUN
							    : FORWARDER_INPUT_AF_XDP,
	};
	struct generation_spec spec = {
		.policy = policy,
		.mode = &mode,
		.ifindex = 1,
		.snap_len = 256,
		.mtu = 1420,
		.l2_len = variant->l2_len,
		.trace = variant->trace,
		.dry_run = variant->dry_run,
	};
	struct generation *generation = NULL;
	struct error error = {};
	char name[96], costs[256] = "";
	int err;

	describe(variant, name, sizeof(name));
	err = generation_build(&spec, &generation, &error);
	if (!err)
		err = note_costs(generation, name, costs, sizeof(costs));
	if (err)
		printf("not ok verifier %s: %s\n", name,
		       error.text[0] ? error.text : strerror(-err));
	else
		printf("ok verifier %s:%s\n", name, costs);
	fflush(stdout);
	generation_free(generation);
	return err;
}

/* The policies, the dearest first. */
static const struct variant policies[] = {
	{.n_rules = 20000, .stateful = true, .nat = true, .blocked = true},
	{.n_rules = 4000, .stateful = true, .nat = true},
	{.n_rules = 10, .stateful = true, .nat = true},
	{.n_rules = 10, .stateful = true},
	{.n_rules = 10, .blocked = true},
};

static const enum routing routings[] = {ROUTING_NATIVE, ROUTING_USERSPACE, ROUTING_DISABLED,
					ROUTING_NAT};

/* What is switched on in the combinations that are tried with each policy, routing and hook. */
static const struct {
	bool trace;
	bool dry_run;
} uses[] = {
	{.trace = true},
	{.trace = true, .dry_run = true},
	{.trace = false},
};

/* A variant by its features, each an index into the values that it may have. */
enum feature {
	FEATURE_POLICY,
	FEATURE_HOOK,
	FEATURE_LINK,
	FEATURE_ROUTING,
	FEATURE_USE,
	N_FEATURES,
};

static const unsigned int n_values[N_FEATURES] = {ARRAY_SIZE(policies), 2, 2, ARRAY_SIZE(routings),
						  ARRAY_SIZE(uses)};

struct choice {
	unsigned int value[N_FEATURES];
	bool is_tried;
};

static struct choice choices[VARIANTS_MAX];
static size_t n_choices;

static struct variant variant_of(const struct choice *choice)
{
	const unsigned int *value = choice->value;
	struct variant variant = policies[value[FEATURE_POLICY]];

	variant.hook = value[FEATURE_HOOK] ? HOOK_TC : HOOK_XDP;
	variant.l2_len = value[FEATURE_LINK] ? 0 : ETHERNET;
	variant.routing = routings[value[FEATURE_ROUTING]];
	variant.trace = uses[value[FEATURE_USE]].trace;
	variant.dry_run = uses[value[FEATURE_USE]].dry_run;
	return variant;
}

/* What costs nothing by itself is not tried with all that does. */
static bool is_worth_it(const struct variant *variant)
{
	if (variant->routing == ROUTING_NAT)
		return variant->hook == HOOK_TC && variant->stateful;
	if (variant->routing != ROUTING_NATIVE && (variant->trace || variant->nat))
		return false;
	return !variant->trace || (variant->n_rules != 4000 && variant->stateful);
}

/* List the combinations of all features that are worth to be tried. */
static void list_choices(void)
{
	unsigned int n = 1;

	for (int feature = 0; feature < N_FEATURES; feature++)
		n *= n_values[feature];
	for (unsigned int i = 0; i < n && n_choices < VARIANTS_MAX; i++) {
		struct choice *choice = &choices[n_choices];
		struct variant variant;
		unsigned int rest = i;

		for (int feature = N_FEATURES - 1; feature >= 0; feature--) {
			choice->value[feature] = rest % n_values[feature];
			rest /= n_values[feature];
		}
		choice->is_tried = true;
		variant = variant_of(choice);
		if (is_worth_it(&variant))
			n_choices++;
	}
}

/* Count the pairs of features of @choice that are new to @seen, and with @note put them there. */
static unsigned int new_pairs(const struct choice *choice, bool *seen, bool note)
{
	unsigned int n = 0;

	for (unsigned int a = 0; a < N_FEATURES; a++)
		for (unsigned int b = 0; b < a; b++) {
			unsigned int pair = (a * N_FEATURES + b) * VALUES_MAX * VALUES_MAX +
					    choice->value[a] * VALUES_MAX + choice->value[b];

			n += !seen[pair];
			seen[pair] |= note;
		}
	return n;
}

/* The most that can be switched on; @choice has the first value of all that decide about it. */
static bool is_dearest(const struct choice *choice)
{
	return !choice->value[FEATURE_POLICY] && !choice->value[FEATURE_ROUTING] &&
	       !choice->value[FEATURE_USE];
}

/* Leave the choices that hold all pairs: again and again the one that holds the most new ones. */
static void leave_pairs(void)
{
	static bool seen[N_FEATURES * N_FEATURES * VALUES_MAX * VALUES_MAX];
	unsigned int most;

	for (size_t i = 0; i < n_choices; i++) {
		choices[i].is_tried = is_dearest(&choices[i]);
		if (choices[i].is_tried)
			new_pairs(&choices[i], seen, true);
	}
	do {
		size_t best = 0;

		most = 0;
		for (size_t i = 0; i < n_choices; i++) {
			unsigned int n = new_pairs(&choices[i], seen, false);

			if (n > most) {
				most = n;
				best = i;
			}
		}
		if (most) {
			new_pairs(&choices[best], seen, true);
			choices[best].is_tried = true;
		}
	} while (most);
}

static void try_policy(unsigned int index, unsigned int *passed, unsigned int *failed)
{
	struct policy *policy = NULL;
	struct error error = {};
	int err = make_policy(&policies[index], &policy, &error);

	if (err) {
		printf("not ok verifier policy of %u rules: %s\n", policies[index].n_rules,
		       error.text);
		++*failed;
		return;
	}
	for (size_t i = 0; i < n_choices; i++) {
		struct variant variant = variant_of(&choices[i]);

		if (choices[i].is_tried && choices[i].value[FEATURE_POLICY] == index)
			++*(try_variant(&variant, policy) ? failed : passed);
	}
	policy_free(policy);
}

static void hold_to_budget(const struct program_cost *cost, unsigned int *passed,
			   unsigned int *failed)
{
	bool kept = cost->worst && cost->budget && cost->worst <= cost->budget;

	printf("%s verifier_budget %s: at most %u of %u instructions, by %s\n",
	       kept ? "ok" : "not ok", cost->name, cost->worst, cost->budget,
	       cost->worst ? cost->worst_variant : "none");
	++*(kept ? passed : failed);
}

int main(int argc, char **argv)
{
	bool pairs = argc == 4 && !strcmp(argv[1], "-p");
	unsigned int passed = 0, failed = 0;
	int err;

	if (argc != 3 + pairs) {
		fputs("usage: verify [-p] BUDGET-FILE KERNEL\n", stderr);
		return 2;
	}
	err = read_budget(argv[1 + pairs], argv[2 + pairs]);
	if (err) {
		fprintf(stderr, "verify: %s: %s\n", argv[1 + pairs], strerror(-err));
		return 2;
	}
	generation_verbose(false);
	list_choices();
	if (pairs)
		leave_pairs();
	for (unsigned int i = 0; i < ARRAY_SIZE(policies); i++)
		try_policy(i, &passed, &failed);
	for (size_t i = 0; i < n_costs; i++)
		hold_to_budget(&costs[i], &passed, &failed);
	printf("%u passed, %u failed, 0 skipped\n", passed, failed);
	return failed > 0;
}
