/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * After a change of policy: is each flow still allowed?
 *
 * The new generation's own ingress program answers.  It is given one packet of the flow, as its
 * peer might have sent it, and does with it what it does with any: renews the flow's entry, or
 * removes it.  The packet goes nowhere, as a test run redirects nothing.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <string.h>

#include "worker.h"

#define FRAME_MAX (ETHERNET_LEN + IP_HEADER_MAX + sizeof(struct tcphdr))

/* The transport header of the packet; its length. */
static size_t write_transport(uint8_t *to, const struct flow_entry *flow, bool is_opening)
{
	const struct flow_name *name = &flow->name;
	struct tcphdr tcp = {
		.th_sport = name->sport,
		.th_dport = name->dport,
		.th_off = sizeof(tcp) / 4,
		.th_flags = is_opening ? TH_SYN : TH_ACK,
	};
	struct udphdr udp = {
		.uh_sport = name->sport,
		.uh_dport = name->dport,
		.uh_ulen = htons(sizeof(udp)),
	};
	uint8_t echo[ICMP_HEADER_LEN] = {};

	switch (name->l4_proto) {
	case IPPROTO_TCP:
		memcpy(to, &tcp, sizeof(tcp));
		return sizeof(tcp);
	case IPPROTO_UDP:
		memcpy(to, &udp, sizeof(udp));
		return sizeof(udp);
	default:
		echo[0] = name->ends.version == IP_VERSION_4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
		memcpy(echo + 4, &name->sport, 2);
		memcpy(to, echo, sizeof(echo));
		return sizeof(echo);
	}
}

static bool is_allowed(struct worker *w, const struct flow_entry *flow)
{
	uint8_t version = flow->name.ends.version, l2_len = w->order.config.l2_len;
	uint16_t ethertype = htons(version == IP_VERSION_4 ? ETH_P_IP : ETH_P_IPV6);
	uint8_t frame[FRAME_MAX] = {}, *ip = frame + l2_len;
	size_t header_len = ip_header_len(version);
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame);
	size_t l4_len;

	if (l2_len)
		memcpy(frame + 2 * LINK_ADDR_LEN, &ethertype, 2);
	l4_len = write_transport(ip + header_len, flow, flow->on == &w->dialling);
	ip_header_write(ip, &flow->name.ends, flow->name.l4_proto, IP_TTL_DEFAULT, l4_len);
	options.data_size_in = l2_len + header_len + l4_len;
	/* a program that cannot be asked has not said no: each packet is still judged */
	return bpf_prog_test_run_opts(w->start.fds[FORWARD_FD_INGRESS], &options) ||
	       options.retval == XDP_REDIRECT;
}

static void recheck_list(struct worker *w, struct flow_list *list)
{
	struct flow_entry *flow, *next;

	for (flow = TAILQ_FIRST(list); flow; flow = next) {
		next = TAILQ_NEXT(flow, link);
		if (is_allowed(w, flow))
			continue;
		w->status->revoked++;
		flow->end(w, flow, true);
	}
}

/**
 * recheck_flows() - End the flows that the policy in force does not forward
 */
void recheck_flows(struct worker *w)
{
	recheck_list(w, &w->dialling);
	recheck_list(w, &w->accepting);
	recheck_list(w, &w->connected);
	recheck_list(w, &w->unfinished);
	recheck_list(w, &w->udp);
	recheck_list(w, &w->echo);
}
