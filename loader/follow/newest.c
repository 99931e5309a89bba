/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "follow/newest.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "follow/follow.h"

#define CHECK_MS 1000

/* What has come of the question. */
struct asked {
	struct newest newest;
	struct error error; /* code 0: nothing is wrong so far */
};

static int on_map(void *arg, uint64_t serial, const char *text, size_t len, struct error *error)
{
	struct asked *asked = arg;

	asked->newest.part.text = strndup(text, len);
	if (!asked->newest.part.text)
		return error_no_memory(error);
	asked->newest.part.len = len;
	asked->newest.serial = serial;
	return 0;
}

static void on_change(void *arg, const struct follow_status *status)
{
	struct asked *asked = arg;

	if (status->why[0] && !asked->newest.part.text)
		error_set(&asked->error, EIO, "NetBird: %s", status->why);
}

/* Until the map has come, or something has gone wrong; a child that hangs is found by follow_check(). */
static void wait_for_map(struct follow *follow, struct asked *asked)
{
	struct pollfd ready = {.fd = follow_fd(follow), .events = POLLIN};

	while (!asked->newest.part.text && !asked->error.code) {
		if (poll(&ready, 1, CHECK_MS) > 0)
			follow_ready(follow);
		else
			follow_check(follow);
	}
}

/**
 * newest_fetch() - Ask the daemon for its map, and wait for it
 * @ifname: the interface that the map has to be for
 * @socket: of the daemon
 * @newest: is filled; the caller frees its text
 * @error: set on failure
 *
 * It takes the daemon seconds.  `run` does not notice; its own fetches are counted apart.
 *
 * Return: 0 or -errno.
 */
int newest_fetch(const char *ifname, const char *socket, struct newest *newest, struct error *error)
{
	struct asked asked = {};
	const struct follow_user user = {
		.ifname = ifname,
		.socket = socket,
		.interval_ns = FOLLOW_INTERVAL_NS,
		.on_map = on_map,
		.on_change = on_change,
		.arg = &asked,
	};
	struct follow *follow;
	int err = follow_new(&user, &follow, error);

	if (err)
		return err;
	wait_for_map(follow, &asked);
	follow_free(follow);
	if (!asked.newest.part.text) {
		*error = asked.error;
		return -error->code;
	}
	*newest = asked.newest;
	return 0;
}
