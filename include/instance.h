/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a generation says of itself, for other processes: maps that no program reads.
 */
#ifndef SHRIKE_INSTANCE_H
#define SHRIKE_INSTANCE_H

#include "abi.h"
#include "config.h"

/* Map instance_v2 (ARRAY, one entry). */
struct instance {
	__u64 applied_ns;     /* CLOCK_REALTIME when this generation came into force */
	struct config config; /* the read-only data of its programs */
	__u32 policy_len;     /* bytes of the policy text in policy_text_v1 */
	__u32 next_rule_number; /* for the next id that is new to the policy; see struct next_numbers */
	__u32 rules;		/* of the policy; rules_v1 has a built-in one as well */
	__u32 mtu;
	char version[32];      /* of the shrike that built it */
	char policy_path[256]; /* where the policy was read from, empty: none was given */
	char routing_why[128]; /* what decided the routing mode, for status */
	char hook_why[128];    /* what decided the hook */
	char environment[512]; /* NetBird's variables that it was built with, NAME=VALUE lines */
};
_Static_assert(sizeof(struct instance) == 1240, "struct instance is ABI");

/*
 * Map numbers_v1 (ARRAY, one entry): what comes after the highest numbers that were ever in force.
 *
 * Connections hold both numbers, and a generation may have judged some although it was withdrawn at
 * once, as its pins failed.  So this map lives as long as the connections do, and is written before
 * a generation's programs see their first packet.
 */
struct next_numbers {
	__u32 generation;
	__u32 rule;
};
_Static_assert(sizeof(struct next_numbers) == 8, "struct next_numbers is ABI");

/* Map policy_text_v1 (ARRAY): the policy in force as it was read, in chunks. */
#define POLICY_CHUNK 4096

struct policy_chunk {
	char text[POLICY_CHUNK];
};

enum undo_state {
	UNDO_NONE,	/* the policy in force needs no confirmation */
	UNDO_PENDING,	/* the policy in force ends at the deadline unless it is confirmed */
	UNDO_CONFIRMED, /* the user confirmed the policy */
	UNDO_DONE,	/* nobody confirmed the policy: the one before has returned */
};

/*
 * Map undo_v1 (ARRAY, one entry): whether the policy in force waits to be confirmed, and the
 * policy that returns otherwise; map undo_text_v1 has its text, as policy_text_v1 would.
 */
struct undo {
	__u64 deadline_ns; /* CLOCK_BOOTTIME */
	__u32 state;	   /* enum undo_state */
	__u32 policy_len;
	char policy_path[256];
	char environment[512]; /* as in struct instance, of the generation that it was part of */
};
_Static_assert(sizeof(struct undo) == 784, "struct undo is ABI");

#endif /* SHRIKE_INSTANCE_H */
