/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "dataplane/detach.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "dataplane/attached.h"
#include "dataplane/masquerading.h"
#include "kernel/hooks.h"
#include "kernel/lock.h"
#include "kernel/netlink.h"
#include "kernel/pin_path.h"
#include "kernel/pins.h"
#include "maps.h"
#include "uplink/route_device.h"

/* The maps that masquerading_leave() needs, by their pins. */
static void open_pins(const char *ifname, struct map_set *maps)
{
	static const char *const names[] = {MAP_INSTANCE, MAP_CT_EPOCH, MAP_SNAT_IN4, MAP_SNAT_IN6};
	char dir[PATH_MAX], path[PATH_MAX];
	struct error ignored;

	if (path_pin_dir(ifname, dir, &ignored))
		return;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		int fd = -1;

		if (snprintf(path, sizeof(path), "%s/%s", dir, names[i]) < (int)sizeof(path))
			fd = bpf_obj_get(path);
		if (fd >= 0)
			map_set_add(maps, fd, &ignored);
	}
}

/*
 * While the maps can still be found: by the programs, or by their pins where the interface has gone.  Of
 * what another version left the links end with their pins.
 */
static void leave_uplinks(const struct link_info *link, const char *ifname)
{
	struct attached attached = {};
	struct error ignored;

	if (!link->ifindex || attached_open(link->ifindex, &attached, &ignored)) {
		map_set_init(&attached.maps);
		open_pins(ifname, &attached.maps);
	}
	if (map_set_find(&attached.maps, MAP_CT_EPOCH))
		masquerading_leave(&attached.maps, ifname, &ignored);
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
	bool exists = !netlink_link_by_name(ifname, &link, error);
	int err = 0;

	leave_uplinks(&link, ifname);
	if (exists) {
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
