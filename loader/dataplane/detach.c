/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "dataplane/detach.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "dataplane/attached.h"
#include "dataplane/masquerading.h"
#include "kernel/hooks.h"
#include "kernel/lock.h"
#include "kernel/netlink.h"
#include "kernel/pin_path.h"
#include "kernel/pins.h"
#include "uplink/route_device.h"

/* While the maps can still be found; of what another version left the links end with their pins. */
static void leave_uplinks(const struct link_info *link)
{
	struct attached attached;
	struct error ignored;

	if (attached_open(link->ifindex, &attached, &ignored))
		return;
	masquerading_leave(&attached.maps, link->name, &ignored);
	attached_close(&attached);
}

/**
 * detach_locked() - As dataplane_detach(), for who holds the lock "apply" of the interface
 * @ifname: the interface; may be gone already
 * @force: also remove what another version left
 * @found: set where there is something to remove
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int detach_locked(const char *ifname, bool force, bool *found, struct error *error)
{
	struct hook_state hooks[HOOK_POINTS] = {};
	struct link_info link = {};
	char dir[PATH_MAX] = "";
	int err = 0;

	if (!netlink_link_by_name(ifname, &link, error)) {
		leave_uplinks(&link);
		err = hooks_query(link.ifindex, hooks, error);
		for (enum hook_point point = 0; point < HOOK_POINTS && !err; point++) {
			*found |= hooks[point].kind != HOOK_KIND_NONE;
			err = hook_detach(link.ifindex, point, &hooks[point], error);
		}
		if (err)
			return err;
	}
	if (!path_pin_dir(ifname, dir, error) && !access(dir, F_OK)) {
		*found = true;
		err = pins_clear(dir, force, error);
		if (!err)
			err = path_remove(ifname, error);
	}
	return err ? err : route_device_remove(ifname, error);
}

/**
 * dataplane_detach() - Take everything off an interface, connections and pins included
 * @ifname: the interface; may be gone already
 * @force: also remove what another version left
 * @found: set to whether there was something to remove; may be NULL
 * @error: set on failure
 *
 * Return: 0, also where there was nothing, or -errno.
 */
int dataplane_detach(const char *ifname, bool force, bool *found, struct error *error)
{
	int lock, err = path_check_name(ifname, error);
	bool any = false;

	if (!err)
		err = lock_wait(LOCK_APPLY, ifname, &lock, error);
	if (err)
		return err;
	err = detach_locked(ifname, force, &any, error);
	close(lock);
	if (found)
		*found = any;
	return err;
}
