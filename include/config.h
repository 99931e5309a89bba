/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What one generation of the dataplane was built for: the read-only data of its programs.
 *
 * The loader writes it before the programs are loaded; the verifier then removes what is off.
 * Map instance_v2 (ARRAY, one entry) tells other processes about the generation in force.
 */
#ifndef SHRIKE_CONFIG_H
#define SHRIKE_CONFIG_H

#include "abi.h"
#include "flow.h"

enum hook {
	HOOK_XDP = 0,
	HOOK_TC = 1,
};

enum routing {
	ROUTING_DISABLED = 0,
	ROUTING_NATIVE = 1,
	ROUTING_USERSPACE = 2,
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
	__u8 nat_port;	     /* the policy has port translations */
	__u8 nat_one_to_one; /* the policy has 1:1 translations */
	__u8 dry_run;	     /* judge, but write no state and count nothing */
	__u8 trace;	     /* write a record per packet into the map of trace_event.h */
	__u8 virtual_clock;  /* time and frame length are variables instead of the kernel's */
	__u8 peer_groups;    /* a rule of peer_acl names broadcast or multicast */
	__u8 pad[3];
};

_Static_assert(sizeof(struct config) == 152, "struct config is ABI");

/* Whether the generation hands packets to the userspace forwarder at all. */
static inline int config_has_forwarder(const volatile struct config *config)
{
	return config->routing == ROUTING_USERSPACE ||
	       (config->netstack && config->local_forwarding);
}

struct instance {
	__u64 applied_ns;     /* CLOCK_REALTIME when this generation came into force */
	struct config config; /* the read-only data of its programs */
	__u32 policy_len;     /* bytes of the policy text in policy_text_v1 */
	__u32 next_rule_number; /* for the next id that is new to the policy; see struct next_numbers */
	__u32 rules;		/* of the policy; rules_v1 has a built-in one as well */
	__u32 mtu;
	char version[32];      /* of the shrike that built it */
	char policy_path[256]; /* where the policy was read from, empty: none was given */
	char routing_why[128]; /* what decided the routing mode, for status */
	char hook_why[128];    /* what decided the hook */
	char environment[512]; /* NetBird's variables that it was built with, NAME=VALUE lines */
};
_Static_assert(sizeof(struct instance) == 1232, "struct instance is ABI");

/*
 * Map numbers_v1 (ARRAY, one entry): what comes after the highest numbers that were ever in force.
 *
 * Connections hold both numbers, and a generation may have judged some although it was withdrawn at
 * once, as its pins failed.  So this map lives as long as the connections do, and is written before
 * a generation's programs see their first packet.
 */
struct next_numbers {
	__u32 generation;
	__u32 rule;
};
_Static_assert(sizeof(struct next_numbers) == 8, "struct next_numbers is ABI");

/* Map policy_text_v1 (ARRAY): the policy in force as it was read, in chunks. */
#define POLICY_CHUNK 4096

struct policy_chunk {
	char text[POLICY_CHUNK];
};

enum undo_state {
	UNDO_NONE,	/* the policy in force is there to stay */
	UNDO_PENDING,	/* it goes at the deadline unless it is confirmed */
	UNDO_CONFIRMED, /* it was */
	UNDO_DONE,	/* it was not, and has gone */
};

/*
 * Map undo_v1 (ARRAY, one entry): whether the policy in force waits to be confirmed, and the
 * policy that returns otherwise; map undo_text_v1 has its text, as policy_text_v1 would.
 */
struct undo {
	__u64 deadline_ns; /* CLOCK_BOOTTIME */
	__u32 state;	   /* enum undo_state */
	__u32 policy_len;
	char policy_path[256];
	char environment[512]; /* as in struct instance, of the generation that it was part of */
};
_Static_assert(sizeof(struct undo) == 784, "struct undo is ABI");

#endif /* SHRIKE_CONFIG_H */
