/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "daemon/guard.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "conntrack/events.h"
#include "conntrack/upkeep.h"
#include "dataplane/apply.h"
#include "dataplane/confirm.h"
#include "dataplane/preview.h"
#include "dataplane/repin.h"
#include "forward/forward.h"
#include "trace/live.h"

static void say(struct guard *guard, bool is_error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void say(struct guard *guard, bool is_error, const char *format, ...)
{
	char text[1200];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	guard->log(text, is_error);
}

/* Whether the programs are those that guard->live was read from; then so is all the rest. */
static bool is_unchanged(const struct guard *guard)
{
	struct hook_state now[HOOK_POINTS];
	struct error ignored;

	if (!guard->live.maps.n || guard->live.ifindex != (int)guard->dataplane->link.ifindex ||
	    hooks_query(guard->live.ifindex, now, &ignored) || !live_is_ours(now))
		return false;
	for (int i = 0; i < HOOK_POINTS; i++)
		if (now[i].prog_id != guard->live.hooks[i].prog_id ||
		    now[i].link_id != guard->live.hooks[i].link_id)
			return false;
	return true;
}

/*
 * Look at the generation in force anew: `policy apply` may have come from another process.  The
 * sweep begins anew only with other tables, or it would never get through large ones.
 */
static int refresh(struct guard *guard, struct error *error)
{
	struct live fresh;
	int err;

	if (is_unchanged(guard)) {
		guard->is_attached = true;
		forward_follow(guard->forward, &guard->live, &guard->dataplane->link);
		return 0;
	}
	err = live_open(guard->dataplane->link.ifindex, &fresh, error);
	if (err)
		return err;
	err = upkeep_follow(&guard->upkeep, &fresh.maps, &fresh.instance, error);
	if (err) {
		live_close(&fresh);
		return err;
	}
	live_close(&guard->live);
	guard->live = fresh;
	guard->is_attached = true;
	forward_follow(guard->forward, &guard->live, &guard->dataplane->link);
	return 0;
}

static void say_attached(struct guard *guard)
{
	const struct instance *instance = &guard->live.instance;
	static const char *const routing[] = {"disabled", "native", "userspace"};

	say(guard, false, "%s: generation %u in force: %u rules, %s, routing %s (%s)",
	    guard->ifname, instance->config.generation, instance->rules,
	    hook_kind_name(guard->live.hooks[guard->live.ingress].kind),
	    routing[instance->config.routing], instance->routing_why);
}

static int text_in_force(const struct live *live, char **text, size_t *len, void *unused,
			 struct error *error)
{
	(void)unused;
	return live_policy_text(live, text, len, error);
}

/**
 * guard_apply() - Put a policy into force on the interface
 * @guard: the guard
 * @source: which one
 * @error: set on failure; what was in force stays
 *
 * Return: 0 or -errno.
 */
int guard_apply(struct guard *guard, enum source source, struct error *error)
{
	struct dataplane_request request = {
		.ifname = guard->ifname,
		.policy_path = guard->policy_path,
		.caller = DATAPLANE_RUN,
		.before = guard->live.maps.n ? &guard->live : NULL,
		.edit = source == FROM_FORCE ? text_in_force : NULL,
		.revert = source == FROM_BEFORE,
		.warn = guard->warn,
	};
	struct dataplane *fresh;
	int err;

	err = dataplane_apply(&request, &fresh, error);
	if (err)
		return err;
	dataplane_free(guard->dataplane);
	guard->dataplane = fresh;
	err = refresh(guard, error);
	if (!err)
		say_attached(guard);
	return err;
}

/* What is tried every second is told once. */
static void complain_once(struct guard *guard, const struct error *error)
{
	if (strcmp(guard->complaint, error->text))
		say(guard, true, "%s", error->text);
	snprintf(guard->complaint, sizeof(guard->complaint), "%s", error->text);
}

/* Addresses go before their interface does: that it has gone is told when the link says so. */
static bool is_told_by_link(enum source source, int err)
{
	return source == FROM_FORCE && err == -ENODEV;
}

static void apply_or_say(struct guard *guard, enum source source)
{
	struct error error;
	int err = guard_apply(guard, source, &error);

	if (!err || source == FROM_FILE)
		guard->complaint[0] = '\0';
	if (err && !is_told_by_link(source, err))
		complain_once(guard, &error);
}

/* The command that applied the policy does this itself, unless it was killed. */
static void follow_confirmation(struct guard *guard)
{
	struct error error;
	int err;

	if (!guard->is_attached || !confirm_is_due(&guard->live.maps))
		return;
	err = guard_apply(guard, FROM_BEFORE, &error);
	if (!err)
		say(guard, true, "%s: nobody confirmed the policy in time: back to %s",
		    guard->ifname,
		    guard->live.instance.policy_path[0] ? guard->live.instance.policy_path
							: "the default policy");
	else if (err != -EALREADY)
		say(guard, true, "%s", error.text);
}

/*
 * Whether the generation in force would be built differently by now.  To tell takes a look at the
 * whole policy, which is spared while nothing has changed that the answer depends on.
 */
static bool is_outdated(struct guard *guard, const struct link_info *link)
{
	struct basis basis = {
		.prog_id = guard->live.hooks[guard->live.ingress].prog_id,
		.mtu = link->mtu,
		.vnet_hdr = link->vnet_hdr,
	};
	struct error ignored;
	bool known = !mode_read_facts(&basis.facts, &ignored);

	if (known && basis.prog_id == guard->basis.prog_id && basis.mtu == guard->basis.mtu &&
	    basis.vnet_hdr == guard->basis.vnet_hdr &&
	    basis.facts.ip_forward4 == guard->basis.facts.ip_forward4 &&
	    basis.facts.ip_forward6 == guard->basis.facts.ip_forward6)
		return false;
	if (dataplane_is_outdated(&guard->live, link))
		return true;
	guard->basis = basis;
	return false;
}

/* The interface may be gone, back as another device, without our programs, or have a new MTU. */
static void follow_link(struct guard *guard)
{
	uint32_t generation = guard->live.instance.config.generation;
	bool was_attached = guard->is_attached;
	struct link_info link;
	struct error error;
	int err = netlink_link_by_name(guard->ifname, &link, &error);

	if (err == -ENODEV) {
		if (was_attached)
			say(guard, true, "%s: the interface is gone; waiting for it",
			    guard->ifname);
		forward_pause(guard->forward);
		guard->is_attached = false;
		return;
	}
	if (!err)
		err = link.ifindex == guard->dataplane->link.ifindex ? refresh(guard, &error)
								     : -ENOENT;
	if (err && err != -ENOENT && err != -ENODEV) {
		complain_once(guard, &error); /* not to be told now: what is in force stays so */
		return;
	}
	guard->is_attached = !err;
	if (!guard->is_attached) {
		if (was_attached)
			say(guard, true, "%s: not protected any more; attaching again",
			    guard->ifname);
		apply_or_say(guard, FROM_FORCE);
	} else if (is_outdated(guard, &link)) {
		apply_or_say(guard, FROM_FORCE);
	} else if (guard->live.instance.config.generation != generation) {
		say_attached(guard);
	}
}

static void follow_addresses(struct guard *guard)
{
	struct error error;

	if (!guard->is_attached)
		return;
	if (!generation_sync_addresses(&guard->live.maps, guard->dataplane->link.ifindex, &error)) {
		guard->addresses_behind = false;
	} else {
		if (!guard->addresses_behind)
			say(guard, true, "%s", error.text);
		guard->addresses_behind = true;
	}
	if (!guard->overlay_changed)
		return;
	guard->overlay_changed = false;
	if (config_has_forwarder(&guard->live.instance.config))
		apply_or_say(guard, FROM_FORCE); /* the overlay block names the prefixes */
}

static void on_swept(void *arg, const struct flow_view *view, enum removal_reason reason)
{
	const struct guard *guard = arg;

	flow_tell_swept(guard->dataplane->generation->event_fd, guard->dataplane->link.ifindex,
			view, reason);
}

/* After listeners and tracers that were killed. */
static void clear_up(struct guard *guard)
{
	struct error error;

	flow_listen_reap(&guard->live.maps, guard->ifname);
	if (trace_live_is_on(&guard->live.maps) &&
	    trace_live_recover(guard->ifname, guard->dataplane->link.ifindex, &error))
		say(guard, true, "%s", error.text);
}

/* Without pins the programs end with this process, so a bpffs that comes back is used again. */
static void follow_pins(struct guard *guard)
{
	struct error error;
	int err = repin(guard->ifname, guard->dataplane->link.ifindex, &error);

	if (err < 0 && !guard->unpinned)
		say(guard, true, "%s: not pinned, so its protection ends with this process: %s",
		    guard->ifname, error.text);
	if (err > 0)
		say(guard, false, "%s: pinned again", guard->ifname);
	guard->unpinned = err < 0;
}

static void on_forwarder(void *arg, bool is_error, const char *text)
{
	struct guard *guard = arg;

	say(guard, is_error, "%s: %s", guard->ifname, text);
}

/**
 * guard_init() - Prepare, with nothing in force yet
 * @guard: names the interface, the policy and who hears; the rest is zero.  It must stay where it is
 * @error: set on failure; guard_free() is to be called all the same
 *
 * Return: 0 or -errno.
 */
int guard_init(struct guard *guard, struct error *error)
{
	int err;

	map_set_init(&guard->live.maps);
	err = upkeep_init(&guard->upkeep, on_swept, guard, error);
	return err ? err : forward_new(on_forwarder, guard, &guard->forward, error);
}

/**
 * guard_reload() - Read the policy's file again, and put it into force
 * @guard: the guard
 */
void guard_reload(struct guard *guard)
{
	apply_or_say(guard, FROM_FILE);
}

/**
 * guard_note() - Take note of what netlink tells, for guard_follow()
 * @guard: the guard
 * @event: what has happened
 */
void guard_note(struct guard *guard, const struct netlink_event *event)
{
	switch (event->kind) {
	case NETLINK_ADDRESS_NEW:
	case NETLINK_ADDRESS_GONE:
		guard->addresses_changed = true;
		guard->overlay_changed |= event->ifindex == guard->dataplane->link.ifindex;
		break;
	case NETLINK_LINK_NEW:
	case NETLINK_LINK_GONE:
		guard->link_changed |= event->ifindex == guard->dataplane->link.ifindex ||
				       !strcmp(event->name, guard->ifname);
		break;
	case NETLINK_LOCAL_ROUTES:
		guard->addresses_changed = true;
		break;
	case NETLINK_RESYNC:
		guard->addresses_changed = guard->link_changed = guard->overlay_changed = true;
		break;
	}
}

/**
 * guard_follow() - Do what the events noted since the last time ask for
 * @guard: the guard
 */
void guard_follow(struct guard *guard)
{
	if (guard->link_changed)
		follow_link(guard);
	if (guard->addresses_changed)
		follow_addresses(guard);
	guard->addresses_changed = guard->link_changed = guard->overlay_changed = false;
}

/**
 * guard_check() - Look for what nobody tells, once a second
 * @guard: the guard
 */
void guard_check(struct guard *guard)
{
	forward_check(guard->forward);
	follow_link(guard);
	follow_confirmation(guard);
	if (!guard->is_attached)
		return;
	if (guard->addresses_behind)
		follow_addresses(guard);
	follow_pins(guard);
	clear_up(guard);
}

/**
 * guard_keep_up() - Do what is due about the connection tables
 * @guard: the guard
 */
void guard_keep_up(struct guard *guard)
{
	struct error error;

	if (upkeep_ready(&guard->upkeep, guard->is_attached, &error))
		say(guard, true, "%s", error.text);
}

/**
 * guard_look() - Look at the policy in force, as somebody says that it is a new one
 * @guard: the guard
 */
void guard_look(struct guard *guard)
{
	follow_link(guard);
}

/**
 * guard_leave() - End the forwarder, as the process is about to
 * @guard: the guard
 */
void guard_leave(struct guard *guard)
{
	forward_free(guard->forward);
	guard->forward = NULL;
}

/**
 * guard_free() - Release what a guard holds
 * @guard: the guard
 */
void guard_free(struct guard *guard)
{
	upkeep_free(&guard->upkeep);
	live_close(&guard->live);
	dataplane_free(guard->dataplane);
}
