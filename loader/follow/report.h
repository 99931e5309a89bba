/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The messages between `run` and its child that follows NetBird's daemon.
 */
#ifndef SHRIKE_FOLLOW_REPORT_H
#define SHRIKE_FOLLOW_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "follow/budget.h"
#include "follow/bundle.h"
#include "follow/networks.h"
#include "netbird/dns_tap.h"

#define REPORT_TEXT_MAX	 512
#define REPORT_SIGHTINGS 16 /* addresses of one report */

/* What the child reports. */
struct follow_report {
	enum {
		FOLLOW_REPORT_WAITS,	 /* nothing to do; @due_ns: when the next map is fetched */
		FOLLOW_REPORT_FETCHES,	 /* the map */
		FOLLOW_REPORT_ASKS,	 /* the daemon for a bundle, as of now */
		FOLLOW_REPORT_BUNDLE,	 /* is in the file that @text names: it is to be passed */
		FOLLOW_REPORT_MAP,	 /* of @serial: @len bytes of policy are in the pipe */
		FOLLOW_REPORT_FAILURE,	 /* no newer map can be had for now; @text says why */
		FOLLOW_REPORT_ADDRESSES, /* of names that were resolved: @len @sightings */
	} kind;
	uint64_t due_ns; /* CLOCK_MONOTONIC; 0: there is none */
	uint64_t serial;
	uint64_t len;
	struct budget budget; /* what the next child is to go on with */
	struct dns_sighting sightings[REPORT_SIGHTINGS];
	char text[REPORT_TEXT_MAX];
};
_Static_assert(BUNDLE_PATH_MAX <= REPORT_TEXT_MAX, "the path of a bundle is a report's text");

/* What the parent gives, with a descriptor, or without one. */
struct follow_answer {
	enum {
		FOLLOW_ANSWER_BUNDLE, /* the file that FOLLOW_REPORT_BUNDLE has named */
		FOLLOW_ANSWER_TAP,    /* a socket of dns_tap_open() in the place of the last one */
	} kind;
	struct networks networks;   /* of this host, with a bundle */
	char text[REPORT_TEXT_MAX]; /* why there is no file */
};

/* What the child is started with. */
struct follow_start {
	int daemon_fd;	/* a connection to the daemon */
	int control_fd; /* its end of a pair: reports and answers */
	int policy_fd;	/* of a pipe: policies */
	struct heartbeat *heartbeat;
	struct budget budget;
	bool is_free; /* the first fetch is none of the budget's */
	char ifname[16];
};

#endif /* SHRIKE_FOLLOW_REPORT_H */
