/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What every header of the kernel/user ABI builds on: fixed-width types, addresses, directions.
 *
 * The headers in this directory are the only definitions that the BPF programs and the command
 * share.  Each map is named in the header of its structs; the suffix of the name (_v1) counts the
 * layouts, so that a map pinned by another version is never misread.
 */
#ifndef SHRIKE_ABI_H
#define SHRIKE_ABI_H

#ifdef __bpf__
#include "vmlinux.h"
#else
#include <linux/types.h>
#endif

/*
 * An IPv6 address, or an IPv4 address in its v4-mapped form (RFC 4291, section 2.5.5.2), so that
 * comparisons and tables need no second copy for IPv4.  The family is always kept beside it: a
 * mapped address never arrives on the wire as IPv6 (it is dropped as martian).
 */
union addr {
	__u8 bytes[16];
	__be32 word[4]; /* word[3] is the IPv4 address */
	__be64 half[2];
};
_Static_assert(sizeof(union addr) == 16, "union addr is ABI");

/* Values of address family fields: the IP version, which is what dumps should show. */
enum ip_version {
	IP_VERSION_4 = 4,
	IP_VERSION_6 = 6,
};

/* DIRECTION(id, name) */
#define DIRECTIONS(DIRECTION)                                                                      \
	DIRECTION(INGRESS, "ingress") /* arrives on the interface, from a peer */                  \
	DIRECTION(EGRESS, "egress")   /* leaves by the interface, to a peer */                     \
	DIRECTION(UPLINK, "uplink")   /* arrives on an uplink, for a translated connection */

enum direction {
#define DIRECTION(id, name) DIR_##id,
	DIRECTIONS(DIRECTION)
#undef DIRECTION
		DIR_MAX,
};

/* VERDICT(id, name) */
#define VERDICTS(VERDICT)                                                                          \
	VERDICT(PASS, "pass") /* to the kernel's own stack, or out of the interface */             \
	VERDICT(DROP, "drop")                                                                      \
	VERDICT(FORWARD, "forward") /* to the userspace forwarder, or with `routing: nat` by NAT */

enum verdict {
#define VERDICT(id, name) VERDICT_##id,
	VERDICTS(VERDICT)
#undef VERDICT
		VERDICT_MAX,
	VERDICT_CONTINUE = VERDICT_MAX, /* between stages only: no verdict yet */
};

#define RULE_NONE 0u /* rule number of packets that no rule decided */

/* Signed, so that differences may be negative; long has 64 bits wherever shrike runs. */
#define NS_PER_S  1000000000l
#define NS_PER_MS 1000000l

#endif /* SHRIKE_ABI_H */
