/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "follow/fetch.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/value.h"
#include "follow/member.h"

#define MAP_FILE "network_map.json"

/* What is called in each step, and how long it may take. */
static const struct {
	const char *method;
	uint64_t deadline_ns;
} steps[FETCH_STEPS] = {
	[FETCH_PERSISTENCE] = {"SetSyncResponsePersistence", 10 * NS_PER_S},
	[FETCH_PROFILE] = {"GetActiveProfile", 10 * NS_PER_S},
	[FETCH_CONFIG] = {"GetConfig", 10 * NS_PER_S},
	[FETCH_BUNDLE] = {"DebugBundle", 60 * NS_PER_S}, /* of which a profile takes 5 */
	[FETCH_FILE] = {"the bundle's file", 10 * NS_PER_S},
};

/* The answer of a call. */
static void on_answer(struct grpc_call *call, const uint8_t *message, size_t len)
{
	struct fetch *fetch = call->arg;

	switch (fetch->step) {
	case FETCH_PROFILE:
		fetch->err = daemon_read_profile(message, len, &fetch->profile);
		break;
	case FETCH_CONFIG:
		fetch->err = daemon_read_config(message, len, &fetch->config);
		break;
	case FETCH_BUNDLE:
		fetch->err = daemon_read_bundle(message, len, fetch->path);
		break;
	default:
		fetch->err = 0;
	}
}

static size_t write_request(const struct fetch *fetch, uint8_t *message)
{
	switch (fetch->step) {
	case FETCH_PERSISTENCE:
		return daemon_write_persistence(message);
	case FETCH_CONFIG:
		return daemon_write_config(&fetch->profile, message, GRPC_REQUEST_MAX);
	case FETCH_BUNDLE:
		return daemon_write_bundle(message);
	default:
		return 0;
	}
}

static int enter(struct fetch *fetch, enum fetch_step step, uint64_t now_ns, struct error *error)
{
	uint8_t request[GRPC_REQUEST_MAX];
	size_t len;

	fetch->step = step;
	fetch->deadline_ns = now_ns + steps[step].deadline_ns;
	if (step == FETCH_FILE)
		return 0;
	fetch->err = -ENODATA; /* until an answer comes */
	if (step == FETCH_PROFILE)
		fetch->profile = (struct daemon_profile){};
	fetch->call = (struct grpc_call){
		.method = steps[step].method,
		.on_message = on_answer,
		.arg = fetch,
	};
	len = write_request(fetch, request);
	return grpc_start(fetch->grpc, &fetch->call, request, len, error);
}

/**
 * fetch_begin() - Begin to fetch the map
 * @fetch: none is under way
 * @now_ns: CLOCK_MONOTONIC
 * @error: set on failure
 *
 * Return: 0 or -ENOMEM.
 */
int fetch_begin(struct fetch *fetch, uint64_t now_ns, struct error *error)
{
	return enter(fetch, fetch->is_kept ? FETCH_PROFILE : FETCH_PERSISTENCE, now_ns, error);
}

/* What is wrong with the answer that has come; 0 or -errno. */
static int check_answer(const struct fetch *fetch, struct error *error)
{
	const struct grpc_call *call = &fetch->call;
	char ifname[DAEMON_NAME_MAX];

	/* of one that knows no profiles there is one configuration */
	if (fetch->step == FETCH_PROFILE && call->status == GRPC_UNIMPLEMENTED)
		return 0;
	if (call->status != GRPC_OK)
		return error_set(error, EREMOTEIO, "%s: status %d%s%s", call->method, call->status,
				 call->reason[0] ? ": " : "", call->reason);
	if (fetch->err)
		return error_set(error, EBADMSG, "%s: an answer that is not understood",
				 call->method);
	if (fetch->step != FETCH_CONFIG || !strcmp(fetch->config.ifname, fetch->ifname))
		return 0;
	snprintf(ifname, sizeof(ifname), "%s", fetch->config.ifname);
	text_make_printable(ifname);
	return error_set(error, ENODEV, "its interface is '%s', not '%s'", ifname, fetch->ifname);
}

/**
 * fetch_go_on() - Take the next step if the answer has come
 * @fetch: one is under way
 * @now_ns: CLOCK_MONOTONIC
 * @error: set with FETCH_HAS_FAILED
 */
enum fetch_result fetch_go_on(struct fetch *fetch, uint64_t now_ns, struct error *error)
{
	enum fetch_step step = fetch->step;

	if (step == FETCH_IDLE || step == FETCH_FILE || !fetch->call.is_over)
		return FETCH_GOES_ON;
	/* a daemon that does not know this call keeps its maps anyhow, or has none in its bundle */
	if (step == FETCH_PERSISTENCE)
		fetch->is_kept = true;
	else if (check_answer(fetch, error)) {
		fetch->step = FETCH_IDLE;
		return FETCH_HAS_FAILED;
	}
	if (!enter(fetch, step + 1, now_ns, error))
		return fetch->step == FETCH_FILE ? FETCH_WANTS_FILE : FETCH_GOES_ON;
	fetch->step = FETCH_IDLE;
	return FETCH_HAS_FAILED;
}

/**
 * fetch_is_late() - Whether the step under way takes too long
 * @now_ns: CLOCK_MONOTONIC
 * @error: set if so
 */
bool fetch_is_late(const struct fetch *fetch, uint64_t now_ns, struct error *error)
{
	if (fetch->step == FETCH_IDLE || now_ns < fetch->deadline_ns)
		return false;
	error_set(error, ETIMEDOUT, "%s takes more than %llu s", steps[fetch->step].method,
		  (unsigned long long)(steps[fetch->step].deadline_ns / NS_PER_S));
	return true;
}

/**
 * fetch_take_file() - Make the policy of the bundle, which ends the fetch
 * @fd: the bundle
 * @networks: of this host
 * @to: is filled, for netbird_import_free()
 * @error: set on failure
 *
 * Return: 0; -ENOENT: the daemon has kept no map, which the next fetch has it do; -EBADMSG: the bundle is
 * damaged, which the next one need not be; -EINVAL: the map cannot be taken; or -ENOMEM.
 */
int fetch_take_file(struct fetch *fetch, int fd, const struct networks *networks,
		    struct netbird_import *to, struct error *error)
{
	struct netbird_map map = {.path = MAP_FILE};
	char *json;
	int err;

	fetch->step = FETCH_IDLE;
	err = member_read(fd, MAP_FILE, &json, &map.len, error);
	/* every user of this host may have told the daemon to keep none */
	if (err == -ENOENT)
		fetch->is_kept = false;
	if (err) {
		error_prefix(error, "the bundle");
		return err == -ENOENT || err == -ENOMEM ? err : -EBADMSG;
	}
	map.text = json;
	err = translate_map(&map, &fetch->config, networks, to, error);
	free(json);
	malloc_trim(0); /* a large map is nothing to keep */
	return err;
}
