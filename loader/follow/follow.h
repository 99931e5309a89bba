/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * NetBird's daemon as `run` follows it: a connection to it, and a child process that listens.
 *
 * docs/adr/0007-following-netbird.md says why it is so.  Whatever becomes of daemon and child, the
 * policy in force stays.
 */
#ifndef SHRIKE_FOLLOW_FOLLOW_H
#define SHRIKE_FOLLOW_FOLLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "follow/follow_status.h"
#include "netbird/dns_tap.h"

#define FOLLOW_SOCKET	   "/var/run/netbird.sock"
#define FOLLOW_INTERVAL_NS (60 * NS_PER_S)

struct follow;

/*
 * struct follow_user - who follows
 * @ifname: the interface that the map has to be for
 * @socket: of the daemon
 * @interval_ns: in which a fetch of the map is regained
 * @on_map: called with NetBird's part of a policy, a JSON object in printable ASCII; 0, or -errno
 *	and an error where it does not come into force
 * @on_address: called with each address of a domain set that the daemon's DNS forwarder answers
 * @on_change: called when the status has changed
 * @on_line: called with a line for the log, about what is read beside the map
 * @arg: for all of them
 */
struct follow_user {
	const char *ifname;
	const char *socket;
	uint64_t interval_ns;
	int (*on_map)(void *arg, uint64_t serial, const char *text, size_t len,
		      struct error *error);
	void (*on_address)(void *arg, const struct dns_sighting *sighting);
	void (*on_change)(void *arg, const struct follow_status *status);
	void (*on_line)(void *arg, const char *text);
	void *arg;
};

int follow_new(const struct follow_user *user, struct follow **follow, struct error *error);
int follow_fd(const struct follow *follow);
void follow_ready(struct follow *follow);
bool follow_is_taking(const struct follow *follow);
void follow_check(struct follow *follow);
void follow_listen(struct follow *follow, int tap_fd);
void follow_forget(struct follow *follow);
void follow_free(struct follow *follow);

#endif /* SHRIKE_FOLLOW_FOLLOW_H */
