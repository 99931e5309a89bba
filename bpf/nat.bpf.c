/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Stage 3 and the last one: address and port translation.  Owns the maps of nat.h.
 *
 * Everything between the two stages (conntrack, ACLs) sees this host's view of a flow: the
 * translated destination port and the original peer address.  Fragments keep their ports, as the
 * later ones have none; addresses are translated in every fragment.
 */
#include "nat.h"
#include "packet.h"
#include "rewrite.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct nat_port_key);
	__type(value, struct nat_port);
} nat_port_v1 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, union addr);
	__type(value, union addr);
} nat_orig_v1 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, union addr);
	__type(value, union addr);
} nat_trans_v1 SEC(".maps");

/**
 * nat_port_lookup() - The port that a local service really listens on
 * @addr: destination address of the packet
 * @ip_version: its family
 * @l4_proto: 6 or 17
 * @port: destination port
 *
 * Return: the port to write, 0 where no translation applies.
 */
__hidden __be16 nat_port_lookup(const union addr *addr, __u8 ip_version, __u8 l4_proto, __be16 port)
{
	struct nat_port_key key = {.addr = *addr, .port = port, .l4_proto = l4_proto};
	struct nat_port *nat;

	nat = bpf_map_lookup_elem(&nat_port_v1, &key);
	if (!nat) {
		__builtin_memset(&key.addr, 0, sizeof(key.addr));
		nat = bpf_map_lookup_elem(&nat_port_v1, &key);
	}
	return nat && local_lookup(addr, ip_version) ? nat->to : 0;
}

/**
 * nat_source_lookup() - The original of a translated peer address, NULL if it is none
 */
__hidden const union addr *nat_source_lookup(const union addr *addr)
{
	union addr key = *addr; /* as Linux 6.1 takes no key from a global function's argument */

	return bpf_map_lookup_elem(&nat_trans_v1, &key);
}

/**
 * nat_translation_lookup() - What a peer's original address is translated to, NULL if it is not
 */
__hidden const union addr *nat_translation_lookup(const union addr *addr)
{
	union addr key = *addr;

	return bpf_map_lookup_elem(&nat_orig_v1, &key);
}

/* What answers this host is for the port that it has sent from, whoever may ask for that port. */
static __always_inline void port_in(struct frame *f, struct packet *p)
{
	__be16 to = 0;

	if (p->frag == FRAGMENT_NONE && l4_has_ports(p->l4_proto))
		to = nat_port_lookup(&p->daddr, p->ip_version, p->l4_proto, p->dport);
	if (!to || conntrack_is_reply(p)) {
		trace_note(p, STAGE_NAT_PORT_IN, MESSAGE_NAT_NONE);
		return;
	}
	rewrite_l4_u16(f, p, __builtin_offsetof(struct tcphdr, dest), p->dport, to,
		       config.hook == HOOK_TC);
	p->nat_port = p->dport;
	p->dport = to;
	trace_note(p, STAGE_NAT_PORT_IN, MESSAGE_NAT_APPLIED);
}

static __always_inline void source_in(struct frame *f, struct packet *p)
{
	const union addr *original = nat_source_lookup(&p->saddr);

	if (!original) {
		trace_note(p, STAGE_NAT_ONE_IN, MESSAGE_NAT_NONE);
		return;
	}
	rewrite_addr(f, p, true, &p->saddr, original, config.hook == HOOK_TC);
	p->saddr = *original;
	trace_note(p, STAGE_NAT_ONE_IN, MESSAGE_NAT_APPLIED);
}

/**
 * nat_in() - Translate an inbound packet's destination port and source address
 * @f, @p: packet, fragments included
 */
__hidden void nat_in(struct frame *f, struct packet *p)
{
	if (config.nat_one_to_one)
		source_in(f, p);
	if (config.nat_port)
		port_in(f, p);
}

static __always_inline void destination_out(struct frame *f, struct packet *p)
{
	const union addr *translated = nat_translation_lookup(&p->daddr);

	if (!translated) {
		trace_note(p, STAGE_NAT_ONE_OUT, MESSAGE_NAT_NONE);
		return;
	}
	p->wire_addr = *translated;
	rewrite_addr(f, p, false, &p->daddr, &p->wire_addr, true);
	trace_note(p, STAGE_NAT_ONE_OUT, MESSAGE_NAT_APPLIED);
}

static __always_inline void port_out(struct frame *f, struct packet *p)
{
	if (!p->nat_port || p->frag != FRAGMENT_NONE) {
		trace_note(p, STAGE_NAT_PORT_OUT, MESSAGE_NAT_NONE);
		return;
	}
	rewrite_l4_u16(f, p, __builtin_offsetof(struct tcphdr, source), p->sport, p->nat_port,
		       true);
	trace_note(p, STAGE_NAT_PORT_OUT, MESSAGE_NAT_APPLIED);
}

/**
 * nat_out() - Translate an outbound packet's destination address and a reply's source port
 * @f, @p: packet, in TC; nat_port as conntrack_out() found it in the flow
 */
__hidden void nat_out(struct frame *f, struct packet *p)
{
	if (config.nat_one_to_one)
		destination_out(f, p);
	if (config.nat_port)
		port_out(f, p);
}
