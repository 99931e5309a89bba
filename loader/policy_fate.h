/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What would become of live connections if another policy came into force.
 *
 * Both policies judge each connection as the programs would judge its next packet from the peer
 * (judge.bpf.c, conntrack.bpf.c): a connection that a peer has opened by the rules, one of this
 * host only where connections are not tracked.  What differs is a fate.
 */
#ifndef SHRIKE_POLICY_FATE_H
#define SHRIKE_POLICY_FATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addresses.h"
#include "classify/classify.h"
#include "config.h"
#include "conntrack.h"
#include "policy/policy.h"

/* Why a policy lets a connection go on, or not; a rule if there is one. */
enum fate_why {
	FATE_RULE,
	FATE_PEER_DEFAULT,  /* no rule of peer_acl */
	FATE_ROUTE_DEFAULT, /* no rule of route_acl */
	FATE_TRACKED,	    /* opened by this host, and tracked */
	FATE_NATIVE,	    /* native routing without ACL */
	FATE_NO_ROUTING,
	FATE_OVERLAY,	/* the built-in rule */
	FATE_TIMEOUT,	/* idle for longer than the new timeout */
	FATE_TRANSLATE, /* the new policy translates it otherwise */
	FATE_HANDED,	/* from the kernel to the forwarder, or back */
	FATE_WHYS,
};

enum fate_kind {
	FATE_CUT,    /* goes on now, would not */
	FATE_OPENED, /* ends with its next packet now, would go on */
	FATE_MOVED,  /* goes on, by another rule */
	FATE_KINDS,
};

struct fate_cause {
	uint32_t rule; /* index in the side's classifier, of FATE_RULE */
	uint8_t why;   /* enum fate_why */
};

struct fate {
	union addr addr[2]; /* as in struct flow_view */
	uint16_t port[2];
	uint16_t icmp_id;
	uint8_t ip_version;
	uint8_t l4_proto;
	uint8_t state;
	uint8_t kind; /* enum fate_kind */
	struct fate_cause before;
	struct fate_cause after;
};

/*
 * struct fate_side - a policy that judges
 * @policy: after environment_apply()
 * @config: mode and timeouts
 */
struct fate_side {
	const struct policy *policy;
	const struct classifier *classifier;
	struct config config;
};

struct fates {
	struct fate_side before;
	struct fate_side after;
	struct local_address *local; /* addresses of this host; sorted by fates_init() */
	size_t n_local;
	bool translates; /* the policies translate differently */
	struct fate *list;
	size_t n;
	size_t room;
	uint64_t n_flows; /* all that were looked at */
	size_t n_kind[FATE_KINDS];
};

void fates_init(struct fates *fates);
int fates_visit(void *fates, const struct flow_view *view);
void fates_sort(struct fates *fates);
bool fates_same_group(const struct fate *a, const struct fate *b);
void fates_free(struct fates *fates);

#endif /* SHRIKE_POLICY_FATE_H */
