/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The packet on its way through the stages, and the stages in their order.
 *
 * A stage returns VERDICT_CONTINUE or ends the way by pass(), drop() or forward(), which note the
 * reason.  Only the hook files know what a verdict means to XDP or TC.
 *
 * Stages that read or write the packet's bytes take a struct frame and are __hidden: for the
 * verifier they are static functions, as packet pointers cannot cross the call of a global one.
 * Stages that work on state alone take a struct packet, which holds no pointers, and are global
 * functions: the verifier looks at each once, with any packet whatever, instead of once for every
 * path that leads to it (inlined, the ingress program exceeds 8,192 branches: "The sequence of
 * 8193 jumps is too complex").  It gives them a pointer that may be NULL, hence their first line.
 */
#ifndef SHRIKE_PACKET_H
#define SHRIKE_PACKET_H

#include "vmlinux.h"

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"
#include "blocked.h"
#include "config.h"
#include "counter.h"
#include "flow.h"
#include "flow_key.h"
#include "local.h"
#include "protocol.h"
#include "reason.h"
#include "rule.h"
#include "trace_stage.h"

#define ETH_P_IP   0x0800
#define ETH_P_IPV6 0x86dd
#define ETH_P_ARP  0x0806
#define ETH_HLEN   14

#define IPPROTO_HOPOPTS	 0
#define IPPROTO_ICMP	 1
#define IPPROTO_TCP	 6
#define IPPROTO_UDP	 17
#define IPPROTO_ROUTING	 43
#define IPPROTO_FRAGMENT 44
#define IPPROTO_AH	 51
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

#define SCALE_NONE 0xff

#define HEADERS_MAX 512 /* no parsed header begins beyond; a bound for the verifier */

/*
 * Linux 6.1 forgets what a comparison has shown of a register that came from the stack, where clang
 * reads it twice: "R1 offset is outside of the packet".
 */
#define forget_origin(off) asm volatile("" : "+r"(off))

enum fragment_kind {
	FRAGMENT_NONE,	/* a whole datagram; an atomic IPv6 fragment too (RFC 6946) */
	FRAGMENT_FIRST, /* offset zero, more to come: has the transport header */
	FRAGMENT_LATER, /* no transport header: ports and flags are zero */
};

/* What conntrack_in() or conntrack_out() found for the packet. */
enum flow_match {
	FLOW_MATCH_NONE,  /* no flow */
	FLOW_MATCH_OLD,	  /* a flow that is over and that this packet may replace */
	FLOW_MATCH_OTHER, /* a flow that does not accept this packet and is to be left alone */
	FLOW_MATCH_STALE, /* a peer's flow, judged by an earlier policy or for other addresses */
	FLOW_MATCH_STALE_REPLY, /* an answer to such a one that hairpins */
	FLOW_MATCH_PASSED,	/* a hairpin packet leaving again: counted when it came in */
	/* those that conntrack vouches for */
	FLOW_MATCH_JUDGED, /* a peer's flow, judged by the policy in force */
	FLOW_MATCH_ANSWER, /* an answer to such a one that hairpins */
	FLOW_MATCH_REPLY,  /* a reply to a flow of this host, or its own packet going out */
};

/* Who sends a packet. */
enum sender {
	SENDER_HOST,	   /* this host, or the kernel's router */
	SENDER_FORWARDER,  /* the userspace forwarder */
	SENDER_MASQUERADE, /* the program of an uplink */
	SENDER_HAIRPIN,	   /* masquerade_out(), from one peer's port on an uplink to another's */
	SENDER_BACK,	   /* inbound: masquerade_out(), untranslated, by where it has come from */
};

/* How a flow is routed, for masquerade_out(). */
enum translation_state {
	TRANSLATION_NONE,  /* not by NAT */
	TRANSLATION_NEW,   /* by NAT, as soon as it has a route and a port */
	TRANSLATION_KNOWN, /* by NAT */
	TRANSLATION_BACK,  /* as it is, back out of the protected interface */
};

/*
 * struct translation - what a routed flow becomes on its way out
 */
struct translation {
	union addr addr; /* its source there */
	__be16 port;
	__u8 epoch;  /* struct masquerade.epoch when its route was looked up */
	__u8 uplink; /* index, or UPLINK_BACK */
	__u8 state;  /* enum translation_state */
	__u8 waits;  /* its flow waits for an answer so long that the next hop may be missing */
	__u8 pad[2];
};

/*
 * struct frame - the packet's bytes
 */
struct frame {
	void *data;	/* the IP header */
	void *data_end; /* of the linear part */
	void *ctx;	/* struct xdp_md or struct __sk_buff */
};

/*
 * struct quote - the packet that an ICMP error quotes; offsets are from the IP header of the error
 */
struct quote {
	struct tuple tuple;
	__u32 ip_off;
	__u32 l4_off;
};

/*
 * struct packet - what the stages know about the packet
 *
 * Offsets and lengths are in bytes and count from the IP header.  Parsing fills everything up to
 * @frag; the other fields are filled by the stages that own them.
 */
struct packet {
	union addr saddr;
	union addr daddr;
	union addr wire_addr; /* the peer's address before 1:1 translation */
	__u64 now_ns;
	__u32 avail_len; /* bytes of the frame from the IP header on */
	__u32 ip_len;	 /* whole IP packet, without link padding */
	__u32 l4_off;	 /* transport header; FRAGMENT_LATER: the fragment's data */
	__u32 frag_off;	 /* of the fragment's data in the datagram */
	__be32 frag_id;
	__u32 rule;	 /* number of the deciding rule */
	__be16 sport;	 /* ICMP echo: the identifier; other ICMP: zero */
	__be16 dport;	 /* ICMP echo: the sequence number */
	__be16 nat_port; /* destination port before port translation, 0: not translated */
	__u8 direction;	 /* enum direction */
	__u8 ip_version; /* enum ip_version */
	__u8 l4_proto;
	__u8 tcp_flags;
	__u8 icmp_type;
	__u8 icmp_code;
	__u8 hop_limit;
	__u8 frag;	 /* enum fragment_kind */
	__u8 reason;	 /* enum reason, once there is a verdict */
	__u8 flow_match; /* enum flow_match */
	__u8 flow_state; /* enum flow_state of its flow after the packet, for traces */
	__u8 local_kind; /* enum local_kind of the destination, as it was judged */
	__u8 message[STAGE_MAX];
	__u8 sender;   /* enum sender: outbound: who sends it; inbound: who sends it on */
	__u16 epoch;   /* inbound: conntrack_epoch() when its flow was looked up */
	__u32 seq;     /* TCP, host byte order: the sequence number, */
	__u32 seq_end; /* the one behind the segment, in which SYN and FIN count, */
	__u32 ack;     /* the acknowledgment number, 0 without ACK, */
	union {
		__u16 window;	  /* and the window, unscaled */
		__be16 snat_port; /* inbound from SENDER_MASQUERADE: the port on the uplink, */
	};
	union {
		__u8 scale;    /* TCP: the window scale option of a SYN; SCALE_NONE: it has none */
		__u8 uplink;   /* inbound from SENDER_MASQUERADE, or too big for it: as above */
		__u8 no_route; /* inbound, for REASON_NO_ROUTE: BPF_FIB_LKUP_RET_* */
	};
	__u8 out_of_window : 1; /* TCP: it fitted no window of its connection */
	__u8 opens_flow : 1;	/* it has opened a flow */
	__u8 ends_flow : 1;	/* its flow is to be removed, once it is known how it leaves */
};
_Static_assert(sizeof(struct packet) == 128, "struct packet fills the stack it is given");

extern const volatile struct config config;
extern const volatile struct blocked_table blocked;

/* Of virtual_clock instances the time; of these and of dry runs the frame's length. */
extern __u64 virtual_now_ns;
extern __u32 virtual_frame_len;

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
 * frame_behind_link() - Bytes of the frame behind its link header
 * @frame_len: bytes that the hook sees
 */
static __always_inline __u32 frame_behind_link(__u32 frame_len)
{
	if (config.virtual_clock || config.dry_run)
		frame_len = virtual_frame_len;
	return frame_len > config.l2_len ? frame_len - config.l2_len : 0;
}

/**
 * ip_ethertype() - The ethertype of a packet without link header, from its IP version
 * @data, @data_end: the packet
 *
 * Return: host byte order; 0, which is none, for what is not IP.
 */
static __always_inline __u16 ip_ethertype(void *data, void *data_end)
{
	if (data + 1 > data_end)
		return 0;
	switch (*(__u8 *)data >> 4) {
	case 4:
		return ETH_P_IP;
	case 6:
		return ETH_P_IPV6;
	default:
		return 0;
	}
}

/* The time of the packets that are seen now. */
static __always_inline __u64 clock_now_ns(void)
{
	return config.virtual_clock ? virtual_now_ns : bpf_ktime_get_coarse_ns();
}

/* Echo messages (RFC 792, RFC 4443 section 4). */
#define ICMP_ECHO_REPLY	    0
#define ICMP_ECHO_REQUEST   8
#define ICMPV6_ECHO_REQUEST 128
#define ICMPV6_ECHO_REPLY   129

static __always_inline bool icmp_type_is(const struct packet *p, __u8 type4, __u8 type6)
{
	return p->icmp_type == (p->ip_version == IP_VERSION_4 ? type4 : type6);
}

static __always_inline bool icmp_is_request(const struct packet *p)
{
	return icmp_type_is(p, ICMP_ECHO_REQUEST, ICMPV6_ECHO_REQUEST);
}

static __always_inline bool icmp_is_echo(const struct packet *p)
{
	return icmp_is_request(p) || icmp_type_is(p, ICMP_ECHO_REPLY, ICMPV6_ECHO_REPLY);
}

/**
 * addr_equal() - Whether two addresses are the same
 */
static __always_inline bool addr_equal(const union addr *a, const union addr *b)
{
	return a->half[0] == b->half[0] && a->half[1] == b->half[1];
}

/**
 * trace_note() - Note what a trace says about a stage; nothing at all where tracing is off
 */
static __always_inline void trace_note(struct packet *p, enum stage stage,
				       enum trace_message message)
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
enum verdict parse(struct frame *f, struct packet *p, __u16 ethertype, bool tc);
int blocked_is_peer(struct packet *p);
int fragment_lookup(struct packet *p);
int fragment_drop_verdict(struct packet *p);
int fragment_record(struct packet *p, int verdict);
int fragment_judged(struct packet *p, int verdict);
int fragment_by_nat(struct packet *p);
int fragment_answer(struct packet *p);
int fragment_hold(struct __sk_buff *skb, struct packet *p);
int fragment_release(struct __sk_buff *skb, struct packet *p);
void nat_in(struct frame *f, struct packet *p);
__u16 conntrack_epoch(void);
int conntrack_is_reply(struct packet *p);
int conntrack_in(struct packet *p);
enum verdict icmp_error_in(struct frame *f, struct packet *p);
bool icmp_error_quote(struct frame *f, struct packet *p, struct quote *quote);
void icmp_error_out(struct frame *f, struct packet *p);
int conntrack_related(struct packet *p, struct tuple *quoted);
int conntrack_asked_port(struct packet *p, struct tuple *quoted);
int local_lookup(const union addr *addr, __u8 ip_version);
enum local_kind local_destination(struct frame *f, struct packet *p);
int judge_is_martian(struct packet *p);
int judge(struct packet *p);
int acl_judge(struct packet *p, int acl);
__u32 classify(const struct packet *p, int acl);
int conntrack_turn(struct packet *p);
int conntrack_judged(struct packet *p, int verdict);
int conntrack_translation(struct packet *p, struct translation *translation);
int conntrack_quoted(struct packet *p, const struct tuple *quoted, struct translation *translation);
int conntrack_leaves_by(const struct tuple *opener, __u32 port);
int conntrack_give_way(const struct tuple *holder, __u64 now_ns, bool in_use);
int conntrack_translated(struct packet *p, const struct translation *translation);
int conntrack_forget(struct packet *p);
int conntrack_left(struct packet *p);
int conntrack_answer(struct packet *p);
int icmp_answer(struct __sk_buff *skb, struct packet *p, const union addr *source, __u32 l2_len,
		__u32 mtu);
int snat_port(struct __sk_buff *skb, struct packet *p, struct translation *translation);
int snat_leads_back(struct packet *p, struct translation *translation);
bool snat_make_room(struct frame *f, struct packet *p);
bool snat_is_peers(struct frame *f, struct packet *p);
int masquerade_route(struct __sk_buff *skb, struct packet *p, struct translation *translation);
int masquerade_error_out(struct frame *f, struct packet *p);
int masquerade_out(struct frame *f, struct packet *p, enum verdict *verdict);
int masquerade_answer(struct frame *f, struct packet *p);

int mss_clamp(struct __sk_buff *skb, struct packet *p);
int conntrack_out(struct packet *p);
void nat_out(struct frame *f, struct packet *p);

int recorder_note(struct packet *p, int verdict);
int flow_event_drop(struct packet *p);
void trace_emit(struct frame *f, struct packet *p, enum verdict verdict);

struct counters *pipeline_begin(struct packet *p, enum direction direction);
enum verdict pipeline_in(struct frame *f, struct packet *p, __u16 ethertype);
enum verdict pipeline_out(struct frame *f, struct packet *p, __u16 ethertype);
void pipeline_end(struct frame *f, struct packet *p, struct counters *counters,
		  enum verdict verdict);

#endif /* SHRIKE_PACKET_H */
