/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Leaves over addresses: the blocks that standards set apart.
 */
#ifndef SHRIKE_ADDR_H
#define SHRIKE_ADDR_H

#include "packet.h"

/**
 * addr_ipv4() - An IPv4 address as a number in host byte order
 */
static __always_inline __u32 addr_ipv4(const union addr *addr)
{
	return bpf_ntohl(addr->word[3]);
}

/**
 * addr_is_loopback() - 127.0.0.0/8 (RFC 1122, section 3.2.1.3) or ::1
 */
static __always_inline bool addr_is_loopback(const union addr *addr, __u8 ip_version)
{
	if (ip_version == IP_VERSION_4)
		return addr_ipv4(addr) >> 24 == 127;
	return !addr->half[0] && addr->half[1] == bpf_cpu_to_be64(1);
}

static __always_inline bool addr_is_none(const union addr *addr)
{
	return !addr->half[0] && !addr->half[1];
}

/**
 * addr_hash() - An address in 32 bits
 */
static __always_inline __u32 addr_hash(const union addr *addr)
{
	__u32 hash = (addr->word[0] ^ addr->word[1] * 0x9e3779b9) +
		     (addr->word[2] ^ addr->word[3] * 0x85ebca6b);

	return hash ^ hash >> 16;
}

/**
 * addr_is_mapped() - An IPv6 address that stands for an IPv4 one (RFC 4291, section 2.5.5.2)
 */
static __always_inline bool addr_is_mapped(const union addr *addr)
{
	return !addr->half[0] && addr->word[2] == bpf_htonl(0xffff);
}

/**
 * addr_is_reserved() - Neither a source nor a destination that is routed
 *
 * 0.0.0.0/8 (RFC 1122, section 3.2.1.3), multicast, class E and broadcast (RFC 5771, RFC 1112
 * section 4); ::, IPv6 multicast and v4-mapped addresses (RFC 4291, sections 2.5 and 2.7).
 */
static __always_inline bool addr_is_reserved(const union addr *addr, __u8 ip_version)
{
	if (ip_version == IP_VERSION_4)
		return addr_ipv4(addr) >> 24 == 0 || addr_ipv4(addr) >> 28 >= 0xe;
	if (addr->bytes[0] == 0xff)
		return true;
	return addr_is_mapped(addr) || (!addr->half[0] && !addr->half[1]);
}

/**
 * addr_is_multicast() - 224.0.0.0/4 (RFC 5771) or ff00::/8 (RFC 4291, section 2.7)
 */
static __always_inline bool addr_is_multicast(const union addr *addr, __u8 ip_version)
{
	if (ip_version == IP_VERSION_4)
		return addr_ipv4(addr) >> 28 == 0xe;
	return addr->bytes[0] == 0xff;
}

/**
 * addr_is_link_local() - 169.254.0.0/16 (RFC 3927) or fe80::/10 (RFC 4291, section 2.5.6)
 */
static __always_inline bool addr_is_link_local(const union addr *addr, __u8 ip_version)
{
	if (ip_version == IP_VERSION_4)
		return addr_ipv4(addr) >> 16 == 0xa9fe;
	return bpf_ntohl(addr->word[0]) >> 22 == 0xfe80 >> 6;
}

#endif /* SHRIKE_ADDR_H */
