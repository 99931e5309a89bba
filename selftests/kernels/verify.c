/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Does this kernel's verifier take every variant of the programs, and at what cost?
 *
 *	verify BUDGET-FILE KERNEL
 *
 * Builds, without attaching, a generation per combination of hook, link header, NAT, tracing,
 * routing and form of the rule tables, and asks the kernel how many instructions its verifier
 * walked.  Lines of BUDGET-FILE are "KERNEL PROGRAM INSTRUCTIONS", the most that any variant may
 * cost; KERNEL is "6.1" or "*" for all, and the last line that fits counts.  A program without one
 * fails.  A line per variant, the dearest of each program, and
 * "N passed, N failed, N skipped"; exit status 0 if none failed.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "classify.h"
#include "generation.h"
#include "shrike.skel.h"

#define PROGRAMS_MAX 16
#define ETHERNET     14

struct variant {
	enum hook hook;
	enum routing routing;
	uint8_t l2_len;
	bool nat;
	bool trace;
	bool dry_run;
	bool stateful;
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
	return err;
}

static void describe(const struct variant *variant, char *text, size_t size)
{
	static const char *const routings[] = {"disabled", "native", "userspace"};

	snprintf(text, size, "%s-%s-%s-%u-rules%s%s%s%s", variant->hook == HOOK_XDP ? "xdp" : "tc",
		 variant->l2_len ? "ethernet" : "l3", routings[variant->routing], variant->n_rules,
		 variant->nat ? "-nat" : "", variant->trace ? "-trace" : "",
		 variant->dry_run ? "-dry" : "", variant->stateful ? "" : "-stateless");
}

static int note_cost(int prog_fd, const char *variant, char *said, size_t size)
{
	struct bpf_prog_info info = {};
	struct program_cost *cost;
	__u32 len = sizeof(info);
	size_t used = strlen(said);

	if (bpf_obj_get_info_by_fd(prog_fd, &info, &len))
		return -errno;
	snprintf(said + used, size - used, " %s %u", info.name, info.verified_insns);
	cost = cost_of(info.name);
	if (!cost)
		return -E2BIG;
	if (cost->worst < info.verified_insns) {
		cost->worst = info.verified_insns;
		snprintf(cost->worst_variant, sizeof(cost->worst_variant), "%s", variant);
	}
	return 0;
}

static int note_costs(const struct generation *generation, const char *variant, char *said,
		      size_t size)
{
	struct bpf_program *program;
	int err = 0;

	bpf_object__for_each_program(program, generation->skeleton->obj)
	{
		if (!err && bpf_program__fd(program) >= 0)
			err = note_cost(bpf_program__fd(program), variant, said, size);
	}
	return err;
}

static int try_variant(const struct variant *variant, const struct policy *policy)
{
	struct mode mode = {.routing = variant->routing, .hook = variant->hook};
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
	char name[96], said[256] = "";
	int err;

	describe(variant, name, sizeof(name));
	err = generation_build(&spec, &generation, &error);
	if (!err)
		err = note_costs(generation, name, said, sizeof(said));
	if (err)
		printf("not ok verifier %s: %s\n", name,
		       error.text[0] ? error.text : strerror(-err));
	else
		printf("ok verifier %s:%s\n", name, said);
	fflush(stdout);
	generation_free(generation);
	return err;
}

/* What is switched on in the combinations that are tried with each policy, routing and hook. */
static const struct {
	bool trace;
	bool dry_run;
} uses[] = {
	{.trace = false},
	{.trace = true},
	{.trace = true, .dry_run = true},
};

static void try_policy(struct variant variant, unsigned int *passed, unsigned int *failed)
{
	static const enum routing routings[] = {ROUTING_NATIVE, ROUTING_USERSPACE,
						ROUTING_DISABLED};
	struct policy *policy = NULL;
	struct error error = {};
	int err = make_policy(&variant, &policy, &error);

	if (err) {
		printf("not ok verifier policy of %u rules: %s\n", variant.n_rules, error.text);
		++*failed;
		return;
	}
	for (int i = 0; i < 2 * 2 * 3 * 3; i++) {
		variant.hook = i & 1 ? HOOK_TC : HOOK_XDP;
		variant.l2_len = i & 2 ? 0 : ETHERNET;
		variant.routing = routings[i / 4 % 3];
		variant.trace = uses[i / 12].trace;
		variant.dry_run = uses[i / 12].dry_run;
		/* what costs nothing by itself is not tried with all that does */
		if (variant.routing != ROUTING_NATIVE && (variant.trace || variant.nat))
			continue;
		if (variant.trace && (variant.n_rules == 4000 || !variant.stateful))
			continue;
		if (try_variant(&variant, policy))
			++*failed;
		else
			++*passed;
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
	static const struct variant policies[] = {
		{.n_rules = 10, .stateful = true, .nat = true},
		{.n_rules = 4000, .stateful = true, .nat = true},
		{.n_rules = 20000, .stateful = true, .nat = true},
		{.n_rules = 10, .stateful = true},
		{.n_rules = 10},
	};
	unsigned int passed = 0, failed = 0;
	int err;

	if (argc != 3) {
		fputs("usage: verify BUDGET-FILE KERNEL\n", stderr);
		return 2;
	}
	err = read_budget(argv[1], argv[2]);
	if (err) {
		fprintf(stderr, "verify: %s: %s\n", argv[1], strerror(-err));
		return 2;
	}
	generation_verbose(false);
	for (size_t i = 0; i < sizeof(policies) / sizeof(*policies); i++)
		try_policy(policies[i], &passed, &failed);
	for (size_t i = 0; i < n_costs; i++)
		hold_to_budget(&costs[i], &passed, &failed);
	printf("%u passed, %u failed, 0 skipped\n", passed, failed);
	return failed > 0;
}
