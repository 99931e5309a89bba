/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A capture as a scenario, so that an incident can be judged again by another policy.
 *
 * Packets are read one by one, when their turn comes: a capture may be larger than memory.
 */
#ifndef SHRIKE_SIMULATE_REPLAY_H
#define SHRIKE_SIMULATE_REPLAY_H

#include "packet/capture.h"
#include "policy/environment.h"
#include "policy/parse.h"
#include "simulate/scenario.h"

#define REPLAY_ADDRESSES_MAX 16

/* As capture_next(), from something else than a file. */
typedef int (*replay_next_fn)(void *arg, struct capture_packet *packet, struct error *error);

/*
 * struct replay - what to make a scenario of
 * @policy: in the place of @policy_path, NULL: that is read
 * @next: gives the packets, in the place of the file; NULL: they are read
 * @addresses: of the interface, with their prefix lengths; they show which way packets went
 * @ip_forward: the kernel forwards, for `routing: auto`
 * @warn: called for packets that are left out
 */
struct replay {
	const char *capture_path;
	const char *policy_path;
	const struct policy_text *policy;
	replay_next_fn next;
	void *next_arg;
	struct prefix addresses[REPLAY_ADDRESSES_MAX];
	size_t n_addresses;
	bool ip_forward;
	warn_fn warn;
	void *warn_arg;

	/* private to replay.c */
	struct capture *capture;
	struct capture_packet packet; /* the last one that was read */
	bool is_unread;		      /* @packet has not been taken yet */
	bool is_ethernet;	      /* the interface of the scenario */
	unsigned int number;	      /* of @packet, from 1 */
	uint64_t start_ns;	      /* time of the first packet */
	uint64_t at_ns;		      /* of @packet, since then */
};

int replay_add_address(struct replay *replay, const char *text, struct error *error);
bool replay_goes_out(const struct replay *replay, const uint8_t *ip, uint32_t captured);
int replay_open(struct replay *replay, struct scenario **scenario, struct error *error);
int replay_next(struct replay *replay, struct scenario_step *step, struct error *error);
void replay_close(struct replay *replay);

#endif /* SHRIKE_SIMULATE_REPLAY_H */
