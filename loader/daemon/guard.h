/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One interface under protection: what is in force on it, and what has to follow as the interface,
 * its addresses or the policy change.
 */
#ifndef SHRIKE_DAEMON_GUARD_H
#define SHRIKE_DAEMON_GUARD_H

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

	/* private to guard.c */
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
	struct rebuild_inputs built_from; /* when is_outdated() said no last */
	char last_why[FOLLOW_WHY_MAX];	  /* that NetBird's maps did not come */
	const char *cause;		  /* of what is applied next; NULL: by its source */
	uint32_t uid;
};

/* Where the policy to apply comes from. */
enum apply_source {
	POLICY_FROM_FILE,
	POLICY_IN_FORCE,       /* its text, built anew */
	POLICY_BEFORE_CONFIRM, /* the earlier one returns: nobody confirmed */
};

int guard_init(struct guard *guard, struct error *error);
int guard_apply(struct guard *guard, enum apply_source source, struct error *error);
void guard_reload(struct guard *guard, const char *cause, uint32_t uid);
void guard_note(struct guard *guard, const struct netlink_event *event);
void guard_follow(struct guard *guard);
void guard_check(struct guard *guard);
void guard_keep_up(struct guard *guard);
void guard_look(struct guard *guard);
bool guard_state(const struct guard *guard, const struct attached **attached);
int guard_netbird_fd(const struct guard *guard);
void guard_netbird_ready(struct guard *guard);
void guard_leave(struct guard *guard);
void guard_free(struct guard *guard);

#endif /* SHRIKE_DAEMON_GUARD_H */
