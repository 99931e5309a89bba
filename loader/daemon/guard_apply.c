/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "daemon/guard_apply.h"

#include <stdlib.h>

#include "dataplane/apply.h"
#include "dataplane/change.h"
#include "dataplane/set_deadlines.h"
#include "forward/forward.h"
#include "review/change_count.h"
#include "simulate/policy_tests.h"

/* Whether the programs are those that guard->attached was read from; then its maps are, too. */
static bool is_unchanged(const struct guard *guard)
{
	struct hook_state now[HOOK_POINTS];
	struct error ignored;

	if (!guard->attached.maps.n ||
	    guard->attached.ifindex != (int)guard->dataplane->link.ifindex ||
	    hooks_query(guard->attached.ifindex, now, &ignored) || !attached_is_ours(now))
		return false;
	for (int i = 0; i < HOOK_POINTS; i++)
		if (now[i].prog_id != guard->attached.hooks[i].prog_id ||
		    now[i].link_id != guard->attached.hooks[i].link_id)
			return false;
	return true;
}

/**
 * guard_refresh() - Look at the generation in force anew
 * @guard: the guard
 * @error: set on failure
 *
 * `policy apply` may have come from another process.  The sweep begins anew only with other tables, or
 * it would never get through large ones.
 *
 * Return: 0 or -errno.
 */
int guard_refresh(struct guard *guard, struct error *error)
{
	struct attached fresh;
	int err;

	if (is_unchanged(guard)) {
		guard->is_attached = true;
		forward_follow(guard->forward, &guard->attached, &guard->dataplane->link);
		return 0;
	}
	err = attached_open(guard->dataplane->link.ifindex, &fresh, error);
	if (err)
		return err;
	err = upkeep_follow(&guard->upkeep, &fresh.maps, &fresh.instance, error);
	if (err) {
		attached_close(&fresh);
		return err;
	}
	attached_close(&guard->attached);
	guard->attached = fresh;
	guard->next_end_ns = set_deadlines_next(&fresh.maps);
	guard->is_attached = true;
	forward_follow(guard->forward, &guard->attached, &guard->dataplane->link);
	return 0;
}

/* Put what a request asks for into force, and log what that changes. */
static int apply(struct guard *guard, const struct dataplane_request *request, struct error *error)
{
	/* connections of a map's rules are not asked about: that would take time before they end */
	bool with_flows = guard->dataplane && !request->edit;
	struct dataplane *fresh;
	struct change ignored;
	int err = request->counts ? change_count_apply(request, with_flows, &fresh, &ignored, error)
				  : dataplane_apply(request, &fresh, error);

	if (err)
		return err;
	dataplane_free(guard->dataplane);
	guard->dataplane = fresh;
	err = guard_refresh(guard, error);
	if (!err) {
		log_generation(&guard->log, &guard->attached);
		following_note(&guard->following, fresh->policy, &guard->attached);
	}
	following_settle(&guard->following);
	following_listen(&guard->following, fresh->link.ifindex);
	return err;
}

/* Why a policy comes into force, unless guard_apply() was told. */
static const char *cause_of(enum apply_source source)
{
	static const char *const causes[] = {
		[POLICY_FROM_FILE] = "start",
		[POLICY_IN_FORCE] = "interface or host changed",
		[POLICY_WITH_MAP] = "NetBird's map",
		[POLICY_BEFORE_CONFIRM] = "not confirmed",
		[POLICY_WITHOUT_ENDED] = SET_TIMEOUT_CAUSE,
	};

	return causes[source];
}

/**
 * guard_apply() - Put a policy into force on the interface
 * @guard: the guard; its cause and uid say why, if they are set
 * @source: which one
 * @error: set on failure; what was in force stays
 *
 * Return: 0 or -errno.
 */
int guard_apply(struct guard *guard, enum apply_source source, struct error *error)
{
	bool edits = source == POLICY_IN_FORCE || source == POLICY_WITH_MAP;
	struct set_expiry expiry = {.n = 0};
	struct dataplane_request request = {
		.ifname = guard->ifname,
		.policy_path = guard->policy_path,
		.caller = DATAPLANE_RUN,
		.before = guard->attached.maps.n ? &guard->attached : NULL,
		.edit = edits ? following_edit : NULL,
		.edit_arg = &guard->following,
		.revert = source == POLICY_BEFORE_CONFIRM,
		.verify = policy_tests_verify,
		.reserved = &guard->reserved,
		.cause = guard->cause ? guard->cause : cause_of(source),
		.uid = guard->cause ? guard->uid : CHANGE_NO_UID,
		.counts = source == POLICY_FROM_FILE || source == POLICY_WITH_MAP,
		.warn = guard->warn,
	};
	struct part_text text = {};
	int err = 0;

	if (source == POLICY_WITHOUT_ENDED) {
		request.edit = set_deadlines_expire;
		request.edit_arg = &expiry;
		request.subject = expiry.subject;
	}
	if (source == POLICY_FROM_FILE)
		err = following_read(&guard->following, guard->policy_path, &text, error);
	request.policy_text = text.text;
	request.policy_len = text.len;
	if (!err)
		err = apply(guard, &request, error);
	else
		change_failed(&request, error->text);
	free(text.text);
	return err;
}
