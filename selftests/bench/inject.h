/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the injector shares with its program.
 */
#ifndef SHRIKE_BENCH_INJECT_H
#define SHRIKE_BENCH_INJECT_H

#include "abi.h"

#define INJECT_FRAME	  64 /* bytes: Ethernet, IPv4, UDP, and data to fill the least frame */
#define INJECT_PORT_FIRST 1024

/*
 * struct injection - the frames
 * @word: the frame as words of it
 * @ifindex: device that sends them
 * @flows: how many source ports take turns, from INJECT_PORT_FIRST on
 */
struct injection {
	__u64 word[INJECT_FRAME / 8];
	__u32 ifindex;
	__u32 flows;
	__u32 next;
	__u32 pad;
};

#endif /* SHRIKE_BENCH_INJECT_H */
