/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Map fragments_v2 (HASH): the verdict on a fragmented datagram, for its later fragments.
 *
 * Written by the first fragment alone, which holds the whole transport header; lives for
 * config.fragment_timeout_ns from then on, never refreshed.  After a change of the policy or of
 * this host's addresses the first later fragment is judged again, by what the entry says of the
 * header.
 *
 * With routing by NAT the later fragments of a datagram that leaves by an uplink follow its flow, which
 * the ports lead to.  Those of an answer find their peer by the ports that it has on the uplink.
 */
#ifndef SHRIKE_FRAGMENT_H
#define SHRIKE_FRAGMENT_H

#include "abi.h"

#define HELD_MAX 64 /* fragments that wait for their first one: all of the largest datagram */

/* How many of them a policy allows with `limits.fragments`. */
static inline __u8 held_max(__u32 limit)
{
	return limit < HELD_MAX ? limit : HELD_MAX;
}

struct fragment_key {
	union addr saddr;
	union addr daddr;
	__be32 id; /* IPv4: the 16-bit identification in the low bytes */
	__u8 l4_proto;
	__u8 ip_version; /* enum ip_version */
	__u8 by_uplink;	 /* an answer that has come in by an uplink */
	__u8 pad;
};
_Static_assert(sizeof(struct fragment_key) == 40, "struct fragment_key is ABI");

struct fragment {
	__u64 created_ns;
	__u32 first_end;  /* where the first fragment's data ended, bytes */
	__u32 rule;	  /* number of the rule that decided the first fragment */
	__u32 generation; /* of the policy that judged the datagram last */
	__u16 epoch;	  /* as in struct flow */
	__be16 sport;	  /* as in the first fragment; ICMP echo: the identifier */
	__be16 dport;
	__u8 verdict; /* enum verdict; VERDICT_DROP: poisoned by an overlap */
	__u8 icmp_type;
	__u8 icmp_code;
	__u8 match; /* enum flow_match of the first fragment: replies to this host are not judged again */
	__u8 by_nat; /* the first fragment has left by an uplink */
	__u8 pad[5];
};
_Static_assert(sizeof(struct fragment) == 40, "struct fragment is ABI");

#endif /* SHRIKE_FRAGMENT_H */
