/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * After a change of policy: is each flow still allowed?
 *
 * A dry run of the new generation's ingress program answers.  It is given one packet of the flow, as
 * its peer might have sent it, which nobody has sent: so nothing is counted, timed or traced, and
 * the flow's entry in the connection tables stays as it is.  The entry is renewed or ended by the
 * peer's next packet, which goes to the rules, whatever was found here.
 */
#include "forward/recheck.h"

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

#define FRAME_MAX	(ETHERNET_LEN + IP_HEADER_MAX + sizeof(struct tcphdr))
#define FRAME_MIN	64 /* the kernel refuses some IPv4 packets below 34 bytes */
#define TC_ACT_REDIRECT 7

_Static_assert(PORT_PROTOCOL_MAX == 2, "each protocol with ports has a header here");

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

static bool is_allowed(const struct worker *w, int judge_fd, const struct flow_entry *flow)
{
	uint8_t version = flow->name.ends.version, l2_len = w->order.config.l2_len;
	uint16_t ethertype = htons(version == IP_VERSION_4 ? ETH_P_IP : ETH_P_IPV6);
	uint8_t frame[FRAME_MAX] = {}, *ip = frame + l2_len;
	uint32_t redirect = w->order.config.hook == HOOK_XDP ? XDP_REDIRECT : TC_ACT_REDIRECT;
	size_t header_len = ip_header_len(version);
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame);
	size_t l4_len;

	if (l2_len)
		memcpy(frame + 2 * LINK_ADDR_LEN, &ethertype, 2);
	l4_len = write_transport(ip + header_len, flow, flow->on == &w->dialling);
	ip_header_write(ip, &flow->name.ends, flow->name.l4_proto, IP_TTL_DEFAULT, l4_len);
	options.data_size_in = l2_len + header_len + l4_len;
	if (options.data_size_in < FRAME_MIN)
		options.data_size_in = FRAME_MIN;
	/* a program that cannot be asked has not said no: each packet is still judged */
	return bpf_prog_test_run_opts(judge_fd, &options) || options.retval == redirect;
}

static void recheck_list(struct worker *w, int judge_fd, struct flow_list *list)
{
	struct flow_entry *flow, *next;

	for (flow = TAILQ_FIRST(list); flow; flow = next) {
		next = TAILQ_NEXT(flow, link);
		if (is_allowed(w, judge_fd, flow))
			continue;
		w->status->revoked++;
		flow->end(w, flow, END_REVOKED);
	}
}

/**
 * recheck_flows() - End the flows that the policy in force does not forward
 * @judge_fd: its ingress program as a dry run
 */
void recheck_flows(struct worker *w, int judge_fd)
{
	recheck_list(w, judge_fd, &w->dialling);
	recheck_list(w, judge_fd, &w->accepting);
	recheck_list(w, judge_fd, &w->connected);
	recheck_list(w, judge_fd, &w->unfinished);
	recheck_list(w, judge_fd, &w->udp);
	recheck_list(w, judge_fd, &w->udp_streams);
	recheck_list(w, judge_fd, &w->echo);
}
