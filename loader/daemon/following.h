/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * NetBird's part of the policy of an interface, while `run` follows the daemon.
 */
#ifndef SHRIKE_DAEMON_FOLLOWING_H
#define SHRIKE_DAEMON_FOLLOWING_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/domains.h"
#include "dataplane/attached.h"
#include "follow/follow.h"
#include "follow/mirror.h"
#include "policy/part.h"
#include "policy/policy.h"

/* What the user has said on the command line. */
struct following_options {
	const char *socket; /* of the daemon; NULL: as the policy says, if it does */
	bool from_nftables; /* not the daemon, but its tables are followed */
	uint64_t interval_ns;
	uint64_t hold_ns; /* of addresses of domains, beyond what their answers say */
	const char *
		depends; /* an option that was given and is of use only while something is followed */
};

/*
 * struct following - what is followed, if anything is
 * @part: NetBird's, as of the last map, or as it was in force; without a text there is none
 * @domains: what its domain sets hold
 * @is_on: the daemon is followed
 */
struct following {
	struct following_options options;
	struct part_text part;
	struct domains *domains;
	bool is_on;

	/* private to following.c */
	struct follow_user user;
	struct follow *follow;
	struct mirror_follow *mirror; /* instead of that */
	char socket[FOLLOW_SOCKET_MAX];
	struct follow_status status; /* as others know it */
	uint64_t noted_ns; /* when the generation was applied whose names are noted in that */
	int epoll_fd;
	int board_fd;
	int tap_ifindex; /* of the device whose answers are read; 0: none are */
	__be32 tap_own;	 /* and its address */
};

int following_init(struct following *following, const struct follow_user *user,
		   const struct following_options *options, struct error *error);
int following_read(struct following *following, const char *path, struct part_text *whole,
		   struct error *error);
int following_edit(const struct attached *attached, char **text, size_t *len, void *following,
		   struct error *error);
bool following_is_known(const struct following *following, const char *text, size_t len);
int following_take(struct following *following, const char *text, size_t len, struct error *error);
bool following_ready(struct following *following, const struct attached *attached);
bool following_check(struct following *following, const struct attached *attached);
void following_settle(struct following *following);
void following_listen(struct following *following, int ifindex);
void following_publish(struct following *following, const struct follow_status *status);
void following_note(struct following *following, const struct policy *policy,
		    const struct attached *attached);
void following_look(struct following *following, const struct attached *attached);
void following_free(struct following *following);

#endif /* SHRIKE_DAEMON_FOLLOWING_H */
