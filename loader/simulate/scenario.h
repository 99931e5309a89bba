/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A scenario as a user wrote it, parsed, checked and with its packets built (the file format is
 * in shrike-scenario(5)).
 *
 * Everything a step needs is in the step: policies are parsed, packets are bytes, times are
 * absolute.  Whoever runs a scenario walks the steps in their order, and has the TCP packets among
 * them numbered on the way (numbers.h), since that depends on what became of those before.
 */
#ifndef SHRIKE_SIMULATE_SCENARIO_H
#define SHRIKE_SIMULATE_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "policy/policy.h"
#include "simulate/step.h"

#define SCENARIO_DEFAULT_MTU	    1280
#define SCENARIO_DEFAULT_UPLINK_MTU 1500

/* The interface that the packets arrive on and leave by. */
struct scenario_interface {
	struct prefix *addresses; /* with their host bits; len is the prefix length */
	size_t n_addresses;
	uint16_t mtu;
	bool ethernet; /* frames have a link header, else data starts at the IP header */
};

/* Where peers' connections leave with `routing: nat`. */
struct scenario_uplink {
	char name[POLICY_IFNAME_SIZE]; /* empty: there is none */
	struct scenario_interface interface;
};

struct scenario {
	char *path;
	struct policy *policy; /* in force at the start */
	struct scenario_interface interface;
	struct scenario_uplink uplink;
	struct prefix *local_addresses; /* of the host's other interfaces; shorter ones are AnyIP */
	size_t n_local_addresses;
	bool ip_forward; /* the kernel forwards, for `routing: auto` */
	struct scenario_step *steps;
	size_t n_steps;
};

int scenario_parse(const char *path, const char *text, size_t len, struct scenario **scenario,
		   struct error *error);
int scenario_load(const char *path, struct scenario **scenario, struct error *error);
void scenario_free(struct scenario *scenario);

#endif /* SHRIKE_SIMULATE_SCENARIO_H */
