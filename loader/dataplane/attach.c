/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "dataplane/attach.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "dataplane/masquerading.h"
#include "kernel/pin_path.h"

static enum hook_point ingress_point(const struct mode *mode)
{
	return mode->hook == HOOK_XDP ? HOOK_POINT_XDP : HOOK_POINT_TC_INGRESS;
}

/* Attach a program to a hook point, or replace ours that is there. */
static int attach_or_replace(struct attachment *a, enum hook_point point, int prog_fd,
			     struct error *error)
{
	const struct hook_state *state = &a->hooks[point];
	int err = hook_check_free(state, point, a->to->link.name, error);

	if (err)
		return err;
	if (!state->prog_id) {
		const struct hook_place place = {
			.ifindex = a->to->link.ifindex,
			.point = point,
			.xdp_generic = a->mode->xdp_generic,
		};

		err = hook_attach(&place, prog_fd, &a->to->link_fds[point], error);
		a->is_attached[point] = !err;
		return err;
	}
	/* for undo_attach(): nothing else may hold the program once it is replaced */
	a->replaced_fds[point] = bpf_prog_get_fd_by_id(state->prog_id);
	if (a->replaced_fds[point] < 0)
		return error_set(error, errno, "cannot open program %u: %s", state->prog_id,
				 strerror(errno));
	err = hook_replace(a->to->link.ifindex, point, state, prog_fd, error);
	if (err)
		return err;
	a->is_attached[point] = true;
	a->to->link_fds[point] = hook_open_link(state);
	return 0;
}

/* Undo attach_or_replace(). */
static void undo_attach(struct attachment *a, enum hook_point point)
{
	struct hook_state now[HOOK_POINTS];
	int ifindex = a->to->link.ifindex;
	struct error ignored;

	if (!a->is_attached[point])
		return;
	a->is_attached[point] = false;
	if (a->hooks[point].prog_id)
		hook_replace(ifindex, point, &a->hooks[point], a->replaced_fds[point], &ignored);
	else if (!hooks_query(ifindex, now, &ignored))
		hook_detach(ifindex, point, &now[point], &ignored);
}

/* Detach from the other ingress hook, after the mode has changed from one to the other. */
static int leave_other_ingress(struct attachment *a, struct error *error)
{
	enum hook_point other = a->mode->hook == HOOK_XDP ? HOOK_POINT_TC_INGRESS : HOOK_POINT_XDP;

	return hook_detach(a->to->link.ifindex, other, &a->hooks[other], error);
}

/* Pin the links that this process holds. */
static int pin_links(struct attachment *a, struct error *error)
{
	int err = 0;

	pins_begin(&a->pins, a->to->dir);
	for (enum hook_point point = 0; point < HOOK_POINTS && !err; point++) {
		char name[PINS_NAME_MAX];

		if (a->to->link_fds[point] < 0)
			continue;
		snprintf(name, sizeof(name), "link_%s", hook_point_name(point));
		err = pins_set(&a->pins, name, a->to->link_fds[point], error);
	}
	return err;
}

/**
 * attachment_open_pins() - Make the directory of the pins, before anything is changed
 * @a: the attachment
 * @error: set on failure
 *
 * A link that is new needs a pin where nobody stays to hold it: after `attach`, and after `policy
 * apply` that changes the hook, whatever holds the old link.
 *
 * Return: 0, also where there is no bpffs and no need of one; or -errno.
 */
int attachment_open_pins(struct attachment *a, struct error *error)
{
	const struct hook_state *hooks = a->hooks;
	bool is_new = !hooks[HOOK_POINT_TC_EGRESS].prog_id ||
		      !hooks[ingress_point(a->mode)].prog_id;
	bool must = a->caller == DATAPLANE_ATTACH || (a->caller == DATAPLANE_APPLY && is_new);
	int err = path_create(a->to->link.name, must, a->to->dir, error);

	if (!err)
		return 0;
	a->to->dir[0] = '\0';
	if (!must)
		return 0;
	return a->caller == DATAPLANE_ATTACH
		       ? err
		       : error_prefix(error, "%s: the hook changes, and its link is to be pinned",
				      a->to->link.name);
}

/**
 * attachment_attach() - Attach the generation's programs to their hooks
 * @a: the attachment, after attachment_open_pins()
 * @error: set on failure; the programs that were attached before are attached again
 *
 * The other ingress hook is detached last: until then the new link is pinned, or held by the
 * caller.
 *
 * Return: 0 or -errno.
 */
int attachment_attach(struct attachment *a, struct error *error)
{
	struct generation *generation = a->to->generation;
	enum hook_point ingress = ingress_point(a->mode);
	int err;

	err = attach_or_replace(a, HOOK_POINT_TC_EGRESS, generation->egress_fd, error);
	if (!err)
		err = attach_or_replace(a, ingress, generation->ingress_fd, error);
	if (!err && a->to->dir[0])
		err = pin_links(a, error);
	if (!err)
		err = leave_other_ingress(a, error);
	if (err) {
		hooks_close(
			a->to->link_fds); /* to undo takes a descriptor, and these may be the last */
		undo_attach(a, ingress);
		undo_attach(a, HOOK_POINT_TC_EGRESS);
		hooks_close(a->replaced_fds);
	}
	return err;
}

/**
 * attachment_pin() - Pin programs and maps
 * @a: the attachment, after attachment_attach()
 * @error: set on failure
 *
 * These pins are for inspection only: the links, pinned already, keep programs and maps.
 *
 * Return: 0 or -errno.
 */
int attachment_pin(struct attachment *a, struct error *error)
{
	struct generation *generation = a->to->generation;
	int err;

	if (!a->to->dir[0])
		return 0; /* run holds the links itself */
	err = pins_set(&a->pins, "prog_ingress", generation->ingress_fd, error);
	if (!err)
		err = pins_set(&a->pins, "prog_egress", generation->egress_fd, error);
	if (!err)
		err = pins_set_maps(&a->pins, &generation->maps, error);
	if (!err && generation->instance.config.routing == ROUTING_NAT)
		err = masquerading_pin(&generation->maps, &a->pins, error);
	if (!err)
		err = pins_end(&a->pins, error);
	return err;
}

/**
 * attachment_init() - Prepare to attach
 * @a: to fill; the caller sets what to attach
 */
void attachment_init(struct attachment *a)
{
	memset(a, 0, sizeof(*a));
	memset(a->replaced_fds, -1, sizeof(a->replaced_fds));
}

/**
 * attachment_end() - Close the programs that were replaced
 * @a: the attachment
 */
void attachment_end(struct attachment *a)
{
	hooks_close(a->replaced_fds);
}
