/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "daemon/guard.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/names.h"
#include "conntrack/events.h"
#include "conntrack/upkeep.h"
#include "daemon/guard_apply.h"
#include "dataplane/change.h"
#include "dataplane/confirm.h"
#include "dataplane/history_maps.h"
#include "dataplane/masquerading.h"
#include "dataplane/preview.h"
#include "dataplane/repin.h"
#include "dataplane/set_deadlines.h"
#include "forward/forward.h"
#include "kernel/bypassed.h"
#include "kernel/lock.h"
#include "kernel/pin_path.h"
#include "trace/live.h"

/* An interface loses its addresses before it goes: follow_link() logs that it has gone. */
static bool is_reported_by_link(enum apply_source source, int err)
{
	return source == POLICY_IN_FORCE && err == -ENODEV;
}

/* Put a policy into force; nobody waits for the error, so log it. */
static void apply_and_log(struct guard *guard, enum apply_source source)
{
	struct error error;
	int err = guard_apply(guard, source, &error);

	if (!err || source == POLICY_FROM_FILE)
		log_forget_error(&guard->log);
	if (guard->is_attached)
		log_failure(&guard->log, &guard->attached);
	if (err && !is_reported_by_link(source, err) &&
	    (source != POLICY_FROM_FILE || !guard->log.has_failed))
		log_once(&guard->log, &error);
}

/*
 * Return to the earlier policy when the time to confirm is over, if the command that applied is
 * gone.
 */
static void follow_confirmation(struct guard *guard)
{
	struct error error;
	int err;

	if (!guard->is_attached || !confirm_is_due(&guard->attached.maps))
		return;
	err = guard_apply(guard, POLICY_BEFORE_CONFIRM, &error);
	if (!err)
		log_line(&guard->log, LEVEL_WARNING,
			 "%s: nobody confirmed the policy in time: back to %s", guard->ifname,
			 guard->attached.instance.policy_path[0]
				 ? guard->attached.instance.policy_path
				 : "the default policy");
	else if (err != -EALREADY)
		log_line(&guard->log, LEVEL_ERROR, "%s", error.text);
}

/* Take elements out of sets when their time is over; where that fails, again in a second. */
static void follow_sets(struct guard *guard)
{
	struct error error;
	int err;

	if (!guard->is_attached || set_deadlines_now_ns() < guard->next_end_ns)
		return;
	err = guard_apply(guard, POLICY_WITHOUT_ENDED, &error);
	if (err && err != -ECANCELED)
		log_once(&guard->log, &error);
}

/*
 * Whether the generation in force would be built differently by now.  That takes a look at the
 * whole policy, which is spared while the inputs of the last answer are the same.
 */
static bool is_outdated(struct guard *guard, const struct link_info *link)
{
	struct rebuild_inputs inputs = {
		.prog_id = guard->attached.hooks[guard->attached.ingress].prog_id,
		.mtu = link->mtu,
		.vnet_hdr = link->vnet_hdr,
	};
	struct error ignored;
	bool known = !mode_read_facts(&inputs.facts, &ignored);

	if (known && inputs.prog_id == guard->built_from.prog_id &&
	    inputs.mtu == guard->built_from.mtu && inputs.vnet_hdr == guard->built_from.vnet_hdr &&
	    inputs.facts.ip_forward4 == guard->built_from.facts.ip_forward4 &&
	    inputs.facts.ip_forward6 == guard->built_from.facts.ip_forward6)
		return false;
	if (dataplane_is_outdated(&guard->attached, link))
		return true;
	guard->built_from = inputs;
	return false;
}

/* The interface may be gone, back as another device, without our programs, or have a new MTU. */
static void follow_link(struct guard *guard)
{
	bool was_attached = guard->is_attached;
	struct link_info link;
	struct error error;
	int err = netlink_link_by_name(guard->ifname, &link, &error);

	if (err == -ENODEV) {
		if (!guard->is_gone)
			log_line(&guard->log, LEVEL_WARNING,
				 "%s: the interface is gone; waiting for it", guard->ifname);
		guard->is_gone = true;
		forward_pause(guard->forward);
		guard->is_attached = false;
		return;
	}
	guard->is_gone &= err != 0;
	if (!err)
		err = link.ifindex == guard->dataplane->link.ifindex ? guard_refresh(guard, &error)
								     : -ENOENT;
	if (err && err != -ENOENT && err != -ENODEV) {
		log_once(&guard->log, &error); /* unknown for now: the policy in force stays */
		return;
	}
	guard->is_attached = !err;
	if (!guard->is_attached) {
		if (was_attached)
			log_line(&guard->log, LEVEL_WARNING,
				 "%s: not protected any more; attaching again", guard->ifname);
		apply_and_log(guard, POLICY_IN_FORCE);
	} else if (is_outdated(guard, &link)) {
		apply_and_log(guard, POLICY_IN_FORCE);
	} else {
		log_generation(&guard->log, &guard->attached);
		log_failure(&guard->log, &guard->attached);
		following_look(&guard->following, &guard->attached);
	}
}

/* Write the addresses of this host to the programs' tables. */
static void follow_addresses(struct guard *guard)
{
	struct error error;

	if (!guard->is_attached)
		return;
	if (!generation_sync_addresses(&guard->attached.maps, guard->dataplane->link.ifindex,
				       &error)) {
		guard->addresses_behind = false;
	} else {
		if (!guard->addresses_behind)
			log_line(&guard->log, LEVEL_ERROR, "%s", error.text);
		guard->addresses_behind = true;
	}
	if (!guard->overlay_changed)
		return;
	guard->overlay_changed = false;
	if (config_has_forwarder(&guard->attached.instance.config))
		apply_and_log(guard, POLICY_IN_FORCE); /* the overlay block names the prefixes */
}

/*
 * Whether the uplinks' programs are to be those of a generation that this process has not built, as
 * another one has applied the policy: then it is built for them.
 */
static bool lacks_programs(const struct guard *guard)
{
	const struct generation *own = guard->dataplane->generation;

	return !own ||
	       own->instance.config.generation != guard->attached.instance.config.generation;
}

/* The policy in force is looked at anew with the lock held, or uplinks might be taken that it left. */
static int sync_uplinks(struct guard *guard, struct error *error)
{
	bool is_nat, is_built;
	int lock, err = lock_try(LOCK_APPLY, guard->ifname, &lock, error);

	if (err)
		return err;
	err = guard_refresh(guard, error);
	is_nat = !err && guard->attached.instance.config.routing == ROUTING_NAT;
	is_built = is_nat && !lacks_programs(guard);
	if (is_built)
		err = masquerading_follow(guard->dataplane, error);
	close(lock);
	return err || !is_nat || is_built ? err : guard_apply(guard, POLICY_IN_FORCE, error);
}

/* Have the uplinks that there are now, with `routing: nat`; where that fails, again in a second. */
static void follow_uplinks(struct guard *guard)
{
	bool was_behind = guard->uplinks_behind;
	struct error error;
	int err;

	guard->uplinks_behind = false;
	if (!guard->is_attached || guard->attached.instance.config.routing != ROUTING_NAT)
		return;
	err = sync_uplinks(guard, &error);
	if (err && err != -EADDRINUSE && err != -ENOENT && !was_behind)
		log_line(&guard->log, LEVEL_ERROR, "%s: %s", guard->ifname, error.text);
	guard->uplinks_behind = err && err != -ENOENT;
}

static void on_swept(void *arg, const struct flow_view *view, enum removal_reason reason)
{
	const struct guard *guard = arg;

	flow_event_report(guard->dataplane->generation->event_fd, guard->dataplane->link.ifindex,
			  view, reason);
}

/* Clear up after listeners and tracers that were killed. */
static void clear_up(struct guard *guard)
{
	struct error error;

	flow_events_reap(&guard->attached.maps, guard->ifname);
	if (trace_live_is_on(&guard->attached.maps) &&
	    trace_live_recover(guard->ifname, guard->dataplane->link.ifindex, &error))
		log_line(&guard->log, LEVEL_ERROR, "%s", error.text);
}

/* Without pins the programs end with this process, so a bpffs that comes back is used again. */
static void follow_pins(struct guard *guard)
{
	struct error error;
	int err = repin(guard->ifname, guard->dataplane->link.ifindex, &error);

	if (err < 0 && !guard->unpinned)
		log_line(&guard->log, LEVEL_WARNING,
			 "%s: not pinned, so its protection ends with this process: %s",
			 guard->ifname, error.text);
	else if (!err && path_is_fleeting() && !guard->unpinned)
		log_line(&guard->log, LEVEL_WARNING,
			 "%s: pinned in a bpffs that ends with this mount namespace, and the "
			 "protection with it if this process is killed",
			 guard->ifname);
	if (err > 0)
		log_line(&guard->log, LEVEL_INFO, "%s: pinned again", guard->ifname);
	guard->unpinned = err < 0 || path_is_fleeting();
}

/* IPsec policies that came after the policy in force: who wants them applied has to change that. */
static void follow_ipsec(struct guard *guard)
{
	bool was_bypassed = guard->ipsec_bypassed;
	struct error ignored;
	char names[512] = "";

	if (guard->attached.instance.config.routing == ROUTING_NAT &&
	    bypassed_list(BYPASSED_POLICIES, names, sizeof(names), &ignored))
		return;
	guard->ipsec_bypassed = names[0];
	if (guard->ipsec_bypassed && !was_bypassed)
		log_line(&guard->log, LEVEL_WARNING,
			 "%s: there are IPsec policies (to %s) now, and routing: nat sends past "
			 "them, in clear text: use routing: userspace or native",
			 guard->ifname, names);
	if (!guard->ipsec_bypassed && was_bypassed)
		log_line(&guard->log, LEVEL_INFO, "%s: no IPsec policy is bypassed any more",
			 guard->ifname);
}

static void on_forwarder(void *arg, bool is_error, const char *text)
{
	struct guard *guard = arg;

	log_line(&guard->log, is_error ? LEVEL_ERROR : LEVEL_INFO, "%s: %s", guard->ifname, text);
}

/* Note in the history that a map of NetBird's is in force. */
static void note_map(struct guard *guard, uint64_t serial, uint64_t digest)
{
	struct history_map map = {
		.time_ns = clock_ns(CLOCK_REALTIME),
		.serial = serial,
		.digest = digest,
		.generation = guard->attached.instance.config.generation,
		.rules_added = CHANGE_NO_COUNT,
		.rules_removed = CHANGE_NO_COUNT,
		.cut = CHANGE_NO_COUNT,
	};
	struct change change;
	struct error error;

	if (!change_read(&guard->attached.maps, &change) && change.state == CHANGE_COUNTED) {
		map.rules_added = change.rules_added;
		map.rules_removed = change.rules_removed;
		map.cut = change.cut;
	}
	if (history_note_map(guard->ifname, &map, &error))
		log_line(&guard->log, LEVEL_WARNING,
			 "%s: NetBird's map is in force, but not in the history: %s", guard->ifname,
			 error.text);
}

/*
 * NetBird's daemon has another map.  Where the interface is gone, its part of the policy waits for
 * it, as all of the policy does.
 */
static int on_map(void *arg, uint64_t serial, const char *text, size_t len, struct error *error)
{
	struct following *following = &((struct guard *)arg)->following;
	struct part_text before = following->part;
	struct guard *guard = arg;
	int err;

	if (following_is_known(following, text, len))
		return 0;
	following->part = (struct part_text){};
	err = following_take(following, text, len, error);
	if (!err)
		err = guard_apply(guard, POLICY_WITH_MAP, error);
	if (err && err != -ENODEV) {
		free(following->part.text);
		following->part = before;
		return err;
	}
	free(before.text);
	if (!err)
		note_map(guard, serial, digest_number(text, len));
	log_line(&guard->log, LEVEL_INFO, "%s: NetBird's map of serial %llu %s", guard->ifname,
		 (unsigned long long)serial, err ? "waits for the interface" : "is in force");
	return 0;
}

static void on_address(void *arg, const struct dns_sighting *sighting)
{
	domains_see(((struct guard *)arg)->following.domains, sighting);
}

static void on_domains(void *arg, const char *text)
{
	struct guard *guard = arg;

	log_line(&guard->log, LEVEL_WARNING, "%s: %s", guard->ifname, text);
}

/* Log what keeps maps away, once, and when they come again. */
static void on_status(void *arg, const struct follow_status *status)
{
	struct guard *guard = arg;

	following_publish(&guard->following, status);
	if (!strcmp(guard->last_why, status->why))
		return;
	snprintf(guard->last_why, sizeof(guard->last_why), "%s", status->why);
	if (status->why[0])
		log_line(&guard->log, LEVEL_WARNING, "%s: NetBird: %s; the policy in force stays",
			 guard->ifname, status->why);
	else
		log_line(&guard->log, LEVEL_INFO, "%s: NetBird's daemon is followed again",
			 guard->ifname);
}

/**
 * guard_init() - Prepare, with nothing in force yet
 * @guard: with interface, policy and callbacks set, the rest zero; it must not be moved later
 * @error: set on failure; guard_free() is to be called all the same
 *
 * Return: 0 or -errno.
 */
int guard_init(struct guard *guard, struct error *error)
{
	const struct follow_user user = {
		.ifname = guard->ifname,
		.on_map = on_map,
		.on_address = on_address,
		.on_line = on_domains,
		.on_change = on_status,
		.arg = guard,
	};
	int err;

	map_set_init(&guard->attached.maps);
	err = following_init(&guard->following, &user, &guard->options, error);
	if (!err)
		err = upkeep_init(&guard->upkeep, on_swept, guard, error);
	return err ? err : forward_new(on_forwarder, guard, &guard->forward, error);
}

/**
 * guard_reload() - Read the policy's file again, and put it into force
 * @guard: the guard
 * @cause: why
 * @uid: who asks
 */
void guard_reload(struct guard *guard, const char *cause, uint32_t uid)
{
	guard->cause = cause;
	guard->uid = uid;
	apply_and_log(guard, POLICY_FROM_FILE);
	guard->cause = NULL;
}

/**
 * guard_note() - Note an event of netlink, for guard_follow()
 * @guard: the guard
 * @event: what has happened
 */
void guard_note(struct guard *guard, const struct netlink_event *event)
{
	if (!guard->dataplane)
		return; /* nothing is in force that would have to follow */
	switch (event->kind) {
	case NETLINK_ADDRESS_NEW:
	case NETLINK_ADDRESS_GONE:
		guard->addresses_changed = true;
		guard->overlay_changed |= event->ifindex == guard->dataplane->link.ifindex;
		break;
	case NETLINK_LINK_NEW:
	case NETLINK_LINK_GONE:
		guard->routes_changed = true; /* it may be an uplink */
		guard->link_changed |= event->ifindex == guard->dataplane->link.ifindex ||
				       !strcmp(event->name, guard->ifname);
		break;
	case NETLINK_LOCAL_ROUTES:
		guard->addresses_changed = true;
		break;
	case NETLINK_ROUTES:
		guard->routes_changed = true;
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
	if (guard->addresses_changed || guard->routes_changed)
		follow_uplinks(guard);
	guard->addresses_changed = guard->link_changed = guard->overlay_changed = false;
	guard->routes_changed = false;
}

/**
 * guard_check() - Look for changes that no event reports, once a second
 * @guard: the guard
 */
void guard_check(struct guard *guard)
{
	bool sets_changed = following_check(&guard->following, &guard->attached);

	forward_check(guard->forward);
	follow_link(guard);
	follow_confirmation(guard);
	follow_sets(guard);
	if (!guard->is_attached)
		return;
	if (sets_changed)
		apply_and_log(guard, POLICY_IN_FORCE);
	following_listen(&guard->following, guard->dataplane->link.ifindex);
	if (guard->addresses_behind)
		follow_addresses(guard);
	if (guard->uplinks_behind)
		follow_uplinks(guard);
	follow_pins(guard);
	follow_ipsec(guard);
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
		log_line(&guard->log, LEVEL_ERROR, "%s", error.text);
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
 * guard_state() - What is in force
 * @attached: set to it; NULL: nothing
 *
 * Return: whether the interface is there.
 */
bool guard_state(const struct guard *guard, const struct attached **attached)
{
	*attached = guard->is_attached ? &guard->attached : NULL;
	return guard->dataplane && !guard->is_gone;
}

/**
 * guard_netbird_fd() - Readable when guard_netbird_ready() has something to do
 */
int guard_netbird_fd(const struct guard *guard)
{
	return guard->following.epoll_fd;
}

/**
 * guard_netbird_ready() - Do what NetBird's daemon gives to do
 * @guard: the guard
 */
void guard_netbird_ready(struct guard *guard)
{
	if (following_ready(&guard->following, &guard->attached))
		apply_and_log(guard, POLICY_IN_FORCE);
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
	following_free(&guard->following);
	upkeep_free(&guard->upkeep);
	attached_close(&guard->attached);
	dataplane_free(guard->dataplane);
	reserved_ports_release(&guard->reserved);
}
