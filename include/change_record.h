/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Why a generation is in force, and what has been tried in vain since: a map that no program reads.
 */
#ifndef SHRIKE_CHANGE_RECORD_H
#define SHRIKE_CHANGE_RECORD_H

#include "abi.h"

#define CHANGE_NO_UID	((__u32)-1) /* nobody: the interface or the host has changed */
#define CHANGE_NO_COUNT ((__u32)-1)

enum change_state {
	CHANGE_UNCOUNTED, /* and stays so */
	CHANGE_COUNTING,  /* the counts follow */
	CHANGE_COUNTED,
};

/* Map change_v1 (ARRAY, one entry). */
struct change {
	__u64 failed_ns;   /* CLOCK_REALTIME of the last try to replace the policy; 0: it worked */
	__u32 state;	   /* enum change_state */
	__u32 uid;	   /* of who asked for the generation, or CHANGE_NO_UID */
	__u32 rules_added; /* against the policy in force before */
	__u32 rules_removed; /* a rule that is another one now is both */
	__u32 cut;	     /* connections that ended with it, or CHANGE_NO_COUNT */
	__u32 failed_uid;    /* as uid, of that try */
	char cause[32];	     /* such as "policy apply"; ends in NUL, as the others */
	char failed_cause[32];
	char failure[512]; /* why it failed */
};
_Static_assert(sizeof(struct change) == 608, "struct change is ABI");

#endif /* SHRIKE_CHANGE_RECORD_H */
