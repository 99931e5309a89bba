/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * When elements of named sets end that are there for a time.
 */
#ifndef SHRIKE_SET_DEADLINE_H
#define SHRIKE_SET_DEADLINE_H

#include "abi.h"

#define SET_NAME_MAX 64 /* bytes of a set's name with its terminating NUL */

/*
 * Map set_deadline_v1 (ARRAY, one entry or one for each such element); an entry without ip_version ends
 * the list.
 */
struct set_deadline {
	union addr addr;
	__u64 deadline_ns; /* CLOCK_BOOTTIME */
	__u8 ip_version;   /* enum ip_version */
	__u8 prefix_len;   /* in bits of its own family */
	__u8 pad[6];
	char set[SET_NAME_MAX];
};
_Static_assert(sizeof(struct set_deadline) == 96, "struct set_deadline is ABI");

#endif /* SHRIKE_SET_DEADLINE_H */
