/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The way of a packet, from first stage to verdict, for both hooks and both families.
 *
 * Owns config (the generation's read-only data), counters_v3 (counter.h), and maps that the programs
 * do not read, but which live as long as they do: change_v1 of change_record.h, set_deadline_v1 of
 * set_deadline.h, and of instance.h instance_v2, numbers_v1, policy_text_v1, undo_v1 and undo_text_v1.
 */
#include "addr.h"
#include "change_record.h"
#include "dns_answer.h"
#include "instance.h"
#include "packet.h"
#include "set_deadline.h"
#include "tc.h"

const volatile struct config config = {};

__u64 virtual_now_ns = 0;
__u32 virtual_frame_len = 0;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DIR_MAX);
	__type(key, __u32);
	__type(value, struct counters);
} counters_v3 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct instance);
} instance_v2 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct change);
} change_v1 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct next_numbers);
} numbers_v1 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct policy_chunk);
} policy_text_v1 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct set_deadline);
} set_deadline_v1 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct undo);
} undo_v1 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct policy_chunk);
} undo_text_v1 SEC(".maps");

/**
 * pipeline_begin() - Count the packet in, and set its clock
 * @p: packet with avail_len set
 * @direction: which of the two ways it goes
 *
 * Return: where pipeline_end() counts it out.  NULL where nothing is counted: in a dry run.
 */
__hidden struct counters *pipeline_begin(struct packet *p, enum direction direction)
{
	__u32 key = direction;
	struct counters *counters;

	p->direction = direction;
	p->now_ns = clock_now_ns();
	if (config.dry_run)
		return NULL;
	counters = bpf_map_lookup_elem(&counters_v3, &key);
	if (!counters)
		return NULL;
	counters->seen.packets++;
	counters->seen.bytes += p->avail_len;
	return counters;
}

static __always_inline void note_end(struct packet *p, enum verdict verdict)
{
	enum trace_message message = p->message[STAGE_COMPLETED];

	if (verdict != VERDICT_DROP && message == MESSAGE_NONE)
		trace_note(p, STAGE_COMPLETED, MESSAGE_DONE);
	if (verdict == VERDICT_DROP && message != MESSAGE_DONE_ACL &&
	    message != MESSAGE_DONE_ROUTING)
		trace_note(p, STAGE_COMPLETED, MESSAGE_DONE_DROPPED);
}

/**
 * pipeline_end() - Count the packet out, and write its trace record
 * @f, @p: packet
 * @counters: as pipeline_begin() returned it
 * @verdict: what it came to
 */
__hidden void pipeline_end(struct frame *f, struct packet *p, struct counters *counters,
			   enum verdict verdict)
{
	__u32 reason = p->reason, v = verdict;

	if (counters && reason < REASON_MAX && v < VERDICT_MAX) {
		counters->verdict[v].packets++;
		counters->verdict[v].bytes += p->avail_len;
		counters->reason[reason].packets++;
		counters->reason[reason].bytes += p->avail_len;
	}
	if (counters && p->out_of_window) {
		counters->tcp_out_of_window.packets++;
		counters->tcp_out_of_window.bytes += p->avail_len;
	}
	if (counters && (p->sender == SENDER_MASQUERADE || p->sender == SENDER_BACK) &&
	    (verdict == VERDICT_FORWARD || p->direction == DIR_EGRESS)) {
		counters->translated.packets++;
		counters->translated.bytes += p->avail_len;
	}
	if (verdict == VERDICT_DROP || p->opens_flow)
		recorder_note(p, verdict);
	if (verdict == VERDICT_DROP)
		flow_event_drop(p);
	if (config.trace) {
		note_end(p, verdict);
		trace_emit(f, p, verdict);
	}
}

/*
 * What an Ethernet link would not work without: neighbour solicitations and advertisements (RFC
 * 4861), and multicast listener discovery (RFC 2710, RFC 3810), by which a switch learns what to
 * send here.
 */
static __always_inline bool is_link_housekeeping(const struct packet *p)
{
	__u8 type = p->icmp_type;
	bool discovery = (type == 135 || type == 136) && p->hop_limit == 255;
	bool listeners = (type >= 130 && type <= 132) || type == 143;

	return config.l2_len && p->ip_version == IP_VERSION_6 && p->l4_proto == IPPROTO_ICMPV6 &&
	       p->frag == FRAGMENT_NONE && (discovery || (listeners && p->hop_limit == 1)) &&
	       !addr_is_loopback(&p->daddr, IP_VERSION_6) &&
	       (addr_is_multicast(&p->daddr, IP_VERSION_6) ||
		addr_is_link_local(&p->daddr, IP_VERSION_6) ||
		local_lookup(&p->daddr, IP_VERSION_6) != LOCAL_NONE);
}

/* Whether there is anything to translate: a call costs, even if it returns at once. */
static __always_inline bool has_nat(void)
{
	return config.nat_one_to_one || config.nat_port;
}

/*
 * An answer between two peers is judged as what it answers.  Not by judge() itself: Linux 6.1 adds
 * 32 bytes of stack for every call.
 */
static __always_inline enum verdict judge_turned(struct frame *f, struct packet *p)
{
	bool turned = conntrack_turn(p);
	enum verdict verdict;

	p->local_kind = local_destination(f, p);
	if (config.routing == ROUTING_NAT && p->local_kind == LOCAL_HOST && snat_is_peers(f, p))
		p->local_kind = LOCAL_NONE;
	verdict = judge(p);
	if (turned)
		conntrack_turn(p);
	return verdict;
}

static __always_inline enum verdict later_fragment_in(struct frame *f, struct packet *p)
{
	enum verdict verdict = fragment_lookup(p);

	if (verdict == VERDICT_DROP)
		return verdict;
	if (has_nat())
		nat_in(f, p);
	if (verdict == VERDICT_CONTINUE) {
		verdict = judge_turned(f, p);
		fragment_judged(p, verdict);
	}
	return verdict;
}

/* Whether a packet ends here as its peer is blocked: whatever rules and connections say. */
static __always_inline bool is_blocked(struct packet *p)
{
	if (!blocked.n || !blocked_is_peer(p))
		return false;
	trace_note(p, STAGE_PEER_ACL, MESSAGE_BLOCKED);
	return true;
}

/**
 * pipeline_in() - Judge a packet that arrives on the interface
 * @f, @p: packet for which pipeline_begin() was called
 * @ethertype: of the frame, host byte order
 *
 * Return: the verdict; the reason is in @p.
 */
__hidden enum verdict pipeline_in(struct frame *f, struct packet *p, __u16 ethertype)
{
	enum verdict verdict = parse(f, p, ethertype, config.hook == HOOK_TC);

	if (verdict != VERDICT_CONTINUE)
		return verdict;
	if (is_blocked(p))
		return drop(p, REASON_BLOCKED);
	if (p->frag == FRAGMENT_LATER)
		return later_fragment_in(f, p);
	if (p->frag == FRAGMENT_FIRST)
		fragment_drop_verdict(p);
	if (is_link_housekeeping(p))
		return pass(p, REASON_LINK_HOUSEKEEPING);
	if (has_nat())
		nat_in(f, p);
	verdict = conntrack_in(p);
	if (verdict == VERDICT_CONTINUE && is_icmp(p))
		verdict = icmp_error_in(f, p);
	if (verdict == VERDICT_CONTINUE) {
		verdict = judge_turned(f, p);
		conntrack_judged(p, verdict);
	}
	if (p->frag == FRAGMENT_FIRST && verdict != VERDICT_DROP)
		fragment_record(p, verdict);
	return verdict;
}

/**
 * pipeline_out() - Track a packet that leaves by the interface
 * @f, @p: packet for which pipeline_begin() was called
 * @ethertype: of the frame, host byte order
 *
 * Return: VERDICT_PASS: what this host sends is never judged.  VERDICT_DROP for what goes to a peer that
 * is blocked, and for what an uplink has brought to a flow that has ended.
 */
__hidden enum verdict pipeline_out(struct frame *f, struct packet *p, __u16 ethertype)
{
	enum verdict verdict = parse(f, p, ethertype, true);

	if (verdict == VERDICT_PASS)
		return verdict;
	/* before what cannot be parsed passes: hosts behind this one choose what they send */
	if (is_blocked(p))
		return drop(p, REASON_BLOCKED);
	if (verdict == VERDICT_DROP)
		return pass(p, REASON_OUTBOUND_UNPARSED);
	if (p->tcp_flags & TCP_SYN) {
		mss_clamp(f->ctx, p);
		tc_read_anew(f, config.l2_len);
	}
	if (p->frag != FRAGMENT_LATER)
		conntrack_out(p);
	/* a later fragment shows no ports: the uplink's program has looked */
	if (p->sender >= SENDER_MASQUERADE && p->frag != FRAGMENT_LATER &&
	    p->flow_match != FLOW_MATCH_REPLY)
		return drop(p, REASON_NO_FLOW);
	if (p->sender == SENDER_HOST)
		dns_answer_note(f->ctx, p->sport);
	if (has_nat()) {
		icmp_error_out(f, p);
		nat_out(f, p);
	}
	trace_note(p, STAGE_COMPLETED, MESSAGE_DONE_OUTGOING);
	return pass(p, REASON_OUTBOUND);
}
