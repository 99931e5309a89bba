/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "dataplane/apply.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "dataplane/attach.h"
#include "dataplane/change.h"
#include "dataplane/confirm.h"
#include "dataplane/detach.h"
#include "dataplane/generation_rules.h"
#include "dataplane/generation_state.h"
#include "dataplane/history.h"
#include "dataplane/masquerading.h"
#include "dataplane/plan.h"
#include "kernel/lock.h"
#include "kernel/notice.h"
#include "kernel/pin_path.h"

/* One application of a policy. */
struct application {
	struct plan plan;
	struct attachment attachment;
	struct dataplane *to; /* the same as plan.to and attachment.to */
	int uplink_lock;      /* LOCK_UPLINK until all is attached, -1: not held */
};

/*
 * Build for the hook that suits the link, and attach.  Only attaching shows whether a driver runs
 * XDP itself; where it does not, and the policy leaves the choice, the next best is built.
 */
static int build_and_attach(struct application *a, struct error *error)
{
	const struct link_info *link = &a->to->link;
	bool native = plan_may_run_xdp(link);
	int err;

	for (;;) {
		err = plan_decide(&a->plan, native, error);
		if (!err && a->plan.mode.routing == ROUTING_NAT && a->uplink_lock < 0)
			err = lock_wait(LOCK_UPLINK, LOCK_ALL, &a->uplink_lock, error);
		if (!err)
			err = plan_build(&a->plan, error);
		if (!err)
			err = attachment_open_pins(&a->attachment, error);
		if (!err)
			err = generation_reserve_numbers(a->to->generation, error);
		if (!err && a->plan.mode.routing == ROUTING_NAT)
			err = masquerading_sync(a->to, error);
		if (!err)
			err = attachment_attach(&a->attachment, error);
		if (!native || a->plan.mode.hook != HOOK_XDP ||
		    (err != -EOPNOTSUPP && err != -ERANGE && err != -EINVAL))
			return err;
		native = false;
	}
}

/* Copy connections and counters of the generation that was in force, up to its last packet. */
static int carry_over(struct application *a, struct error *error)
{
	int err;

	/* wait for its last packet: this command is a synchronize_rcu() */
	syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
	err = generation_carry_state(&a->plan.previous.maps, a->to->generation, error);
	if (!err)
		err = generation_carry_hits(&a->plan.previous.maps, a->to->generation, error);
	return err;
}

/* After the switch: start the time to confirm, or note that the policy has returned. */
static int finish_confirm(struct application *a, struct error *error)
{
	if (a->plan.request->confirm_s)
		return confirm_arm(&a->to->generation->maps, a->plan.request->confirm_s, error);
	if (!a->plan.request->revert)
		return 0;
	a->plan.undo.state = UNDO_DONE;
	return confirm_write(&a->plan.previous.maps, &a->plan.undo, error);
}

/* Take over the state of a generation that is attached nowhere any more. */
static int take_over(struct application *a, const struct attached *before, struct error *error)
{
	int err = 0;

	a->plan.previous.instance = before->instance;
	for (size_t i = 0; i < before->maps.n && !err; i++) {
		int fd = fcntl(before->maps.maps[i].fd, F_DUPFD_CLOEXEC, 0);

		err = fd < 0 ? error_set(error, errno, "cannot duplicate a map: %s",
					 strerror(errno))
			     : map_set_add(&a->plan.previous.maps, fd, error);
	}
	a->plan.has_previous = true;
	return err;
}

/* Read the generation in force, or take over the one that the caller still holds. */
static int find_previous(struct application *a, struct error *error)
{
	int ifindex = a->to->link.ifindex;
	int err = attached_open(ifindex, &a->plan.previous, error);

	if (!err) {
		a->plan.has_previous = true;
		return 0;
	}
	if (err != -ENOENT)
		return err;
	if (a->plan.request->caller == DATAPLANE_APPLY) {
		attached_none(a->plan.request->ifname, error);
		return error_prefix(error, "%s", a->plan.request->ifname);
	}
	err = hooks_query(ifindex, a->plan.previous.hooks, error);
	if (!err && a->plan.request->before)
		err = take_over(a, a->plan.request->before, error);
	return err;
}

/* An earlier policy may have routed by NAT. */
static int leave_old_uplinks(const struct application *a, struct error *error)
{
	if (!a->plan.has_previous || a->plan.mode.routing == ROUTING_NAT ||
	    a->plan.previous.instance.config.routing != ROUTING_NAT)
		return 0;
	return masquerading_leave(&a->plan.previous.maps, a->to->link.name, error);
}

/*
 * The policy did not come into force: remove what was attached and pinned for it.  That takes
 * descriptors and memory, which may be exhausted, so the new generation is freed first.
 */
static void roll_back(struct application *a)
{
	struct error ignored;
	bool found;

	hooks_close(a->to->link_fds);
	if (!attached_is_ours(a->plan.previous.hooks) && a->to->generation)
		masquerading_leave(&a->to->generation->maps, a->to->link.name, &ignored);
	generation_free(a->to->generation);
	a->to->generation = NULL;
	if (!attached_is_ours(a->plan.previous.hooks))
		detach_locked(a->to->link.name, true, &found, &ignored);
	else if (a->to->dir[0])
		path_remove(a->to->link.name, &ignored); /* if it was made just now */
}

/* An upgrade may mean that connections end; nobody should have to guess why. */
static void warn_lost_state(const struct application *a)
{
	char text[512], names[256];

	if (!a->plan.has_previous ||
	    !generation_lost_state(&a->plan.previous.maps, a->to->generation, names, sizeof(names)))
		return;
	snprintf(text, sizeof(text),
		 "%s: connections of shrike %s, which was in force, cannot be taken over, as this "
		 "version keeps them differently: %s",
		 a->to->link.name, a->plan.previous.instance.version, names);
	a->plan.request->warn(text, a->plan.request->warn_arg);
}

/* The user has asked for it, and should know what it costs. */
static void warn_lack(const struct application *a)
{
	char text[512];

	if (!a->plan.mode.input_lack[0])
		return;
	snprintf(text, sizeof(text),
		 "%s: forwarder_input is af_xdp, but %s: these are lost or come out merged; "
		 "'auto' would take tun",
		 a->to->link.name, a->plan.mode.input_lack);
	a->plan.request->warn(text, a->plan.request->warn_arg);
}

/* Nobody stays who would follow routes and addresses. */
static void warn_unfollowed(const struct application *a)
{
	char text[256];

	if (a->plan.mode.routing != ROUTING_NAT || a->plan.request->caller != DATAPLANE_ATTACH)
		return;
	snprintf(text, sizeof(text),
		 "%s: routing is nat, and nobody follows the uplinks: after a change of routes or "
		 "addresses attach again, or use 'shrike run %s'",
		 a->to->link.name, a->to->link.name);
	a->plan.request->warn(text, a->plan.request->warn_arg);
}

/* What was in force before has been verified when it came. */
static int verify(const struct application *a, struct error *error)
{
	const struct dataplane_request *request = a->plan.request;

	if (!request->verify || request->edit || request->revert)
		return 0;
	return request->verify(a->to->policy, request->ifname, error);
}

/* Put the policy into force, with the lock held. */
static int apply(struct application *a, struct error *error)
{
	int err;

	err = find_previous(a, error);
	if (!err)
		err = plan_load_attached(&a->plan, error);
	if (err)
		return err;
	plan_add_environment(&a->plan);
	err = verify(a, error);
	if (!err)
		err = build_and_attach(a, error);
	if (a->uplink_lock >= 0)
		close(a->uplink_lock);
	if (!err)
		err = finish_confirm(a, error);
	if (err) {
		roll_back(a);
		return err;
	}
	warn_lost_state(a);
	warn_lack(a);
	warn_unfollowed(a);
	err = attachment_pin(&a->attachment, error);
	if (!err && a->plan.has_previous)
		err = carry_over(a, error);
	if (!err)
		err = leave_old_uplinks(a, error);
	if (err && attached_is_ours(a->plan.previous.hooks)) { /* what is in force works without */
		error_prefix(error, "%s: the policy is in force, but", a->to->link.name);
		a->plan.request->warn(error->text, a->plan.request->warn_arg);
		return 0;
	}
	if (err)
		roll_back(a);
	return err;
}

/**
 * dataplane_apply() - Put a policy into force on an interface
 * @request: what, where, on whose behalf
 * @dataplane: set to what is in force, for dataplane_free()
 * @error: set on failure
 *
 * What was in force stays in force on failure, with all its connections; on success it hands its
 * connections over.  A failure after the switch that leaves the interface protected, such as one to
 * pin maps, is reported as a warning.
 *
 * Return: 0 or -errno; -ENOENT with DATAPLANE_APPLY where nothing is attached.
 */
int dataplane_apply(const struct dataplane_request *request, struct dataplane **dataplane,
		    struct error *error)
{
	struct application a = {.plan.request = request, .uplink_lock = -1};
	int lock = -1, err;

	err = path_check_name(request->ifname, error);
	if (err)
		return err;
	map_set_init(&a.plan.previous.maps);
	a.to = dataplane_new();
	if (!a.to)
		return error_no_memory(error);
	a.to->reserved = request->reserved;
	a.plan.to = a.to;
	attachment_init(&a.attachment);
	a.attachment.to = a.to;
	a.attachment.hooks = a.plan.previous.hooks;
	a.attachment.mode = &a.plan.mode;
	a.attachment.caller = request->caller;
	err = request->edit || request->revert ? 0 : plan_load(&a.plan, error);
	if (!err)
		err = lock_wait(LOCK_APPLY, request->ifname, &lock, error);
	if (!err)
		err = netlink_link_by_name(request->ifname, &a.to->link, error);
	if (!err)
		err = apply(&a, error);
	if (!err)
		history_note(request, a.to->policy, a.to->generation);
	if (lock >= 0)
		close(lock);
	attachment_end(&a.attachment);
	free(a.plan.overlay);
	free(a.plan.undo_text);
	attached_close(&a.plan.previous);
	if (err) {
		dataplane_free(a.to);
		change_failed(request, error->text);
		return err;
	}
	notice_send(request->ifname);
	*dataplane = a.to;
	return 0;
}
