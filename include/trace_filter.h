/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which packets a live trace records.  Only generations that trace look at these maps, and each
 * has its own.
 *
 * Map trace_filter_v1 (ARRAY, one entry): struct trace_filter.
 * Map trace_stats_v1 (PERCPU_ARRAY, one entry): struct trace_stats.
 */
#ifndef SHRIKE_TRACE_FILTER_H
#define SHRIKE_TRACE_FILTER_H

#include "abi.h"

#define TRACE_FILTER_ANY       0xff /* any direction, verdict, reason or state */
#define TRACE_FILTER_ANY_PROTO 0xffff
#define TRACE_FILTER_ICMP      0x100 /* ICMP of either family */

enum trace_end {
	TRACE_SOURCE,
	TRACE_DESTINATION,
	TRACE_EITHER, /* one of the two */
	TRACE_ENDS,
};

/* All conditions must hold.  Addresses and ports are those before any translation. */
struct trace_filter {
	union addr addr[TRACE_ENDS]; /* masked */
	union addr mask[TRACE_ENDS];
	__u16 port_first[TRACE_ENDS]; /* host byte order, both inclusive */
	__u16 port_last[TRACE_ENDS];
	__u8 has_port[TRACE_ENDS]; /* then only TCP and UDP match */
	__u8 direction;
	__u32 rule;  /* number, RULE_NONE: any */
	__u32 every; /* record one in so many, counted on each CPU; at least 1 */
	__u16 l4_proto;
	__u8 ip_version; /* 0: any */
	__u8 verdict;
	__u8 reason;
	__u8 flow_state; /* after the packet */
	__u8 active;	 /* 1 in the generation of a live trace, and nowhere else */
	__u8 pad;
};
_Static_assert(sizeof(struct trace_filter) == 128, "struct trace_filter is ABI");

struct trace_stats {
	__u64 matched; /* packets that the filter let through */
	__u64 sampled; /* of those, chosen by sampling: records written or lost */
	__u64 lost;    /* no room for the record */
};

/* What the filter looks at in a packet. */
struct trace_subject {
	const union addr *addr[2];
	__u32 rule;
	__u16 port[2]; /* host byte order; not looked at without has_ports */
	__u8 has_ports;
	__u8 is_icmp;
	__u8 ip_version; /* 0: not IP */
	__u8 l4_proto;
	__u8 direction;
	__u8 verdict;
	__u8 reason;
	__u8 flow_state;
};

static inline int trace_filter_addr(const struct trace_filter *filter, int end,
				    const union addr *addr)
{
	const union addr *want = &filter->addr[end], *mask = &filter->mask[end];

	return (addr->half[0] & mask->half[0]) == want->half[0] &&
	       (addr->half[1] & mask->half[1]) == want->half[1];
}

static inline int trace_filter_port(const struct trace_filter *filter, int end, __u16 port)
{
	return port >= filter->port_first[end] && port <= filter->port_last[end];
}

static inline int trace_filter_ports(const struct trace_filter *filter,
				     const struct trace_subject *subject)
{
	if (!(filter->has_port[TRACE_SOURCE] | filter->has_port[TRACE_DESTINATION] |
	      filter->has_port[TRACE_EITHER]))
		return 1;
	if (!subject->has_ports)
		return 0;
	if (filter->has_port[TRACE_SOURCE] &&
	    !trace_filter_port(filter, TRACE_SOURCE, subject->port[0]))
		return 0;
	if (filter->has_port[TRACE_DESTINATION] &&
	    !trace_filter_port(filter, TRACE_DESTINATION, subject->port[1]))
		return 0;
	return !filter->has_port[TRACE_EITHER] ||
	       trace_filter_port(filter, TRACE_EITHER, subject->port[0]) ||
	       trace_filter_port(filter, TRACE_EITHER, subject->port[1]);
}

static inline int trace_filter_is(__u8 wanted, __u8 value)
{
	return wanted == TRACE_FILTER_ANY || wanted == value;
}

/**
 * trace_filter_match() - Whether the filter holds for a packet; sampling comes later
 */
static inline int trace_filter_match(const struct trace_filter *filter,
				     const struct trace_subject *subject)
{
	if (!trace_filter_is(filter->verdict, subject->verdict) ||
	    !trace_filter_is(filter->reason, subject->reason) ||
	    !trace_filter_is(filter->direction, subject->direction) ||
	    !trace_filter_is(filter->flow_state, subject->flow_state))
		return 0;
	if (filter->rule != RULE_NONE && filter->rule != subject->rule)
		return 0;
	if (filter->ip_version && filter->ip_version != subject->ip_version)
		return 0;
	if (filter->l4_proto != TRACE_FILTER_ANY_PROTO &&
	    (!subject->ip_version ||
	     (filter->l4_proto == TRACE_FILTER_ICMP ? !subject->is_icmp
						    : filter->l4_proto != subject->l4_proto)))
		return 0;
	if (!trace_filter_addr(filter, TRACE_SOURCE, subject->addr[0]) ||
	    !trace_filter_addr(filter, TRACE_DESTINATION, subject->addr[1]))
		return 0;
	if (!trace_filter_addr(filter, TRACE_EITHER, subject->addr[0]) &&
	    !trace_filter_addr(filter, TRACE_EITHER, subject->addr[1]))
		return 0;
	return trace_filter_ports(filter, subject);
}

#endif /* SHRIKE_TRACE_FILTER_H */
