/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the benchmarks share with the programs that turn one packet into many flows.
 */
#ifndef SHRIKE_BENCH_ROTATE_H
#define SHRIKE_BENCH_ROTATE_H

#include "abi.h"

#define ROTATE_PORT_FIRST 1024 /* port of the first 65,536 flows; the next ones take the next */
#define ROTATE_OFF_MAX	  255  /* of a field from the start of the frame */

/* Slots of rotate_xdp_to and rotate_tc_to (PROG_ARRAY). */
enum rotate_slot {
	ROTATE_EMPTY,	 /* a program that does nothing: what is subtracted */
	ROTATE_MEASURED, /* the program that is measured */
	ROTATE_SLOTS,
};

/*
 * struct rotation - which flow the next packet belongs to
 *
 * Flow i has i % 65,536 in the low half of its peer's address, and i / 65,536 added to the peer's
 * port.
 */
struct rotation {
	__u32 base;    /* number of the first flow */
	__u32 next;    /* place in the order */
	__u32 count;   /* of flows, at most ROTATE_FLOWS_MAX */
	__u32 advance; /* added to @base after each round: 0, or @count where no flow comes twice */
	__u32 addr_off; /* of the address's last two bytes, from the start of the frame */
	__u32 port_off;
};

#define ROTATE_PAGE	 1024
#define ROTATE_FLOWS_MAX (1024 * ROTATE_PAGE)

/*
 * Map rotate_order (ARRAY): in which order flows come, counted from @base.  Random, so that
 * neighbours in time are no neighbours in memory; read from front to back, so that reading it
 * costs nothing.
 */
struct rotate_page {
	__u32 flow[ROTATE_PAGE];
};

/* Map floor_table (HASH): as large as struct flow_key4 and struct flow. */
struct floor_key {
	__be32 addr[2];
	__be16 port[2];
	__u32 l4_proto;
};

struct floor_entry {
	__u64 packets;
	__u64 bytes;
	__u64 rest[6];
};

#endif /* SHRIKE_BENCH_ROTATE_H */
