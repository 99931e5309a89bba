// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Notes who sends UDP over IPv4, as the egress program does.
 */
#include "dns_answer.h"

#define PORT_OFF (14 + 20) /* behind Ethernet and an IP header without options */

SEC("tc")
int note_sender(struct __sk_buff *skb)
{
	__be16 sport;

	if (!bpf_skb_load_bytes(skb, PORT_OFF, &sport, sizeof(sport)))
		dns_answer_note(skb, sport);
	return -1;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
