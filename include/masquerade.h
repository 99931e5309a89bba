/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Routing by NAT (`routing: nat`): peers' routed flows leave by an uplink with its address as their
 * source, and what answers them comes back there.
 *
 * Variable masquerade of the programs: struct masquerade, what follows the host.  It is in memory of
 * their own (.bss), as a program may use 64 maps at most; each generation begins with what the one
 * before had.
 *
 * Maps snat_in4_v1 and snat_in6_v1 (HASH): where answers go.  Keys are struct flow_key4 and
 * flow_key6, but with end 0 for the remote host and end 1 for this host, as on the wire of the
 * uplink; of ICMP echo port[1] is the identifier and port[0] zero.  Values are struct snat_in.
 * Interfaces of one network namespace share both maps, so that no two flows have the same answers;
 * on an uplink that several have, the program of each takes what is its own.
 */
#ifndef SHRIKE_MASQUERADE_H
#define SHRIKE_MASQUERADE_H

#include "abi.h"

#define UPLINKS_MAX 16

/* Instead of an uplink's index: the protected interface itself, where the route leads back. */
#define UPLINK_BACK UPLINKS_MAX

/*
 * Mark of the packets that the program of an uplink sends out of the interface: they belong to a
 * peer's connection, which must be there.  Sockets that only keep ports for flows have it as well.
 */
#define MASQUERADE_MARK 0x7368726a

/* And of those that come back from one peer's port on an uplink to another's. */
#define HAIRPIN_MARK 0x7368726b

/*
 * Variable snat_taken of the programs: bits of the ports of TCP and of UDP that flows have had since the
 * interface was attached.  What a peer sends there is not for this host, unless a socket has the port.
 */
#define SNAT_TAKEN_WORDS (65536 / 64)

/* Ports, host byte order; none where the first is above the last. */
struct masquerade_ports {
	__u16 first;
	__u16 last;
};

struct uplink {
	union addr addr[2]; /* source over IPv4 and over IPv6; all zero: none */
	__u32 ifindex;	    /* 0: there is no such uplink */
	__u32 mtu;	    /* of the IP packet */
	__u8 l2_len;	    /* bytes of link header: 14 or 0 */
	__u8 pad[7];
	char name[16]; /* of the device, ends in NUL */
};

/* The source of what leaves by an uplink. */
static inline const union addr *uplink_addr(const struct uplink *uplink, __u8 ip_version)
{
	return &uplink->addr[ip_version == IP_VERSION_4 ? 0 : 1];
}

struct masquerade {
	union addr own[2]; /* the protected interface's over IPv4 and IPv6; all zero: none */
	struct uplink
		uplinks[UPLINKS_MAX]; /* the devices that routes lead to; flows hold the index */
	struct masquerade_ports ports[2]; /* that flows may take */
	__u32 route_ifindex; /* the device as whose input routes are asked for; 0: none */
	__u32 mtu;	     /* of the protected interface */
	__u8 epoch; /* becomes another number when routes, uplinks or their addresses change */
	__u8 pad[7];
};

/* The uplink that an index of a flow stands for, NULL: it has gone. */
static inline const struct uplink *masquerade_uplink(const struct masquerade *masquerade,
						     __u8 index)
{
	const struct uplink *uplink = &masquerade->uplinks[index % UPLINKS_MAX];

	return uplink->ifindex ? uplink : 0;
}

struct snat_in {
	union addr peer;
	__u32 generation; /* as in the peer's flow, when this was looked at last */
	__u8 epoch;	  /* low bits of it */
	__u8 owner;	  /* struct config.nat_owner of the interface */
	__be16 port;	  /* of the peer */
};
_Static_assert(sizeof(struct snat_in) == 24, "struct snat_in is ABI");

#endif /* SHRIKE_MASQUERADE_H */
