/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Map ct_pressure_v1 (RINGBUF): which tables of confirmed flows had no room for another one.
 *
 * One record at most for a table in PRESSURE_NOTE_NS.  `shrike run` reads them and makes room;
 * where nobody reads, the ring fills and nothing more is noted.
 */
#ifndef SHRIKE_PRESSURE_H
#define SHRIKE_PRESSURE_H

#include "abi.h"

#define PRESSURE_NOTE_NS 100000000ull

struct pressure {
	__u8 l4_proto;	 /* of the packet that found no room */
	__u8 ip_version; /* enum ip_version */
	__u8 pad[2];
};
_Static_assert(sizeof(struct pressure) == 4, "struct pressure is ABI");

#endif /* SHRIKE_PRESSURE_H */
