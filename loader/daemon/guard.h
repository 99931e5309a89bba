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
#include "dataplane/attached.h"
#include "dataplane/mode.h"
#include "forward/forward.h"
#include "kernel/netlink.h"
#include "policy/environment.h"

/* Hears what happens, one sentence each; @is_error: something could not be done, and goes on. */
typedef void (*guard_log)(const char *text, bool is_error);

/* What is_outdated() depends on, as it was when the answer was no. */
struct basis {
	struct mode_facts facts;
	uint32_t prog_id;
	uint32_t mtu;
	bool vnet_hdr;
};

/*
 * struct guard - an interface and its generation in force
 * @policy_path: NULL: the default policy
 * @warn: hears of variables that are not understood
 * @log: hears what happens
 */
struct guard {
	const char *ifname;
	const char *policy_path;
	warn_fn warn;
	guard_log log;

	struct upkeep upkeep;
	struct forward *forward;

	/* private to guard.c */
	struct dataplane *dataplane; /* holds the links */
	struct live live;	     /* the generation in force, whoever applied it */
	bool is_attached;
	bool addresses_changed;
	bool link_changed;
	bool overlay_changed;
	bool addresses_behind; /* the tables: they could not be brought up to date */
	bool unpinned;	       /* and said so */
	struct basis basis;
	char complaint[sizeof(((struct error *)0)->text)];
};

/* Where the policy to apply comes from. */
enum source {
	FROM_FILE,
	FROM_FORCE,  /* the one in force, built anew */
	FROM_BEFORE, /* the one before, as the one in force was not confirmed */
};

int guard_init(struct guard *guard, struct error *error);
int guard_apply(struct guard *guard, enum source source, struct error *error);
void guard_reload(struct guard *guard);
void guard_note(struct guard *guard, const struct netlink_event *event);
void guard_follow(struct guard *guard);
void guard_check(struct guard *guard);
void guard_keep_up(struct guard *guard);
void guard_look(struct guard *guard);
void guard_leave(struct guard *guard);
void guard_free(struct guard *guard);

#endif /* SHRIKE_DAEMON_GUARD_H */
