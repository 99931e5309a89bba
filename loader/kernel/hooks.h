/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The hooks of an interface: what the kernel runs there, and putting programs of ours there.
 *
 * An uplink has one hook point, which is not among those of a protected interface: the programs there
 * are those of the interface whose flows it carries.
 *
 * Everything is asked of the kernel by ifindex in the caller's network namespace; neither pins
 * nor /sys/class/net are needed to know what is attached.
 */
#ifndef SHRIKE_KERNEL_HOOKS_H
#define SHRIKE_KERNEL_HOOKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "config.h"

enum hook_point {
	HOOK_POINT_XDP,
	HOOK_POINT_TC_INGRESS,
	HOOK_POINT_TC_EGRESS,
	HOOK_POINTS,
	HOOK_POINT_UPLINK = HOOK_POINTS, /* TC ingress of an uplink, before all others */
};

enum hook_kind {
	HOOK_KIND_NONE,
	HOOK_KIND_XDP_NATIVE, /* a BPF link in driver mode */
	HOOK_KIND_XDP_GENERIC,
	HOOK_KIND_TCX,	  /* a BPF link, from Linux 6.6 */
	HOOK_KIND_CLSACT, /* a filter of the clsact qdisc: lives without a link or a pin */
	HOOK_KINDS,
};

/* What is at a hook point. */
struct hook_state {
	enum hook_kind kind;
	uint32_t prog_id;    /* of ours, 0: none */
	uint32_t link_id;    /* of ours; 0 with clsact */
	uint32_t foreign_id; /* a program of somebody else, 0: none; uplinks: of another shrike that
			      * does not share */
	uint32_t map_id;     /* uplinks: who asks; a map of the programs that are ours */
	uint32_t shared_id;  /* uplinks: a map of all programs that can be there with ours */
	uint32_t handle;     /* clsact: of our filter, or one that nobody has */
	char foreign_name[16];
};

uint32_t hook_program_id(int prog_fd);
const char *hook_kind_name(enum hook_kind kind);
const char *hook_point_name(enum hook_point point);
/*
 * struct hook_place - where to attach a program
 * @ifindex: the interface
 * @xdp_generic: attach XDP in generic mode
 * @handle: of an uplink with clsact, as struct hook_state
 */
struct hook_place {
	int ifindex;
	uint32_t handle;
	enum hook_point point;
	bool xdp_generic;
};

/*
 * struct hook_maps - how the programs of one interface on uplinks know each other
 * @own_id: a map that only they have
 * @shared_id: one that those of all interfaces have which can share an uplink; 0: does not matter
 */
struct hook_maps {
	uint32_t own_id;
	uint32_t shared_id;
};

bool hooks_have_tcx(void);
int hooks_query(int ifindex, struct hook_state states[HOOK_POINTS], struct error *error);
int hook_query_uplink(int ifindex, const struct hook_maps *maps, struct hook_state *state,
		      struct error *error);
int hook_check_free(const struct hook_state *state, enum hook_point point, const char *ifname,
		    struct error *error);
int hook_attach(const struct hook_place *place, int prog_fd, int *link_fd, struct error *error);
int hook_replace(int ifindex, enum hook_point point, const struct hook_state *state, int prog_fd,
		 struct error *error);
int hook_detach(int ifindex, enum hook_point point, const struct hook_state *state,
		struct error *error);
int hook_open_link(const struct hook_state *state);
void hooks_close(int fds[HOOK_POINTS]);

#endif /* SHRIKE_KERNEL_HOOKS_H */
