/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Local addresses: what is "this host" to the peer ACL, which is what the kernel delivers here.
 *
 * Map local4_v1 (HASH): one bit per IPv4 address, in pages of 4,096 addresses (key: address >>
 * 12).  127.0.0.0/8 and ::1 are local by definition and have no entries.
 * Map local_addr_v1 (HASH): every single local address of either family (IPv4 v4-mapped) with its
 * kind.  IPv6 has no bitmap and asks this map alone.
 * Map local_prefix_v1 (LPM_TRIE): struct local_prefix_key -> struct local_addr, shorter prefixes
 * that are local (AnyIP: `ip route add local 10.5.0.0/16 dev lo`).
 */
#ifndef SHRIKE_LOCAL_H
#define SHRIKE_LOCAL_H

#include "abi.h"

#define LOCAL4_PAGE_SHIFT 12
#define LOCAL4_PAGE_WORDS ((1 << LOCAL4_PAGE_SHIFT) / 64)
#define LOCAL4_MAX_PAGES  4096
#define LOCAL_ADDR_MAX	  16384
#define LOCAL_PREFIX_MAX  1024

struct local4_page {
	__u64 bits[LOCAL4_PAGE_WORDS]; /* bit (address & 63) of word (address & 4095) / 64 */
};
_Static_assert(sizeof(struct local4_page) == 512, "struct local4_page is ABI");

enum local_kind {
	LOCAL_NONE = 0,
	LOCAL_HOST = 1,	     /* another interface's address, or any that the kernel delivers here */
	LOCAL_OVERLAY = 2,   /* an address of the protected interface itself */
	LOCAL_BROADCAST = 3, /* a broadcast address of one of the networks, or 255.255.255.255 */
	LOCAL_MULTICAST = 4, /* never in the maps: known by the address */
};

struct local_addr {
	__u8 kind; /* enum local_kind */
	__u8 pad[7];
};
_Static_assert(sizeof(struct local_addr) == 8, "struct local_addr is ABI");

struct local_prefix_key {
	__u32 prefix_len; /* of the v4-mapped address: 96 more than IPv4's */
	__u8 addr[16];
};
_Static_assert(sizeof(struct local_prefix_key) == 20, "struct local_prefix_key is ABI");

#endif /* SHRIKE_LOCAL_H */
