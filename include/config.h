/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What one generation of the dataplane was built for: the read-only data of its programs.
 *
 * The loader writes it before the programs are loaded; the verifier then removes what is off.
 */
#ifndef SHRIKE_CONFIG_H
#define SHRIKE_CONFIG_H

#include "abi.h"
#include "flow.h"

/* HOOK(id, name): names are those of policies, here and below */
#define HOOKS(HOOK)                                                                                \
	HOOK(XDP, "xdp")                                                                           \
	HOOK(TC, "tc")

enum hook {
#define HOOK(id, name) HOOK_##id,
	HOOKS(HOOK)
#undef HOOK
		HOOK_MAX,
};

/* ROUTING(id, name) */
#define ROUTINGS(ROUTING)                                                                          \
	ROUTING(DISABLED, "disabled")                                                              \
	ROUTING(NATIVE, "native")                                                                  \
	ROUTING(USERSPACE, "userspace")                                                            \
	ROUTING(NAT, "nat") /* translated and forwarded by the programs */

enum routing {
#define ROUTING(id, name) ROUTING_##id,
	ROUTINGS(ROUTING)
#undef ROUTING
		ROUTING_MAX,
};

/* FORWARDER_INPUT(id, name): how packets reach the userspace forwarder */
#define FORWARDER_INPUTS(FORWARDER_INPUT)                                                          \
	FORWARDER_INPUT(AF_XDP, "af_xdp")                                                          \
	FORWARDER_INPUT(TUN, "tun") /* TC redirects to a device of the forwarder's */

enum forwarder_input {
	FORWARDER_INPUT_NONE, /* there is no forwarder */
#define FORWARDER_INPUT(id, name) FORWARDER_INPUT_##id,
	FORWARDER_INPUTS(FORWARDER_INPUT)
#undef FORWARDER_INPUT
		FORWARDER_INPUT_MAX,
};

struct config {
	__u64 timeout_ns[FLOW_STATE_MAX];
	__u64 fragment_timeout_ns;
	__u32 generation;
	__u32 ifindex;	/* of the protected interface */
	__u32 snap_len; /* bytes of the frame in a trace record, at most */
	__u16 mss4;	/* MSS written into outbound IPv4 SYNs that ask for more, 0: off */
	__u16 mss6;
	__u8 l2_len;  /* bytes of link header before the IP header: 14, or 0 on L3 devices */
	__u8 hook;    /* enum hook of the ingress program */
	__u8 routing; /* enum routing */
	__u8 stateful;
	__u8 native_acl; /* route_acl is enforced under native routing too */
	__u8 netstack;
	__u8 local_forwarding;
	__u8 nat_port;	      /* the policy has port translations */
	__u8 nat_one_to_one;  /* the policy has 1:1 translations */
	__u8 dry_run;	      /* judge, but write no state and count nothing */
	__u8 trace;	      /* write a record per packet into the map of trace_event.h */
	__u8 virtual_clock;   /* time and frame length are variables instead of the kernel's */
	__u8 peer_groups;     /* a rule of peer_acl names broadcast or multicast */
	__u8 forwarder_input; /* enum forwarder_input */
	__u8 nat_owner;	      /* the interface, among those that share snat_in4 and snat_in6 */
	__u8 held_max;	      /* fragments that wait for their first one, at most HELD_MAX */
};

_Static_assert(sizeof(struct config) == 160, "struct config is ABI");

/* Whether the generation hands packets to the userspace forwarder at all. */
static inline int config_has_forwarder(const volatile struct config *config)
{
	return config->routing == ROUTING_USERSPACE || config->routing == ROUTING_NAT ||
	       (config->netstack && config->local_forwarding);
}

#endif /* SHRIKE_CONFIG_H */
