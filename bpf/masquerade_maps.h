/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Leaves over the maps of masquerade.h, for the programs of both ends.
 */
#ifndef SHRIKE_MASQUERADE_MAPS_H
#define SHRIKE_MASQUERADE_MAPS_H

#include "masquerade.h"
#include "packet.h"

extern struct masquerade masquerade;

__hidden struct snat_in *snat_in_find(const struct flow_key6 *key, __u8 ip_version);
__hidden void snat_in_delete(const struct flow_key6 *key, __u8 ip_version);

/* Both ends of a translated packet, as on the wire of an uplink. */
struct snat_ends {
	const union addr *remote;
	const union addr *local;
	__be16 remote_port;
	__be16 local_port;
};

/* The key of either map: that of IPv4 is as long as the first fields of the other. */
static __always_inline void snat_key_set(struct flow_key6 *key, const struct snat_ends *ends,
					 __u8 ip_version, __u8 l4_proto)
{
	struct flow_key4 *key4 = (struct flow_key4 *)key;

	__builtin_memset(key, 0, sizeof(*key));
	if (ip_version == IP_VERSION_4) {
		key4->addr[0] = ends->remote->word[3];
		key4->addr[1] = ends->local->word[3];
		key4->port[0] = ends->remote_port;
		key4->port[1] = ends->local_port;
		key4->l4_proto = l4_proto;
	} else {
		key->addr[0] = *ends->remote;
		key->addr[1] = *ends->local;
		key->port[0] = ends->remote_port;
		key->port[1] = ends->local_port;
		key->l4_proto = l4_proto;
	}
}

static __always_inline const struct uplink *uplink_at(__u32 index)
{
	return &masquerade.uplinks[index % UPLINKS_MAX];
}

/* The key by which answers to a peer's flow are found; written in place, as stack is short. */
static __always_inline void snat_key_of_flow(struct flow_key6 *in, const struct flow_key *key,
					     const struct flow *flow)
{
	const union addr *local = uplink_addr(uplink_at(flow->uplink), key->ip_version);
	struct flow_key4 *in4 = (struct flow_key4 *)in;
	bool first = flow->opener; /* the remote end comes first in the flow's key */
	bool has_ports = l4_has_ports(key->l4_proto);

	__builtin_memset(in, 0, sizeof(*in));
	if (key->ip_version == IP_VERSION_4) {
		in4->addr[0] = first ? key->v4.addr[0] : key->v4.addr[1];
		in4->addr[1] = local->word[3];
		in4->port[0] = !has_ports ? 0 : first ? key->v4.port[0] : key->v4.port[1];
		in4->port[1] = flow->snat_port;
		in4->l4_proto = key->l4_proto;
	} else {
		in->addr[0] = first ? key->v6.addr[0] : key->v6.addr[1];
		in->addr[1] = *local;
		in->port[0] = !has_ports ? 0 : first ? key->v6.port[0] : key->v6.port[1];
		in->port[1] = flow->snat_port;
		in->l4_proto = key->l4_proto;
	}
}

/* Whether a port, in network order, is one that flows may take. */
static __always_inline bool masquerade_is_port(__be16 port)
{
	const struct masquerade_ports *ports = masquerade.ports;
	__u16 number = bpf_ntohs(port);

	return (number >= ports[0].first && number <= ports[0].last) ||
	       (number >= ports[1].first && number <= ports[1].last);
}

/* For counters and traces. */
static __always_inline void note_way(struct packet *p, const struct translation *translation)
{
	p->sender = SENDER_MASQUERADE;
	p->snat_port = translation->port;
	p->uplink = translation->uplink;
	trace_note(p, STAGE_FORWARDING, MESSAGE_FORWARD_NAT);
}

#endif /* SHRIKE_MASQUERADE_MAPS_H */
