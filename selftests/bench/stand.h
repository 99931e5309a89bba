/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A test stand: the programs of a policy on maps of their own, attached to nothing, and packets
 * that run through them as so many flows.
 *
 * Whatever cannot be done ends the program with a sentence: a benchmark has no other way on.
 */
#ifndef SHRIKE_BENCH_STAND_H
#define SHRIKE_BENCH_STAND_H

#include <stdbool.h>
#include <stdint.h>

#include "abi.h"
#include "dataplane/generation.h"
#include "packet/build.h"
#include "reason.h"
#include "rotate.h"

#define STAND_FRAME_MAX 256
#define STAND_PORT	443  /* of the service that peers ask for */
#define STAND_CLOSED	4443 /* of one that no rule allows */

/* For what is asked of one table alone: its 131,072 entries, and openings that do not expire. */
#define STAND_POLICY                                                                               \
	"version: 1\n"                                                                             \
	"limits: {tcp: 131072}\n"                                                                  \
	"timeouts: {tcp_handshake: 3h}\n"                                                          \
	"peer_acl:\n"                                                                              \
	"  - {id: web, action: allow, source: [100.64.0.0/10], protocol: tcp,\n"                   \
	"     destination_ports: [443]}\n"

enum stand_path {
	PATH_XDP_IN,
	PATH_TC_IN,
	PATH_TC_OUT,
	PATHS,
};

extern const char *const stand_path_names[PATHS];

struct rotate_bpf;

struct stand {
	struct policy *policy;
	struct generation *generations[2]; /* by enum hook; all maps of state are shared */
	struct rotate_bpf *rotate[PATHS];
	uint32_t n_ordered[PATHS]; /* flows that rotate_order holds */
};

/*
 * struct traffic - one packet of each of many flows between a peer and this host
 * @flows: how many; 1 means always the same
 * @first: number of the first of them: their range is @first to @first + @flows - 1
 * @fresh: no flow comes twice: after the range come the next numbers
 * @service: port of this host
 * @reason: every packet has to end with it, else the benchmark measures something else
 */
struct traffic {
	enum stand_path path;
	uint32_t flows;
	uint32_t first;
	enum reason reason;
	uint16_t service;
	uint8_t ip_version;
	uint8_t l4_proto;
	uint8_t tcp_flags;
	bool fresh;
};

void stand_open(struct stand *stand, const char *policy_text);
void stand_open_floor(struct stand *stand, uint32_t entries);
void stand_set_program(struct stand *stand, enum stand_path path, int program_fd);
void stand_open_clone(struct stand *clone, const struct stand *stand);
void stand_close(struct stand *stand);
void stand_close_clone(struct stand *clone);
double stand_run(struct stand *stand, const struct traffic *traffic, uint32_t packets, bool empty);
uint64_t stand_count(const struct stand *stand, enum direction direction, enum reason reason);
int stand_map_fd(const struct stand *stand, const char *name);
double stand_run_blind(struct stand *stand, const struct traffic *traffic, uint32_t packets,
		       bool empty);
void stand_establish(struct stand *stand, uint8_t ip_version, uint8_t l4_proto, uint32_t first,
		     uint32_t flows);
uint64_t stand_forget_unconfirmed(const struct stand *stand);

#endif /* SHRIKE_BENCH_STAND_H */
