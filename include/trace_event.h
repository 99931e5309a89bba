/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Map trace_v2 (PERF_EVENT_ARRAY): one record per traced packet, followed by the first bytes of
 * the frame as it left the pipeline: l2_len bytes of link header, then the IP packet.
 */
#ifndef SHRIKE_TRACE_EVENT_H
#define SHRIKE_TRACE_EVENT_H

#include "abi.h"
#include "trace_stage.h"

struct trace_event {
	__u64 time_ns;	  /* CLOCK_MONOTONIC, or virtual */
	union addr saddr; /* as received, before translation */
	union addr daddr;
	union addr nat_addr; /* translated: source (inbound), destination (outbound) */
	__u32 rule;	     /* rule number, RULE_NONE */
	__u32 ip_len;	     /* IP bytes of the packet */
	__u32 frame_len;     /* bytes of the frame that follow this record */
	__u32 ifindex;
	__be16 sport; /* ICMP: the identifier */
	__be16 dport; /* ICMP: the sequence number */
	__be16 nat_port;
	__u8 ip_version; /* enum ip_version, 0: not IP */
	__u8 l4_proto;
	__u8 tcp_flags;
	__u8 icmp_type;
	__u8 icmp_code;
	__u8 direction;	     /* enum direction */
	__u8 verdict;	     /* enum verdict */
	__u8 reason;	     /* enum reason */
	__u8 flow_state;     /* enum flow_state after the packet */
	__u8 fragment : 1;   /* later fragment, no transport header */
	__u8 local_kind : 3; /* enum local_kind of the destination, if it was judged */
	__u8 pad : 4;
	__u8 message[STAGE_MAX]; /* enum trace_message per stage */
	__u8 l2_len;
	__u32 wire_len;	      /* bytes of the whole frame, link header included */
	union addr snat_addr; /* forwarded by NAT: its source on the uplink, */
	char uplink[16];      /* name of the device; empty: not by NAT, */
	__be16 snat_port;     /* and the port there; ICMP: the identifier */
	__u8 pad2[6];
};
_Static_assert(sizeof(struct trace_event) == 144, "struct trace_event is ABI");

#endif /* SHRIKE_TRACE_EVENT_H */
