/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The messages of NetBird's daemon that are needed here (its daemon.proto, as of 0.77).
 */
#ifndef SHRIKE_FOLLOW_MESSAGES_H
#define SHRIKE_FOLLOW_MESSAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "follow/bundle.h"

#define DAEMON_SERVICE	"daemon.DaemonService"
#define DAEMON_NAME_MAX 64 /* of profiles, users and interfaces */

/* Which configuration is in use. */
struct daemon_profile {
	char name[DAEMON_NAME_MAX];
	char user[DAEMON_NAME_MAX];
};

/* What of the daemon's configuration decides about its rules. */
struct daemon_config {
	char ifname[DAEMON_NAME_MAX];
	bool block_inbound;
	bool block_lan_access;
};

size_t daemon_write_persistence(uint8_t *message);
size_t daemon_write_config(const struct daemon_profile *profile, uint8_t *message, size_t size);
size_t daemon_write_bundle(uint8_t *message);

int daemon_read_event(const uint8_t *message, size_t len, bool *is_update);
int daemon_read_profile(const uint8_t *message, size_t len, struct daemon_profile *profile);
int daemon_read_config(const uint8_t *message, size_t len, struct daemon_config *config);
int daemon_read_version(const uint8_t *message, size_t len, char version[DAEMON_NAME_MAX]);
int daemon_read_bundle(const uint8_t *message, size_t len, char path[BUNDLE_PATH_MAX]);

#endif /* SHRIKE_FOLLOW_MESSAGES_H */
