/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The way to an address: its hops, and the largest packet that it carries.
 */
#ifndef SHRIKE_PROBE_PATH_H
#define SHRIKE_PROBE_PATH_H

#include <stddef.h>

#include "probe/probe.h"

#define PATH_HOPS_MAX	30
#define PATH_SILENT_MAX 3 /* hops without an answer that end the walk */

/*
 * struct path_hops - what has answered at which distance
 * @hops: by distance, from 1
 * @last: the farthest distance from which an answer came, 0: none
 * @reached: the destination is at @last
 */
struct path_hops {
	struct probe_answer hops[PATH_HOPS_MAX];
	size_t n;
	size_t last;
	bool reached;
};

enum path_mtu_end {
	PATH_MTU_WHOLE,	 /* as large as that of the interface */
	PATH_MTU_TOLD,	 /* smaller, and ICMP says so */
	PATH_MTU_SILENT, /* smaller, and what is larger disappears */
	PATH_MTU_UNKNOWN,
};

/*
 * struct path_mtu - the largest packet
 * @mtu: from the IP header on; of PATH_MTU_UNKNOWN the smallest that was told, or 0
 * @from: who has told it, or that hop; all zero: nobody or this host
 * @told: what was told
 * @hop: of PATH_MTU_SILENT the distance of the last hop that larger packets came to, 0: none is known
 */
struct path_mtu {
	enum path_mtu_end end;
	uint32_t mtu;
	union addr from;
	uint32_t told;
	size_t hop;
};

int path_walk(struct prober *prober, uint8_t l4_proto, struct path_hops *path, struct error *error);
int path_find_mtu(struct prober *prober, uint8_t l4_proto, uint32_t link_mtu, struct path_mtu *mtu,
		  struct error *error);

#endif /* SHRIKE_PROBE_PATH_H */
