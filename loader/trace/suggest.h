/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Rules that would allow given packets, and no others: what `shrike policy suggest` prints.
 *
 * Packets that differ in one field only share a rule: their ports, sources or destinations become a list.
 * So a rule matches just the packets that it is made of, except to broadcast and multicast addresses,
 * which rules name as groups only.
 */
#ifndef SHRIKE_TRACE_SUGGEST_H
#define SHRIKE_TRACE_SUGGEST_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "policy/policy.h"

/*
 * struct suggest_packet - packets of a kind that a rule is to allow
 * @packets: how many
 * @first_ns, @last_ns: when
 * @source, @destination: as rules see them
 * @port: destination port in host byte order; ICMP: type and code; 0 where the protocol has none
 * @acl: enum acl
 * @group: enum destination_group of the destination; then @destination does not matter
 */
struct suggest_packet {
	uint64_t packets;
	uint64_t first_ns;
	uint64_t last_ns;
	union addr source;
	union addr destination;
	uint16_t port;
	uint8_t ip_version;
	uint8_t l4_proto;
	uint8_t acl;
	uint8_t group;
};

/*
 * struct suggestion - a rule for some kinds of packets
 * @rule: without an id
 * @acl: whose rule it is
 * @packets, @first_ns, @last_ns: of all these kinds
 * @kinds: how many
 */
struct suggestion {
	struct policy_rule rule;
	enum acl acl;
	uint64_t packets;
	uint64_t first_ns;
	uint64_t last_ns;
	size_t kinds;
};

struct suggestions {
	struct suggestion *list; /* the one for most packets first */
	size_t n;
};

int suggest_rules(const struct suggest_packet *packets, size_t n, struct suggestions *suggestions,
		  struct error *error);
void suggestions_free(struct suggestions *suggestions);

#endif /* SHRIKE_TRACE_SUGGEST_H */
