/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "dataplane/confirm.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "dataplane/set_deadlines.h"
#include "kernel/lock.h"
#include "maps.h"

#define APPLY_SECONDS 60u /* more than compiling and loading a policy takes */

/**
 * confirm_now_ns() - The clock of deadlines: it goes on while the machine sleeps
 */
uint64_t confirm_now_ns(void)
{
	return clock_kernel_ns(CLOCK_BOOTTIME);
}

static const struct map_entry *find_map(const struct map_set *maps, struct error *error)
{
	const struct map_entry *map = map_set_find(maps, MAP_UNDO);

	if (map && map->value_size == sizeof(struct undo))
		return map;
	error_set(error, EPROTO, "the programs in force belong to another version of shrike");
	return NULL;
}

/**
 * confirm_read() - Whether a generation waits to be confirmed, and what returns otherwise
 * @maps: of the generation
 * @undo: is filled
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int confirm_read(const struct map_set *maps, struct undo *undo, struct error *error)
{
	const struct map_entry *map = find_map(maps, error);
	uint32_t zero = 0;

	if (!map)
		return -EPROTO;
	if (bpf_map_lookup_elem(map->fd, &zero, undo))
		return error_set(error, errno, "cannot read BPF map undo_v1: %s", strerror(errno));
	undo->policy_path[sizeof(undo->policy_path) - 1] = '\0';
	undo->environment[sizeof(undo->environment) - 1] = '\0';
	return 0;
}

/**
 * confirm_write() - Change what confirm_read() reads; under the lock
 */
int confirm_write(const struct map_set *maps, const struct undo *undo, struct error *error)
{
	const struct map_entry *map = find_map(maps, error);
	uint32_t zero = 0;

	if (!map)
		return -EPROTO;
	if (bpf_map_update_elem(map->fd, &zero, undo, BPF_ANY))
		return error_set(error, errno, "cannot fill BPF map undo_v1: %s", strerror(errno));
	return 0;
}

/**
 * confirm_plan() - Describe the policy in force as the one that is to return, with the time that is left
 *	to elements of its sets
 * @attached: the generation in force
 * @seconds: as for confirm_arm()
 * @undo: is filled; its deadline is a late one, until confirm_arm() is called
 * @text: set to its text; the caller frees it
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int confirm_plan(const struct attached *attached, uint32_t seconds, struct undo *undo, char **text,
		 struct error *error)
{
	size_t len;
	int err = set_deadlines_text(attached, text, &len, error);

	if (err)
		return err;
	*undo = (struct undo){
		.state = UNDO_PENDING,
		.deadline_ns = confirm_now_ns() + (seconds + APPLY_SECONDS) * NS_PER_S,
		.policy_len = len,
	};
	memcpy(undo->policy_path, attached->instance.policy_path, sizeof(undo->policy_path));
	memcpy(undo->environment, attached->instance.environment, sizeof(undo->environment));
	return 0;
}

/**
 * confirm_arm() - Start the time that there is to confirm; under the lock
 * @maps: of the generation that is now in force, built with what confirm_plan() made
 * @seconds: how long, 1 to CONFIRM_SECONDS_MAX
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int confirm_arm(const struct map_set *maps, uint32_t seconds, struct error *error)
{
	struct undo undo;
	int err = confirm_read(maps, &undo, error);

	if (err)
		return err;
	undo.deadline_ns = confirm_now_ns() + seconds * NS_PER_S;
	return confirm_write(maps, &undo, error);
}

/**
 * confirm_is_pending() - Whether a generation waits to be confirmed
 * @maps: of the generation
 */
bool confirm_is_pending(const struct map_set *maps)
{
	struct error ignored;
	struct undo undo;

	return !confirm_read(maps, &undo, &ignored) && undo.state == UNDO_PENDING;
}

/**
 * confirm_is_due() - Whether a generation has waited in vain and has to go
 * @maps: of the generation
 */
bool confirm_is_due(const struct map_set *maps)
{
	struct error ignored;
	struct undo undo;

	return !confirm_read(maps, &undo, &ignored) && undo.state == UNDO_PENDING &&
	       (int64_t)(confirm_now_ns() - undo.deadline_ns) >= 0;
}

/**
 * confirm_id() - What stays the same while one change waits, even if `run` renews the generation
 * @maps: of the generation
 *
 * Return: the kernel's id of undo_v1, 0 without one.
 */
uint32_t confirm_id(const struct map_set *maps)
{
	const struct map_entry *map = map_set_find(maps, MAP_UNDO);

	return map ? map->id : 0;
}

/* Confirm the policy in force, with the lock held. */
static int accept_live(const char *ifname, int ifindex, struct error *error)
{
	struct undo undo;
	struct attached attached;
	int err = attached_open(ifindex, &attached, error);

	if (err)
		return error_prefix(error, "%s", ifname);
	err = confirm_read(&attached.maps, &undo, error);
	if (!err && undo.state != UNDO_PENDING)
		err = error_set(error, EALREADY, "%s: no policy waits to be confirmed", ifname);
	if (!err && confirm_is_due(&attached.maps))
		err = error_set(error, ETIME, "%s: the time to confirm the policy is over", ifname);
	if (!err) {
		undo.state = UNDO_CONFIRMED;
		err = confirm_write(&attached.maps, &undo, error);
	}
	attached_close(&attached);
	return err;
}

/**
 * confirm_accept() - Let the policy in force stay
 * @ifname: of the interface
 * @ifindex: of the interface
 * @error: set on failure
 *
 * Return: 0; -EALREADY: none waits; -ETIME: too late; or another -errno.
 */
int confirm_accept(const char *ifname, int ifindex, struct error *error)
{
	int lock, err = lock_wait(LOCK_APPLY, ifname, &lock, error);

	if (err)
		return err;
	err = accept_live(ifname, ifindex, error);
	close(lock);
	return err;
}
