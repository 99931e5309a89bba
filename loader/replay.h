/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A capture as a scenario, so that an incident can be judged again by another policy.
 */
#ifndef SHRIKE_REPLAY_H
#define SHRIKE_REPLAY_H

#include "environment.h"
#include "scenario/scenario.h"

#define REPLAY_ADDRESSES_MAX 16

/*
 * struct replay - what to make a scenario of
 * @addresses: of the interface, with their prefix lengths; they tell which way packets went
 * @ip_forward: the kernel forwards, for `routing: auto`
 * @warn: hears of packets that are left out
 */
struct replay {
	const char *capture_path;
	const char *policy_path;
	struct prefix addresses[REPLAY_ADDRESSES_MAX];
	size_t n_addresses;
	bool ip_forward;
	warn_fn warn;
	void *warn_arg;
};

int replay_add_address(struct replay *replay, const char *text, struct error *error);
bool replay_goes_out(const struct replay *replay, const uint8_t *ip, uint32_t captured);
int replay_load(const struct replay *replay, struct scenario **scenario, struct error *error);

#endif /* SHRIKE_REPLAY_H */
