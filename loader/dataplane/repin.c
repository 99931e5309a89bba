/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "dataplane/repin.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/attached.h"
#include "dataplane/masquerading.h"
#include "kernel/lock.h"
#include "kernel/pin_path.h"
#include "kernel/pins.h"

static bool is_pinned(const char *dir)
{
	char path[PATH_MAX + PINS_NAME_MAX];

	snprintf(path, sizeof(path), "%s/prog_ingress", dir);
	return !access(path, F_OK);
}

/* Pin by a descriptor that is only opened for it; -ENOENT where there is nothing to pin. */
static int pin(struct pins *pins, const char *name, int fd, struct error *error)
{
	int err;

	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return error_set(error, -fd, "cannot open what is pinned as %s: %s", name,
				 strerror(-fd));
	err = pins_set(pins, name, fd, error);
	close(fd);
	return err;
}

static int pin_program(struct pins *pins, const char *name, uint32_t id, struct error *error)
{
	int fd = bpf_prog_get_fd_by_id(id);

	return pin(pins, name, fd < 0 ? -errno : fd, error);
}

/* Pin links, programs and maps of the generation in force. */
static int pin_live(const struct attached *attached, const char *dir, struct error *error)
{
	struct pins pins;
	int err = 0;

	pins_begin(&pins, dir);
	for (enum hook_point point = 0; point < HOOK_POINTS && !err; point++) {
		char name[PINS_NAME_MAX];

		snprintf(name, sizeof(name), "link_%s", hook_point_name(point));
		err = pin(&pins, name, hook_open_link(&attached->hooks[point]), error);
	}
	if (!err && attached->instance.config.routing == ROUTING_NAT)
		err = masquerading_pin(&attached->maps, &pins, error);
	/* last of all what is_pinned() looks for */
	if (!err)
		err = pins_set_maps(&pins, &attached->maps, error);
	if (!err)
		err = pin_program(&pins, "prog_egress",
				  attached->hooks[HOOK_POINT_TC_EGRESS].prog_id, error);
	if (!err)
		err = pin_program(&pins, "prog_ingress", attached->hooks[attached->ingress].prog_id,
				  error);
	return err ? err : pins_end(&pins, error);
}

/**
 * repin() - Pin what is in force again, if it is not pinned any more
 * @ifname, @ifindex: the interface
 * @error: set on failure
 *
 * Mounts a bpffs where path_create() does.  While a policy is being applied nothing is done, as
 * that pins it anyway.
 *
 * Return: 0: pinned, or about to be; 1: pinned again; or -errno.
 */
int repin(const char *ifname, int ifindex, struct error *error)
{
	char dir[PATH_MAX];
	struct attached attached;
	int lock, err;

	if (path_pin_dir(ifname, dir, error) || is_pinned(dir) ||
	    lock_try(LOCK_APPLY, ifname, &lock, error))
		return 0;
	err = attached_open(ifindex, &attached, error);
	if (!err) {
		err = path_create(ifname, false, dir, error);
		if (!err)
			err = pin_live(&attached, dir, error);
		attached_close(&attached);
	}
	close(lock);
	return err ? err : 1;
}
