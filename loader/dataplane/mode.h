/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who routes, where the ingress program sits, and how packets reach the forwarder: decided from the
 * policy, NetBird's environment variables and facts about the host, always with the reason why.
 */
#ifndef SHRIKE_DATAPLANE_MODE_H
#define SHRIKE_DATAPLANE_MODE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "config.h"
#include "policy/environment.h"
#include "policy/policy.h"

struct mode_facts {
	bool ip_forward4; /* the kernel forwards IPv4 in this network namespace */
	bool ip_forward6;
	bool native_xdp; /* the link's driver runs XDP itself */
	bool tcx;	 /* the kernel has TCX links (6.6), else TC means clsact */
	bool simulate;	 /* no packet leaves the programs: any combination works */
	bool vnet_hdr;	 /* the link is a TUN or TAP device that carries GSO packets */
	bool merges;	 /* its frames may be GSO packets where XDP is generic */
	uint8_t l2_len;	 /* of the link: 14, or 0 on L3 devices */
	uint32_t mtu;
};

struct mode {
	enum routing routing;
	enum hook hook;
	bool xdp_generic; /* attach XDP in generic mode; false with HOOK_TC */
	enum forwarder_input forwarder_input;
	char routing_why[128];
	char hook_why[128];
	char input_why[96];  /* empty without a forwarder */
	char input_lack[96]; /* what the input cannot carry; empty: nothing */
};

int mode_read_facts(struct mode_facts *facts, struct error *error);
/* What a mode is decided by, and who is warned meanwhile. */
struct mode_question {
	const struct policy *policy;
	const struct environment *environment;
	const struct mode_facts *facts;
	warn_fn warn;
	void *warn_arg;
};

int mode_decide(const struct mode_question *question, struct mode *mode, struct error *error);

#endif /* SHRIKE_DATAPLANE_MODE_H */
