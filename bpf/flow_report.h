/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What connection tracking reports to listeners: the start and the end of each flow.
 */
#ifndef SHRIKE_FLOW_REPORT_H
#define SHRIKE_FLOW_REPORT_H

#include "flow_table.h"

__hidden extern bool flow_event_wanted(__u64 now_ns);
extern int flow_event_emit(struct flow_event *event);

static __always_inline void flow_event_set_ends(struct flow_event *event,
						const struct flow_key *key, __u8 opener)
{
	bool has_ports = l4_has_ports(key->l4_proto);

	if (key->ip_version == IP_VERSION_4) {
		event->addr[0].word[2] = event->addr[1].word[2] = bpf_htonl(0xffff);
		event->addr[0].word[3] = opener ? key->v4.addr[1] : key->v4.addr[0];
		event->addr[1].word[3] = opener ? key->v4.addr[0] : key->v4.addr[1];
		event->port[0] = opener && has_ports ? key->v4.port[1] : key->v4.port[0];
		event->port[1] = opener ? key->v4.port[0] : key->v4.port[1];
	} else {
		event->addr[0] = opener ? key->v6.addr[1] : key->v6.addr[0];
		event->addr[1] = opener ? key->v6.addr[0] : key->v6.addr[1];
		event->port[0] = opener && has_ports ? key->v6.port[1] : key->v6.port[0];
		event->port[1] = opener ? key->v6.port[0] : key->v6.port[1];
	}
	if (has_ports)
		return;
	event->port[1] = 0;
	if (!l4_is_icmp(key->l4_proto, key->ip_version))
		return;
	event->icmp_type = key->ip_version == IP_VERSION_4 ? ICMP_ECHO_REQUEST
							   : ICMPV6_ECHO_REQUEST;
}

/**
 * flow_report() - Report the start or the end of a flow to the listeners
 * @key, @flow: the flow; at its end with all its counts
 * @cause: of its end; FLOW_CAUSE_NONE: it starts
 * @now_ns: CLOCK_MONOTONIC
 *
 * Global, so that the verifier looks at it once instead of at every call.
 *
 * Return: 0.
 */
int flow_report(const struct flow_key *key, const struct flow *flow, int cause, __u64 now_ns)
{
	struct flow_scratch *scratch;
	struct flow_event *event;

	if (!key || !flow || !flow_event_wanted(now_ns))
		return 0;
	scratch = flow_scratch();
	if (!scratch)
		return 0;
	event = &scratch->event;
	__builtin_memset(event, 0, sizeof(*event));
	flow_event_set_ends(event, key, flow->opener);
	event->time_ns = now_ns;
	event->created_ns = flow->created_ns;
	event->packets[0] = flow->packets[0];
	event->packets[1] = flow->packets[1];
	event->bytes[0] = flow->bytes[0];
	event->bytes[1] = flow->bytes[1];
	event->rule = flow->rule;
	event->ifindex = config.ifindex;
	event->type = cause == FLOW_CAUSE_NONE ? FLOW_EVENT_START : FLOW_EVENT_END;
	event->cause = cause;
	event->direction = flow->flags & FLOW_BY_PEER ? DIR_INGRESS : DIR_EGRESS;
	event->ip_version = key->ip_version;
	event->l4_proto = key->l4_proto;
	event->flow_state = flow->state;
	if (flow->flags & FLOW_MASQUERADED) {
		event->uplink = flow->uplink + 1;
		event->snat_port = flow->snat_port;
	}
	return flow_event_emit(event);
}

/**
 * flow_is_over() - Whether both sides have closed, so that the end has been reported
 */
static __always_inline bool flow_is_over(__u32 state)
{
	return state == FLOW_STATE_TIME_WAIT || state == FLOW_STATE_CLOSING ||
	       state == FLOW_STATE_CLOSED;
}

/**
 * flow_report_end() - Report the end of a flow, unless that has been done
 */
static __always_inline void flow_report_end(const struct flow_key *key, const struct flow *flow,
					    enum flow_cause cause, __u64 now_ns)
{
	if (!config.dry_run && !flow_is_over(flow->state) && !(flow->flags & FLOW_REVOKED))
		flow_report(key, flow, cause, now_ns);
}

#endif /* SHRIKE_FLOW_REPORT_H */
