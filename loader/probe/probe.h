/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Real packets to an address by way of one interface, one at a time, and who answers.
 *
 * Sockets are bound to the interface, so the routing table of the host has no say.  Packets are not
 * fragmented, and what the host knows of the path's MTU is not used (IP_PMTUDISC_PROBE).  ICMP errors
 * come by the sockets' error queues, so that only those about the packet are seen.
 */
#ifndef SHRIKE_PROBE_PROBE_H
#define SHRIKE_PROBE_PROBE_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "abi.h"
#include "base/error.h"

#define PROBE_PATIENCE_NS (900 * NS_PER_MS) /* for an answer: TCP repeats its SYN after a second */
#define PROBE_GAP_NS	  (250 * NS_PER_MS) /* between packets, at least */

/*
 * struct prober - to whom, and which way
 * @ifname: the interface
 * @addr, @ip_version: the destination
 * @port: of TCP and UDP, host order
 * @due_ns: CLOCK_MONOTONIC before which nothing is sent
 * @sequence: of the last echo request
 */
struct prober {
	char ifname[IF_NAMESIZE];
	union addr addr;
	uint8_t ip_version;
	uint16_t port;
	uint64_t due_ns;
	uint16_t sequence;
};

/*
 * struct probe - one packet
 * @l4_proto: IPPROTO_TCP: a SYN; IPPROTO_UDP; IPPROTO_ICMP: an echo request, in either family
 * @ttl: or hop limit; 0: the host's own
 * @len: bytes from the IP header on, not of TCP; what is smaller than the headers stands for these
 */
struct probe {
	uint8_t l4_proto;
	uint8_t ttl;
	uint16_t len;
};

enum probe_end {
	PROBE_SILENT,	/* nothing came */
	PROBE_ANSWERED, /* by the destination: an echo reply, a SYN+ACK, a datagram */
	PROBE_CLOSED,	/* by the destination: no such port */
	PROBE_EXPIRED,	/* TTL exceeded */
	PROBE_TOO_BIG,	/* it would have had to be fragmented */
	PROBE_REFUSED,	/* another ICMP error */
	PROBE_NOT_SENT, /* this host did not let it out: @error */
	PROBE_END_MAX,
};

/*
 * struct probe_answer - what became of a packet
 * @from: who has answered
 * @source, @port: the packet's own; port is the identifier of ICMP
 * @mtu: of PROBE_TOO_BIG, as the answer says; may be 0
 * @type, @code: of the ICMP error
 * @is_local: this host itself says PROBE_TOO_BIG
 * @error: errno of PROBE_NOT_SENT
 * @rtt_ns: until the answer
 */
struct probe_answer {
	enum probe_end end;
	union addr from;
	union addr source;
	uint16_t port;
	uint32_t mtu;
	uint8_t type;
	uint8_t code;
	bool is_local;
	int error;
	uint64_t rtt_ns;
};

int probe_send(struct prober *prober, const struct probe *probe, struct probe_answer *answer,
	       struct error *error);
bool probe_arrived(const struct probe_answer *answer);
uint16_t probe_min_len(const struct prober *prober, uint8_t l4_proto);

#endif /* SHRIKE_PROBE_PROBE_H */
