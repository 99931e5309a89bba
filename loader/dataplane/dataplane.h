/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What this process has put into force on an interface, and requests to do so.
 */
#ifndef SHRIKE_DATAPLANE_DATAPLANE_H
#define SHRIKE_DATAPLANE_DATAPLANE_H

#include <limits.h>
#include <stdbool.h>

#include "dataplane/attached.h"
#include "dataplane/generation.h"
#include "kernel/netlink.h"
#include "masquerade.h"
#include "policy/block_list.h"
#include "policy/environment.h"
#include "policy/sets.h"

struct reserved_ports;

enum dataplane_caller {
	DATAPLANE_ATTACH, /* nobody stays: needs pins, cannot forward in userspace */
	DATAPLANE_RUN,	  /* the caller stays: pins where there is a bpffs */
	DATAPLANE_APPLY,  /* replace the policy of what is attached */
};

/*
 * struct dataplane - a generation that this process has put into force
 * @link_fds: by enum hook_point, -1: none; without pins they keep the programs attached
 * @uplink_fds: the same of the uplinks, by index of masquerade.uplinks
 * @reserved: as in struct dataplane_request
 * @dir: of the pins, empty where there are none
 */
struct dataplane {
	struct link_info link;
	struct policy *policy; /* after environment_apply() */
	struct generation *generation;
	int link_fds[HOOK_POINTS];
	int uplink_fds[UPLINKS_MAX];
	struct reserved_ports *reserved;
	char dir[PATH_MAX];
};

/*
 * struct dataplane_request - what to put into force, and on whose behalf
 * @ifname: the interface, as the user named it
 * @policy_path: policy file, "-" for standard input, NULL for the default policy
 * @policy_text: the policy itself, read earlier from @policy_path; NULL: read the file
 * @keeps_part: NetBird's part of the policy in force is kept, as it is followed
 * @edit, @edit_arg: makes the policy's text from the generation in force, which nobody changes
 *	meanwhile; NULL: not used
 * @renewed: with @edit: a change of a set that it has made, which gives elements their time anew; NULL:
 *	none
 * @block, @block_arg: with @edit: changes who is blocked, also while a policy waits to be confirmed;
 *	NULL: nobody else is
 * @subject: with @cause: what that was about, for the history, which notes the policy even if it is the
 *	same; NULL: nothing to add
 * @verify: refuses a policy of a file, after NetBird's variables, before anything is built; NULL: none
 * @confirm_s: return to the policy in force if this one is not confirmed in so many seconds; 0: no
 * @revert: what to apply is the policy that returns, if the one in force still waits
 * @revert_id: only if it waits by this confirm_id(); 0: by whichever
 * @before: where nothing is attached, the generation whose state to take over; may be NULL
 * @cause: why, for the log and `status`: "policy apply"; at most 31 bytes
 * @uid: who asks, or CHANGE_NO_UID
 * @counts: what it changes is counted, see change_count_apply()
 * @reserved: ports that the caller, which stays, holds for routing by NAT; else NULL
 * @warn, @warn_arg: called for each variable that is not understood
 */
struct dataplane_request {
	const char *ifname;
	const char *policy_path;
	const char *policy_text;
	size_t policy_len;
	bool keeps_part;
	int (*edit)(const struct attached *attached, char **text, size_t *len, void *arg,
		    struct error *error);
	void *edit_arg;
	const struct sets_change *renewed;
	int (*block)(struct block_list *list, void *arg, struct error *error);
	void *block_arg;
	const char *subject;
	int (*verify)(struct policy *policy, const char *ifname, struct error *error);
	uint32_t confirm_s;
	bool revert;
	uint32_t revert_id;
	enum dataplane_caller caller;
	const struct attached *before;
	const char *cause;
	uint32_t uid;
	bool counts;
	struct reserved_ports *reserved;
	warn_fn warn;
	void *warn_arg;
};

struct dataplane *dataplane_new(void);
void dataplane_free(struct dataplane *dataplane);

#endif /* SHRIKE_DATAPLANE_DATAPLANE_H */
