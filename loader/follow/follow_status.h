/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What `run` says to other commands of how it follows NetBird's daemon.
 */
#ifndef SHRIKE_FOLLOW_FOLLOW_STATUS_H
#define SHRIKE_FOLLOW_FOLLOW_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "netbird/domain_sets.h"

#define FOLLOW_RECORD	    "netbird" /* of kernel/board.h */
#define FOLLOW_SOCKET_MAX   108
#define FOLLOW_WHY_MAX	    256
#define FOLLOW_MISSING_MAX  256
#define FOLLOW_SENTENCE_MAX 1024

/*
 * struct follow_status - as of the last change; times are CLOCK_MONOTONIC of the kernel, 0: never
 * @serial: of the map in force
 * @map_ns: when it was fetched
 * @due_ns: when the next one is, as the map has changed
 * @stale_ns: since when the map in force may not be the newest one
 * @is_fetching: the daemon has been asked
 * @full_sets: domain sets that have no more room
 * @full_set: the name of the first of them
 * @why: what keeps a newer map away, printable; empty: nothing
 * @missing: names in the policy that the map does not have, with ", " between them
 */
struct follow_status {
	uint64_t serial;
	uint64_t map_ns;
	uint64_t due_ns;
	uint64_t stale_ns;
	uint32_t is_fetching;
	uint32_t full_sets;
	char socket[FOLLOW_SOCKET_MAX];
	char full_set[DOMAIN_SET_NAME_SIZE];
	char why[FOLLOW_WHY_MAX];
	char missing[FOLLOW_MISSING_MAX];
};

bool follow_status_read(const char *ifname, struct follow_status *status);
const char *follow_status_sentence(const struct follow_status *status, uint64_t now_ns,
				   char text[FOLLOW_SENTENCE_MAX]);

#endif /* SHRIKE_FOLLOW_FOLLOW_STATUS_H */
