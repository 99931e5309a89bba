/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Leaf of the egress program: notes whose DNS answer it is, for dns_sender.h.
 */
#ifndef SHRIKE_DNS_ANSWER_H
#define SHRIKE_DNS_ANSWER_H

#include "vmlinux.h"

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "dns_sender.h"

/**
 * dns_answer_note() - Note that root of this host answers from the forwarder's port
 * @skb: leaves, and nobody has translated its port
 * @sport: its source port
 *
 * Any user may send from a port that is bound by nobody or, with another address, by others: of a
 * socket only its owner counts.  What is forwarded came by an interface, and has no socket.
 */
static __always_inline void dns_answer_note(struct __sk_buff *skb, __be16 sport)
{
	if (sport == bpf_htons(NETBIRD_DNS_PORT) && !skb->ingress_ifindex &&
	    !bpf_get_socket_uid(skb))
		skb->tc_index = DNS_SENDER_ROOT;
}

#endif /* SHRIKE_DNS_ANSWER_H */
