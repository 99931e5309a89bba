/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The transport protocols whose packets have ports, which are part of a connection's key.
 *
 * A protocol that is added here does not compile before each place that handles these protocols by
 * code of their own knows it: such places assert how many there are.
 */
#ifndef SHRIKE_PROTOCOL_H
#define SHRIKE_PROTOCOL_H

#include "abi.h"

/* PROTOCOL(id, name, number): numbers are IANA's, names those of policies and JSON */
#define PORT_PROTOCOLS(PROTOCOL)                                                                   \
	PROTOCOL(TCP, tcp, 6)                                                                      \
	PROTOCOL(UDP, udp, 17)

/* Their names in a sentence that goes on: "tcp, udp, " */
#define PORT_PROTOCOL_WORDS		     PORT_PROTOCOLS(PORT_PROTOCOL_WORD)
#define PORT_PROTOCOL_WORD(id, name, number) #name ", "

enum port_protocol {
#define PROTOCOL(id, name, number) PORT_PROTOCOL_##id,
	PORT_PROTOCOLS(PROTOCOL)
#undef PROTOCOL
		PORT_PROTOCOL_MAX,
};

/*
 * Whether the packets of a protocol have ports; a fragment that is not the first has none still.
 * Without "||" clang makes one test of it, and callers keep one state for the verifier.
 */
static inline _Bool l4_has_ports(__u32 l4_proto)
{
#define PROTOCOL(id, name, number) (l4_proto == number) |
	return PORT_PROTOCOLS(PROTOCOL) 0;
#undef PROTOCOL
}

/* Bits of the protocols below 64 that NAT translates by address: IPv4 and IPv6 in IP, GRE, ESP, AH. */
#define BY_ADDRESS_BITS (1ull << 4 | 1ull << 41 | 1ull << 47 | 1ull << 50 | 1ull << 51)

/*
 * Protocols that NAT translates by their addresses alone: tunnels and SCTP, none of which has a
 * checksum that covers addresses.  AH signs them, so its receiver will refuse what was translated
 * (RFC 3715, section 2.1), but that is its affair.  Bits, as comparisons would each be a branch.
 */
static inline __attribute__((always_inline)) _Bool l4_is_by_address(__u8 l4_proto)
{
	return l4_proto == 132 || (l4_proto < 64 && BY_ADDRESS_BITS >> l4_proto & 1);
}

/*
 * ICMP of a family.  Both functions are inlined before clang simplifies their callers: inlined
 * later they cost conntrack_in() 8 bytes of stack, and the chain of calls more than the 512 that
 * Linux 6.1 has ("combined stack size of 7 calls is 544").
 */
static inline __attribute__((always_inline)) __u8 l4_icmp_of(__u8 ip_version)
{
	return ip_version == IP_VERSION_4 ? 1 : 58;
}

/* Whether a protocol is ICMP of its own family. */
static inline __attribute__((always_inline)) _Bool l4_is_icmp(__u8 l4_proto, __u8 ip_version)
{
	return l4_proto == l4_icmp_of(ip_version);
}

#endif /* SHRIKE_PROTOCOL_H */
