/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One fetch of the map: which configuration, what it says, the bundle, its file, the policy.
 */
#ifndef SHRIKE_FOLLOW_FETCH_H
#define SHRIKE_FOLLOW_FETCH_H

#include <stdbool.h>
#include <stdint.h>

#include "follow/grpc.h"
#include "follow/messages.h"
#include "follow/translate.h"

/* What a fetch waits for, in this order. */
enum fetch_step {
	FETCH_IDLE,	   /* nothing: there is none under way */
	FETCH_PERSISTENCE, /* the daemon to keep its next map: at first, and when it has kept none */
	FETCH_PROFILE,
	FETCH_CONFIG,
	FETCH_BUNDLE,
	FETCH_FILE, /* the parent to open the bundle */
	FETCH_STEPS,
};

/* What fetch_go_on() says. */
enum fetch_result {
	FETCH_GOES_ON,
	FETCH_WANTS_FILE, /* @path is to be opened */
	FETCH_HAS_FAILED, /* but another one may not */
};

/*
 * struct fetch - the fetch under way, if there is one
 * @ifname: the interface that the map has to be for
 * @deadline_ns: of the step, CLOCK_MONOTONIC
 * @path: of the bundle
 */
struct fetch {
	struct grpc *grpc;
	const char *ifname;
	enum fetch_step step;
	uint64_t deadline_ns;
	char path[BUNDLE_PATH_MAX];

	/* private to fetch.c */
	struct grpc_call call;
	bool is_kept; /* the daemon has been told to */
	int err;      /* of reading the answer */
	struct daemon_profile profile;
	struct daemon_config config;
};

int fetch_begin(struct fetch *fetch, uint64_t now_ns, struct error *error);
enum fetch_result fetch_go_on(struct fetch *fetch, uint64_t now_ns, struct error *error);
bool fetch_is_late(const struct fetch *fetch, uint64_t now_ns, struct error *error);
int fetch_take_file(struct fetch *fetch, int fd, const struct networks *networks,
		    struct netbird_import *to, struct error *error);

#endif /* SHRIKE_FOLLOW_FETCH_H */
