/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "review/change_count.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "conntrack/tables.h"
#include "dataplane/apply.h"
#include "dataplane/attached.h"
#include "kernel/netlink.h"
#include "kernel/notice.h"
#include "policy/parse.h"
#include "review/diff.h"
#include "review/impact.h"

#define FLOWS_MAX (1 << 17) /* noted; asking about more takes longer than a figure is worth */

struct noted_flow {
	struct flow_view view;
	struct flow flow;
};

/*
 * struct change_count - the generation in force before a change
 * @flows: its connections
 * @is_partial: there are more of them
 */
struct change_count {
	struct attached before;
	bool has_before;
	bool is_partial;
	struct noted_flow *flows;
	size_t n_flows;
	size_t room;
};

/* Note one connection; fits conntrack_walk(). */
static int note(void *arg, const struct flow_view *view)
{
	struct change_count *count = arg;

	if (count->n_flows == FLOWS_MAX) {
		count->is_partial = true;
		return 0;
	}
	if (count->n_flows == count->room) {
		size_t room = count->room * 2 + 64;
		struct noted_flow *flows = realloc(count->flows, room * sizeof(*flows));

		if (!flows)
			return -ENOMEM;
		count->flows = flows;
		count->room = room;
	}
	count->flows[count->n_flows].view = *view;
	count->flows[count->n_flows++].flow = *view->flow;
	return 0;
}

/* Note what is in force before a change; nothing where it cannot be read. */
static int begin(const char *ifname, bool with_flows, struct change_count *count,
		 struct error *error)
{
	struct conntrack conntrack;
	struct flow_clock clock;
	struct link_info link;
	int err;

	if (netlink_link_by_name(ifname, &link, error) ||
	    attached_open(link.ifindex, &count->before, error))
		return 0;
	count->has_before = true;
	count->is_partial = !with_flows;
	if (!with_flows)
		return 0;
	flow_clock_read(&count->before.instance, &clock);
	err = conntrack_open(&count->before.maps, &conntrack, error);
	if (!err)
		err = conntrack_walk(&conntrack, &clock, NULL, note, count, error);
	return err == -ENOMEM ? error_no_memory(error) : err;
}

/* The lists of a difference, in figures. */
static void count_list(const json_t *diff, struct change *change)
{
	const json_t *rules = json_object_get(diff, "rules");
	size_t changed = json_array_size(json_object_get(rules, "changed"));

	change->rules_added = json_array_size(json_object_get(rules, "added")) + changed;
	change->rules_removed = json_array_size(json_object_get(rules, "removed")) + changed;
}

/* Count the rules that have come and gone. */
static int count_rules(const struct change_count *count, const struct dataplane *dataplane,
		       struct change *change, struct error *error)
{
	const struct instance *before = &count->before.instance;
	const struct policy *after = dataplane->policy;
	struct policy_side sides[2] = {{NULL, &before->config},
				       {after, &dataplane->generation->instance.config}};
	const char *path = before->policy_path;
	struct policy *policy = NULL;
	json_t *diff = NULL;
	char *text = NULL;
	size_t len;
	int err;

	change->rules_added = after->acl[ACL_PEER].n_rules + after->acl[ACL_ROUTE].n_rules;
	change->rules_removed = 0;
	if (!count->has_before)
		return 0;
	err = attached_policy_text(&count->before, &text, &len, error);
	if (!err)
		err = policy_parse(path[0] ? path : NULL, text, len, &policy, error);
	sides[0].policy = policy;
	if (!err)
		err = policy_diff(&sides[0], &sides[1], &diff, error);
	if (!err)
		count_list(diff, change);
	json_decref(diff);
	policy_free(policy);
	free(text);
	return err;
}

/* Ask clones of both generations about the connections. */
static int count_cut(struct change_count *count, const struct dataplane *dataplane,
		     struct change *change, struct error *error)
{
	struct attached after;
	struct impacts impacts;
	int err;

	change->cut = count->is_partial ? CHANGE_NO_COUNT : 0;
	if (!count->n_flows || count->is_partial)
		return 0;
	err = attached_open(dataplane->link.ifindex, &after, error);
	if (err)
		return err;
	err = impacts_open_verdicts(&count->before, &after, &impacts, error);
	if (!err) {
		for (size_t i = 0; i < count->n_flows && !err; i++) {
			bool is_cut;

			count->flows[i].view.flow = &count->flows[i].flow;
			err = impacts_is_cut(&impacts, &count->flows[i].view, &is_cut);
			change->cut += is_cut;
		}
		impacts_close(&impacts);
	}
	if (err)
		change->cut = CHANGE_NO_COUNT;
	attached_close(&after);
	return err;
}

/* Count what a change has changed, as far as that can be done, and note it in the generation. */
static void end(struct change_count *count, const struct dataplane *dataplane,
		const struct dataplane_request *request, struct change *change)
{
	const struct map_set *maps = &dataplane->generation->maps;
	struct error error;
	int err;

	if (change_read(maps, change))
		*change = (struct change){.uid = CHANGE_NO_UID, .cut = CHANGE_NO_COUNT};
	err = count_rules(count, dataplane, change, &error);
	change->state = err ? CHANGE_UNCOUNTED : CHANGE_COUNTED;
	if (!err)
		err = count_cut(count, dataplane, change, &error);
	if (err) {
		error_prefix(&error, "%s: what has changed cannot be counted", request->ifname);
		request->warn(error.text, request->warn_arg);
	}
	change_write(maps, change, &error);
	notice_send(request->ifname);
}

/**
 * change_count_apply() - Put a policy into force, and count what that changes
 * @request: what and where; counts
 * @with_flows: count connections, too
 * @dataplane: set to what is in force, for dataplane_free()
 * @change: set to the figures, as far as there are any
 * @error: set on failure, as by dataplane_apply()
 *
 * The figures are noted in the generation in force, and `run` hears of them.
 *
 * Return: 0 or -errno.
 */
int change_count_apply(const struct dataplane_request *request, bool with_flows,
		       struct dataplane **dataplane, struct change *change, struct error *error)
{
	struct change_count count = {};
	int err = begin(request->ifname, with_flows, &count, error);

	if (!err)
		err = dataplane_apply(request, dataplane, error);
	if (!err)
		end(&count, *dataplane, request, change);
	if (count.has_before)
		attached_close(&count.before);
	free(count.flows);
	return err;
}
