/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A generation: the BPF programs specialised for one policy, with private rule tables, on shared
 * state.  It is complete and idle until it is attached; freeing it closes what nobody else holds.
 */
#ifndef SHRIKE_DATAPLANE_GENERATION_H
#define SHRIKE_DATAPLANE_GENERATION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "blocked.h"
#include "config.h"
#include "dataplane/mode.h"
#include "instance.h"
#include "kernel/map_set.h"
#include "policy/policy.h"

struct classifier;
struct shrike_bpf;

/*
 * struct generation_spec - what a generation is built for
 * @policy: outlives the generation; after environment_apply()
 * @mode: effective routing and hook
 * @overlay: prefixes of the interface, for the built-in block of routed traffic
 * @previous: maps of the generation in force, NULL for the first one; its state is shared
 * @instance_previous: of the generation in force, NULL for the first one
 * @environment_text: NetBird's variables as NAME=VALUE lines, kept for later commands
 * @undo, @undo_text: the policy that returns if this one is not confirmed; NULL: this one stays
 * @answers: the maps of masquerade.h that other interfaces have; without them its own are made
 * @nat_owner: as in struct config
 * @keep_undo: share instead what the generation in force says of that
 * @virtual_clock: for test runs: no interface is touched, nothing is shared
 * @trace, @dry_run, @snap_len: as in struct config
 * @clone: judge just as the generation in force, on every map of it; only @previous,
 *	@instance_previous and the line above are looked at
 * @own_addresses: the tables of this host's addresses are its own, to be filled without those of the
 *	generation in force being changed
 * @own_records: of a clone: the maps of trace records are its own, so that tracers do not meet
 * @rules_only: of a clone: it judges inbound packets alone, each as if it opened a connection, which
 *	spares the kernel most of the verifying
 */
struct generation_spec {
	const struct policy *policy;
	const struct mode *mode;
	const struct prefix *overlay;
	size_t n_overlay;
	const struct map_set *previous;
	const struct instance *instance_previous;
	const char *environment_text;
	const struct undo *undo;
	const char *undo_text;
	const struct map_set *answers;
	uint32_t ifindex;
	uint32_t snap_len;
	uint16_t mtu;
	uint8_t l2_len;
	uint8_t nat_owner;
	bool virtual_clock;
	bool trace;
	bool dry_run;
	bool clone;
	bool own_addresses;
	bool own_records;
	bool rules_only;
	bool keep_undo;
};

struct generation {
	struct shrike_bpf *skeleton;
	struct classifier *classifier;
	struct instance instance;
	struct map_set maps; /* all of them, shared ones included */
	int ingress_fd;	     /* the program for the hook of the mode; owned by the skeleton */
	int egress_fd;	     /* -1: a clone with @rules_only has none */
	int uplink_fds[2];   /* for uplinks with and without link header; -1 unless routing is nat;
				of a clone, unless its clock is virtual */
	int event_fd;	     /* shrike_event, for flow_event_report(); -1: a clone has none */
};

int generation_sync_addresses(const struct map_set *maps, int ifindex, struct error *error);
void generation_set_time(const struct generation *generation, uint64_t now_ns);
void generation_free(struct generation *generation);
void generation_verbose(bool on);

#endif /* SHRIKE_DATAPLANE_GENERATION_H */
