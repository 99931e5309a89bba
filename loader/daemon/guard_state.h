/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is known of one interface under protection.
 */
#ifndef SHRIKE_DAEMON_GUARD_STATE_H
#define SHRIKE_DAEMON_GUARD_STATE_H

#include <stdbool.h>

#include "base/error.h"
#include "conntrack/upkeep.h"
#include "daemon/following.h"
#include "daemon/log.h"
#include "dataplane/attached.h"
#include "dataplane/mode.h"
#include "forward/forward.h"
#include "kernel/netlink.h"
#include "policy/environment.h"
#include "uplink/reserve.h"

/* What is_outdated() depends on. */
struct rebuild_inputs {
	struct mode_facts facts;
	uint32_t prog_id;
	uint32_t mtu;
	bool vnet_hdr;
};

/*
 * struct guard - an interface and its generation in force
 * @policy_path: NULL: the default policy
 * @options: about following NetBird's daemon
 * @warn: called for each variable that is not understood
 * @log: with interface and function set
 */
struct guard {
	const char *ifname;
	const char *policy_path;
	struct following_options options;
	warn_fn warn;
	struct log log;

	struct upkeep upkeep;
	struct forward *forward;
	struct following following;

	/* private to guard.c and guard_apply.c */
	struct reserved_ports reserved;
	struct dataplane *dataplane; /* holds the links */
	struct attached attached;    /* the generation in force, whoever applied it */
	bool is_attached;
	bool is_gone; /* which may be seen after its programs have gone */
	bool addresses_changed;
	bool link_changed;
	bool overlay_changed;
	bool routes_changed;
	bool addresses_behind;		  /* the tables: they could not be brought up to date */
	bool uplinks_behind;		  /* programs on uplinks and what they know */
	bool unpinned;			  /* and that is logged */
	bool ipsec_bypassed;		  /* policies have come; that is logged, too */
	struct rebuild_inputs built_from; /* when is_outdated() said no last */
	char last_why[FOLLOW_WHY_MAX];	  /* that NetBird's maps did not come */
	const char *cause;		  /* of what is applied next; NULL: by its source */
	uint32_t uid;
	uint64_t next_end_ns; /* of an element of a set, see dataplane/set_deadlines.h */
};

#endif /* SHRIKE_DAEMON_GUARD_STATE_H */
