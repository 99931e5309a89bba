/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How long the kernel takes to put one generation in the place of another, which is what a packet
 * could notice of a change of policy.
 *
 *	swap DEVICE [ROUNDS]
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/generation.h"
#include "dataplane/generation_build.h"
#include "kernel/hooks.h"
#include "samples.h"

static unsigned int rounds = 51;

static struct generation *build(const struct policy *policy, enum hook hook, int ifindex)
{
	const struct mode mode = {.routing = ROUTING_NATIVE, .hook = hook};
	const struct generation_spec spec = {
		.policy = policy,
		.mode = &mode,
		.ifindex = ifindex,
		.mtu = 1420,
		.l2_len = ETH_HLEN,
	};
	struct generation *generation;
	struct error error = {};

	if (generation_build(&spec, &generation, &error))
		die("%s", error.text);
	return generation;
}

static void measure(const struct policy *policy, enum hook hook, int ifindex)
{
	struct generation *generations[] = {build(policy, hook, ifindex),
					    build(policy, hook, ifindex)};
	struct samples samples = {};
	struct error error = {};
	int link_fd = -1;
	const struct hook_place place = {
		.ifindex = ifindex,
		.point = hook == HOOK_XDP ? HOOK_POINT_XDP : HOOK_POINT_TC_INGRESS,
	};

	if (hook_attach(&place, generations[0]->ingress_fd, &link_fd, &error))
		die("%s", error.text);
	for (unsigned int i = 0; i < rounds && link_fd >= 0; i++) {
		double begin = wall_time_ns();
		int err = bpf_link_update(link_fd, generations[(i + 1) % 2]->ingress_fd, NULL);

		if (err)
			die("cannot replace the program: %s", strerror(-err));
		samples_add(&samples, (wall_time_ns() - begin) / 1000);
	}
	if (samples.n)
		samples_report(&samples,
			       "\"part\":\"swap\",\"case\":\"the switch itself\",\"path\":\"%s\","
			       "\"unit\":\"us\"",
			       hook == HOOK_XDP ? "xdp in" : "tc in");
	if (link_fd >= 0)
		close(link_fd);
	generation_free(generations[0]);
	generation_free(generations[1]);
}

int main(int argc, char **argv)
{
	struct policy *policy = policy_default();
	int ifindex = argc > 1 ? if_nametoindex(argv[1]) : 0;

	if (argc > 2)
		rounds = strtoul(argv[2], NULL, 10);
	if (argc > 3 || !ifindex || !policy || !rounds || rounds > SAMPLES_MAX)
		die("usage: swap DEVICE [ROUNDS], at most %d", SAMPLES_MAX);
	generation_verbose(false);
	measure(policy, HOOK_XDP, ifindex);
	measure(policy, HOOK_TC, ifindex);
	policy_free(policy);
	return 0;
}
