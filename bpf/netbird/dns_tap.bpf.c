/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a packet socket on NetBird's interface is to see: answers of the DNS forwarder of this host,
 * as the egress program has noted them (dns_sender.h).  Offsets count from the IP header.
 */
#include "vmlinux.h"

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "dns_sender.h"

#define ETH_P_IP	0x0800
#define PACKET_OUTGOING 4      /* linux/if_packet.h */
#define FRAGMENT_OFFSET 0x1fff /* of iphdr.frag_off */

const volatile __be32 own = 0; /* the address that the forwarder listens on */

SEC("socket")
int shrike_dns_tap(struct __sk_buff *skb)
{
	struct iphdr ip;

	/* what was forwarded may have the note from elsewhere */
	if (skb->pkt_type != PACKET_OUTGOING || skb->ingress_ifindex ||
	    skb->tc_index != DNS_SENDER_ROOT || skb->protocol != bpf_htons(ETH_P_IP))
		return 0;
	if (bpf_skb_load_bytes(skb, 0, &ip, sizeof(ip)) || ip.saddr != own)
		return 0;
	return ip.frag_off & bpf_htons(FRAGMENT_OFFSET) ? 0 : skb->len;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
