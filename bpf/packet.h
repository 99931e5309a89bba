/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The packet on its way through the stages, and the stages in their order.
 *
 * A stage returns VERDICT_CONTINUE or ends the way by pass(), drop() or forward(), which note the
 * reason.  Only the hook files know what a verdict means to XDP or TC.  Stages are __hidden: for
 * the verifier they are static functions, so that packet pointers may cross the call (global
 * functions lose them).
 */
#ifndef SHRIKE_PACKET_H
#define SHRIKE_PACKET_H

#include "vmlinux.h"

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"
#include "config.h"
#include "counter.h"
#include "flow.h"
#include "reason.h"
#include "rule.h"
#include "stage.h"

#define ETH_P_IP   0x0800
#define ETH_P_IPV6 0x86dd
#define ETH_P_ARP  0x0806

#define IPPROTO_HOPOPTS	 0
#define IPPROTO_ICMP	 1
#define IPPROTO_TCP	 6
#define IPPROTO_UDP	 17
#define IPPROTO_ROUTING	 43
#define IPPROTO_FRAGMENT 44
#define IPPROTO_ICMPV6	 58
#define IPPROTO_DSTOPTS	 60
#define IPPROTO_MH	 135
#define IPPROTO_HIP	 139
#define IPPROTO_SHIM6	 140

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_PSH 0x08
#define TCP_ACK 0x10

enum fragment_kind {
	FRAGMENT_NONE,	/* a whole datagram; an atomic IPv6 fragment too (RFC 6946) */
	FRAGMENT_FIRST, /* offset zero, more to come: has the transport header */
	FRAGMENT_LATER, /* no transport header: ports and flags are zero */
};

/*
 * struct packet - what the stages know about the packet
 *
 * Offsets and lengths are in bytes and count from the IP header.  Parsing fills everything up to
 * @frag; the other fields are filled by the stages that own them.
 */
struct packet {
	void *data;	/* the IP header; dead after a rewrite in TC, see rewrite.h */
	void *data_end; /* of the linear part */
	void *ctx;
	struct counters *counters;
	union addr saddr;
	union addr daddr;
	__u64 now_ns;	/* last: stages compare with it and write it to flows */
	__u32 ip_len;	/* whole IP packet, without link padding */
	__u32 l4_off;	/* transport header; FRAGMENT_LATER: the fragment's data */
	__u32 frag_off; /* of the fragment's data in the datagram */
	__u32 rule;	/* number of the deciding rule */
	__be32 frag_id;
	__be16 sport; /* ICMP echo: the identifier; other ICMP: zero */
	__be16 dport; /* ICMP echo: the sequence number */
	__be16 nat_port; /* destination port before port translation, 0: not translated */
	__u8 ip_version; /* enum ip_version */
	__u8 l4_proto;
	__u8 tcp_flags;
	__u8 icmp_type;
	__u8 icmp_code;
	__u8 frag;	 /* enum fragment_kind */
	__u8 direction;	 /* enum direction */
	__u8 reason;	 /* enum reason, once there is a verdict */
	__u8 flow_state; /* enum flow_state of its flow after the packet, for traces */
	__u8 is_local;	 /* enum local_kind of the destination, once asked */
	__u8 message[STAGE_MAX];
};

extern const volatile struct config config;

/**
 * is_icmp() - Whether the packet is ICMP of its own family
 *
 * Protocol 1 over IPv6 and 58 over IPv4 are not (RFC 4443).
 */
static __always_inline bool is_icmp(const struct packet *p)
{
	return p->l4_proto == (p->ip_version == IP_VERSION_4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
}

/**
 * is_tracked_proto() - Whether connections of the packet's protocol are tracked
 */
static __always_inline bool is_tracked_proto(const struct packet *p)
{
	return p->l4_proto == IPPROTO_TCP || p->l4_proto == IPPROTO_UDP || is_icmp(p);
}

/**
 * addr_equal() - Whether two addresses are the same
 */
static __always_inline bool addr_equal(const union addr *a, const union addr *b)
{
	return a->half[0] == b->half[0] && a->half[1] == b->half[1];
}

/**
 * tell() - Note what a trace says about a stage; nothing at all where tracing is off
 */
static __always_inline void tell(struct packet *p, enum stage stage, enum message message)
{
	if (config.trace)
		p->message[stage] = message;
}

static __always_inline enum verdict pass(struct packet *p, enum reason reason)
{
	p->reason = reason;
	return VERDICT_PASS;
}

static __always_inline enum verdict drop(struct packet *p, enum reason reason)
{
	p->reason = reason;
	return VERDICT_DROP;
}

static __always_inline enum verdict forward(struct packet *p, enum reason reason)
{
	p->reason = reason;
	return VERDICT_FORWARD;
}

/* The stages, in the order of a packet's way; each is documented in its file. */
enum verdict parse(struct packet *p, __u16 ethertype);
enum verdict fragment_lookup(struct packet *p);
void fragment_record(struct packet *p, enum verdict verdict);
enum verdict nat_in(struct packet *p);
enum verdict conntrack_in(struct packet *p);
void conntrack_open(struct packet *p, enum verdict verdict);
void conntrack_out(struct packet *p);
enum local_kind local_lookup(const union addr *addr, __u8 ip_version);
enum verdict martian_check(struct packet *p);
enum verdict acl_judge(struct packet *p, enum acl acl);
__u32 classify(const struct packet *p, enum acl acl);
void mss_clamp(struct packet *p);
void nat_out(struct packet *p);
void trace_emit(struct packet *p, enum verdict verdict);

enum verdict pipeline_in(struct packet *p, __u16 ethertype);
enum verdict pipeline_out(struct packet *p, __u16 ethertype);

#endif /* SHRIKE_PACKET_H */
