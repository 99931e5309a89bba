/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "kernel/hooks.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/pkt_sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/map_set.h"

/* Linux 6.6; newer than the headers of Debian 12. */
#define TCX_INGRESS_TYPE ((enum bpf_attach_type)46)
#define TCX_EGRESS_TYPE	 ((enum bpf_attach_type)47)
#define TCX_BEFORE	 (1u << 3) /* BPF_F_BEFORE; without another program: the first one */
#define TCX_PROGS_MAX	 64

#define CLSACT_HANDLE	0x5348 /* "SH" */
#define CLSACT_PRIORITY 1
#define CLSACT_UPLINKS	64 /* filters of ours on an uplink, with the handles that follow */

/* How often hooks_query() looks again where programs are replaced while it looks. */
#define QUERY_ATTEMPTS 16

/**
 * hook_kind_name() - How a program is attached, in the words of status and its JSON
 */
const char *hook_kind_name(enum hook_kind kind)
{
	static const char *const names[] = {
		[HOOK_KIND_NONE] = "none",
		[HOOK_KIND_XDP_NATIVE] = "xdp-native",
		[HOOK_KIND_XDP_GENERIC] = "xdp-generic",
		[HOOK_KIND_TCX] = "tcx",
		[HOOK_KIND_CLSACT] = "clsact",
	};
	_Static_assert(sizeof(names) / sizeof(*names) == HOOK_KINDS, "each kind has a name");

	return names[kind];
}

/**
 * hook_point_name() - The hook point, in the words of status and of pins
 */
const char *hook_point_name(enum hook_point point)
{
	static const char *const names[] = {
		[HOOK_POINT_XDP] = "xdp",
		[HOOK_POINT_TC_INGRESS] = "ingress",
		[HOOK_POINT_TC_EGRESS] = "egress",
		[HOOK_POINT_UPLINK] = "uplink",
	};
	_Static_assert(sizeof(names) / sizeof(*names) == HOOK_POINTS + 1, "each has a name");

	return names[point];
}

static enum bpf_attach_type tcx_type(enum hook_point point)
{
	return point == HOOK_POINT_TC_EGRESS ? TCX_EGRESS_TYPE : TCX_INGRESS_TYPE;
}

/* The program of ours that belongs at a hook point. */
static const char *program_name(enum hook_point point)
{
	static const char *const names[] = {
		[HOOK_POINT_XDP] = "shrike_xdp",
		[HOOK_POINT_TC_INGRESS] = "shrike_ingress",
		[HOOK_POINT_TC_EGRESS] = "shrike_egress",
		[HOOK_POINT_UPLINK] = "shrike_uplink",
	};
	_Static_assert(sizeof(names) / sizeof(*names) == HOOK_POINTS + 1, "each has a program");

	return names[point];
}

/**
 * hook_program_id() - What the kernel calls a program that hooks may have, as struct hook_state
 * @prog_fd: the program; -1: none
 *
 * Return: its id, 0 for none.
 */
uint32_t hook_program_id(int prog_fd)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);

	return prog_fd < 0 || bpf_obj_get_info_by_fd(prog_fd, &info, &len) ? 0 : info.id;
}

/* Whether a program uses a map. */
static bool uses_map(int prog_fd, uint32_t map_id)
{
	uint32_t ids[MAP_SET_MAX];
	struct bpf_prog_info info = {.nr_map_ids = MAP_SET_MAX, .map_ids = (uintptr_t)ids};
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(prog_fd, &info, &len))
		return false;
	for (__u32 i = 0; i < info.nr_map_ids && i < MAP_SET_MAX; i++)
		if (ids[i] == map_id)
			return true;
	return false;
}

static bool is_of_uplink(const char *name)
{
	const char *ours = program_name(HOOK_POINT_UPLINK);

	return !strncmp(name, ours, strlen(ours));
}

/*
 * Note a program at a hook point as ours or foreign: 1 if it is ours, 0 if not, or -errno.  One
 * that may not be looked at is an error, or we would attach blind; so is one that has just gone
 * (-ENOENT), as another may have taken its place.  On uplinks ours are those with the map of
 * @state; those that share with ours, and programs that are not shrike's, do not matter.  Elsewhere
 * programs of uplinks do not.
 */
static int note_program(struct hook_state *state, enum hook_point point, uint32_t prog_id)
{
	int fd = bpf_prog_get_fd_by_id(prog_id);
	const char *name = program_name(point);
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);
	bool is_ours = false;
	int err = 0;

	if (fd < 0)
		return -errno;
	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		err = -errno;
	else if (point != HOOK_POINT_UPLINK)
		is_ours = !strcmp(info.name, name);
	else if (is_of_uplink(info.name))
		is_ours = uses_map(fd, state->map_id);
	if (!err && !is_ours &&
	    (is_of_uplink(info.name) != (point == HOOK_POINT_UPLINK) ||
	     (point == HOOK_POINT_UPLINK && uses_map(fd, state->shared_id))))
		prog_id = 0;
	close(fd);
	if (err || !prog_id)
		return err;
	if (is_ours) {
		state->prog_id = prog_id;
		return 1;
	}
	state->foreign_id = prog_id;
	memcpy(state->foreign_name, info.name, sizeof(state->foreign_name));
	return 0;
}

/* The link of an XDP program: links are only listed by number, so look at each. */
static uint32_t find_xdp_link(int ifindex, uint32_t prog_id)
{
	uint32_t id = 0, found = 0;

	while (!found && !bpf_link_get_next_id(id, &id)) {
		int fd = bpf_link_get_fd_by_id(id);
		struct bpf_link_info info = {};
		__u32 len = sizeof(info);

		if (fd < 0)
			continue;
		if (!bpf_obj_get_info_by_fd(fd, &info, &len) && info.type == BPF_LINK_TYPE_XDP &&
		    info.prog_id == prog_id && info.xdp.ifindex == (uint32_t)ifindex)
			found = id;
		close(fd);
	}
	return found;
}

/* What is attached to XDP. */
static int query_xdp(int ifindex, struct hook_state *state)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, opts);
	int err = bpf_xdp_query(ifindex, 0, &opts);
	const struct {
		uint32_t prog_id;
		enum hook_kind kind;
	} modes[] = {
		{opts.drv_prog_id, HOOK_KIND_XDP_NATIVE},
		{opts.skb_prog_id, HOOK_KIND_XDP_GENERIC},
		{opts.hw_prog_id, HOOK_KIND_NONE},
	};

	if (err)
		return err;
	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		int ours = modes[i].prog_id ? note_program(state, HOOK_POINT_XDP, modes[i].prog_id)
					    : 0;

		if (ours < 0)
			return ours;
		if (ours)
			state->kind = modes[i].kind;
	}
	if (state->prog_id)
		state->link_id = find_xdp_link(ifindex, state->prog_id);
	return 0;
}

/* The attributes of BPF_PROG_QUERY with those that Linux 6.6 added for TCX. */
struct prog_query {
	__u32 target_ifindex;
	__u32 attach_type;
	__u32 query_flags;
	__u32 attach_flags;
	__u64 prog_ids;
	__u32 count;
	__u32 pad;
	__u64 prog_attach_flags;
	__u64 link_ids;
	__u64 link_attach_flags;
	__u64 revision;
};

/* What is attached to a TC hook by TCX. */
static int query_tcx(int ifindex, enum hook_point point, struct hook_state *state)
{
	__u32 prog_ids[TCX_PROGS_MAX] = {}, link_ids[TCX_PROGS_MAX] = {};
	struct prog_query query = {
		.target_ifindex = ifindex,
		.attach_type = tcx_type(point),
		.prog_ids = (uintptr_t)prog_ids,
		.count = TCX_PROGS_MAX,
		.link_ids = (uintptr_t)link_ids,
	};

	if (syscall(SYS_bpf, BPF_PROG_QUERY, &query, sizeof(query)))
		return -errno;
	for (__u32 i = 0; i < query.count && i < TCX_PROGS_MAX; i++) {
		int ours = note_program(state, point, prog_ids[i]);

		if (ours < 0)
			return ours;
		if (ours) {
			state->kind = HOOK_KIND_TCX;
			state->link_id = link_ids[i];
		}
	}
	return 0;
}

/**
 * hooks_have_tcx() - Whether the kernel has TCX (Linux 6.6)
 *
 * Older ones do not know the attach type and answer EINVAL.
 */
bool hooks_have_tcx(void)
{
	struct hook_state state = {};

	return query_tcx(1, HOOK_POINT_TC_INGRESS, &state) != -EINVAL;
}

static void clsact_hook(struct bpf_tc_hook *hook, int ifindex, enum hook_point point)
{
	memset(hook, 0, sizeof(*hook));
	hook->sz = sizeof(*hook);
	hook->ifindex = ifindex;
	hook->attach_point = point == HOOK_POINT_TC_EGRESS ? BPF_TC_EGRESS : BPF_TC_INGRESS;
}

/* A filter of clsact, by its handle and priority: 1 if it is ours, 0 if not, or -errno. */
static int query_filter(int ifindex, enum hook_point point, uint32_t handle,
			struct hook_state *state)
{
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = handle, .priority = CLSACT_PRIORITY);
	struct bpf_tc_hook hook;
	int ours;

	clsact_hook(&hook, ifindex, point);
	if (bpf_tc_query(&hook, &opts)) {
		if (!state->handle)
			state->handle = handle;
		return 0;
	}
	ours = note_program(state, point, opts.prog_id);
	if (ours == 1) {
		state->kind = HOOK_KIND_CLSACT;
		state->handle = handle;
	}
	return ours;
}

/*
 * Our filter of clsact; the kernel need not have a clsact there.  An uplink may be a protected
 * interface as well, and serve several, so the filters there have handles of their own.
 */
static int query_clsact(int ifindex, enum hook_point point, struct hook_state *state)
{
	uint32_t n = point == HOOK_POINT_UPLINK ? CLSACT_UPLINKS : 1;
	uint32_t first = point == HOOK_POINT_UPLINK ? CLSACT_HANDLE + 1 : CLSACT_HANDLE;
	int ours = 0;

	for (uint32_t i = 0; i < n && !ours; i++)
		ours = query_filter(ifindex, point, first + i, state);
	return ours < 0 ? ours : 0;
}

/* Query all hook points once. */
static int query_all(int ifindex, struct hook_state states[HOOK_POINTS])
{
	int err;

	memset(states, 0, HOOK_POINTS * sizeof(*states));
	err = query_xdp(ifindex, &states[HOOK_POINT_XDP]);
	for (enum hook_point point = HOOK_POINT_TC_INGRESS; point < HOOK_POINTS && !err; point++) {
		err = query_tcx(ifindex, point, &states[point]);
		if (err == -EINVAL) /* no TCX before Linux 6.6 */
			err = 0;
		if (!err && !states[point].prog_id)
			err = query_clsact(ifindex, point, &states[point]);
	}
	return err;
}

/**
 * hooks_query() - What the kernel runs at the hook points of an interface
 * @ifindex: the interface
 * @states: is filled
 * @error: set on failure
 *
 * The kernel reports ids, and a program that is replaced takes its id along before it can be
 * opened; then the question is asked again.
 *
 * Return: 0; -ENODEV: there is no such interface (any more); or another -errno, never -ENOENT.
 */
int hooks_query(int ifindex, struct hook_state states[HOOK_POINTS], struct error *error)
{
	int err = -ENOENT;

	for (int attempt = 0; attempt < QUERY_ATTEMPTS && err == -ENOENT; attempt++)
		err = query_all(ifindex, states);
	if (err == -ENOENT)
		err = -EAGAIN;
	if (err)
		return error_set(error, -err, "cannot look at the programs of the interface: %s",
				 strerror(-err));
	return 0;
}

/**
 * hook_query_uplink() - What the kernel runs where our program of an uplink belongs
 * @ifindex: the uplink
 * @maps: by which programs of one interface know each other
 * @state: is filled
 * @error: set on failure
 *
 * Return: 0; -ENODEV: there is no such interface (any more); or another -errno.
 */
int hook_query_uplink(int ifindex, const struct hook_maps *maps, struct hook_state *state,
		      struct error *error)
{
	int err = -ENOENT;

	for (int attempt = 0; attempt < QUERY_ATTEMPTS && err == -ENOENT; attempt++) {
		*state = (struct hook_state){.map_id = maps->own_id, .shared_id = maps->shared_id};
		err = query_tcx(ifindex, HOOK_POINT_UPLINK, state);
		if (err == -EINVAL) /* no TCX before Linux 6.6 */
			err = query_clsact(ifindex, HOOK_POINT_UPLINK, state);
	}
	return err ? error_set(error, -err, "cannot look at the programs of the uplink: %s",
			       strerror(-err))
		   : 0;
}

/**
 * hook_check_free() - Refuse a hook point that somebody else's program has
 * @state: what hooks_query() said of it
 * @point: the hook point
 * @ifname: the interface, for the message
 * @error: which program, and what to do
 *
 * An XDP hook holds one program: several take a dispatcher, as libxdp's, which every one of them
 * would have to use.  Filters of somebody else in clsact are not seen, as they do not mind ours.
 *
 * Return: 0 or -EBUSY.
 */
int hook_check_free(const struct hook_state *state, enum hook_point point, const char *ifname,
		    struct error *error)
{
	if (!state->foreign_id || state->prog_id)
		return 0;
	return error_set(error, EBUSY,
			 "%s: another program (%s, id %u) is attached to %s%s; remove it first, or "
			 "choose the other hook with 'hook:' in the policy",
			 ifname, state->foreign_name[0] ? state->foreign_name : "unnamed",
			 state->foreign_id, hook_point_name(point),
			 point == HOOK_POINT_XDP ? ", which holds one program" : "");
}

/* Attach a program to a TC hook by clsact. */
static int attach_clsact(const struct hook_place *place, int prog_fd, __u32 flags,
			 struct error *error)
{
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = place->handle ? place->handle : CLSACT_HANDLE,
		    .priority = CLSACT_PRIORITY, .prog_fd = prog_fd, .flags = flags);
	enum hook_point point = place->point;
	struct bpf_tc_hook hook;
	int err;

	clsact_hook(&hook, place->ifindex, point);
	err = bpf_tc_hook_create(&hook);
	if (err && err != -EEXIST)
		return error_set(error, -err, "cannot create the clsact qdisc: %s", strerror(-err));
	err = bpf_tc_attach(&hook, &opts);
	if (err)
		return error_set(error, -err, "cannot attach to TC %s: %s", hook_point_name(point),
				 strerror(-err));
	return 0;
}

/**
 * hook_attach() - Put a program at a hook point that has none of ours
 * @place: the hook point, and how
 * @prog_fd: the program
 * @link_fd: set to the BPF link, which the caller owns; -1 with clsact, which needs none
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int hook_attach(const struct hook_place *place, int prog_fd, int *link_fd, struct error *error)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts);
	enum hook_point point = place->point;
	enum bpf_attach_type type = point == HOOK_POINT_XDP ? BPF_XDP : tcx_type(point);
	int fd;

	if (point == HOOK_POINT_UPLINK)
		opts.flags = TCX_BEFORE; /* what is not for us goes on to the others as it came */
	if (point == HOOK_POINT_XDP)
		opts.flags = place->xdp_generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE;
	if (point != HOOK_POINT_XDP && !hooks_have_tcx()) {
		*link_fd = -1;
		return attach_clsact(place, prog_fd, 0, error);
	}
	fd = bpf_link_create(prog_fd, place->ifindex, type, &opts);
	if (fd < 0)
		return error_set(error, -fd, "cannot attach to %s%s: %s",
				 point == HOOK_POINT_XDP ? "" : "TC ", hook_point_name(point),
				 strerror(-fd));
	*link_fd = fd;
	return 0;
}

/**
 * hook_open_link() - The BPF link at a hook point
 *
 * Return: a descriptor that the caller owns, or -errno; -ENOENT where there is no link.
 */
int hook_open_link(const struct hook_state *state)
{
	int fd;

	if (!state->link_id)
		return -ENOENT;
	fd = bpf_link_get_fd_by_id(state->link_id);
	return fd < 0 ? -errno : fd;
}

/**
 * hook_replace() - Put another program in the place of ours, without a packet in between
 * @ifindex: the interface
 * @point: the hook point
 * @state: what hooks_query() said of it
 * @prog_fd: the new program
 * @error: set on failure
 *
 * Return: 0 or -errno; on failure the old program stays.
 */
int hook_replace(int ifindex, enum hook_point point, const struct hook_state *state, int prog_fd,
		 struct error *error)
{
	const struct hook_place place = {
		.ifindex = ifindex,
		.point = point,
		.handle = state->handle,
	};
	int fd, err;

	if (state->kind == HOOK_KIND_CLSACT)
		return attach_clsact(&place, prog_fd, BPF_TC_F_REPLACE, error);
	fd = hook_open_link(state);
	if (fd < 0)
		return error_set(error, -fd, "cannot open the link at %s: %s",
				 hook_point_name(point), strerror(-fd));
	err = bpf_link_update(fd, prog_fd, NULL);
	close(fd);
	if (err)
		return error_set(error, -err, "cannot replace the program at %s: %s",
				 hook_point_name(point), strerror(-err));
	return 0;
}

/**
 * hook_detach() - Remove our program from a hook point
 * @ifindex: the interface
 * @point: the hook point
 * @state: what hooks_query() said of it
 * @error: set on failure
 *
 * A link is detached by force: whoever still holds it, in a pin or a descriptor, holds nothing.
 *
 * Return: 0, also where there is none of ours, or -errno.
 */
int hook_detach(int ifindex, enum hook_point point, const struct hook_state *state,
		struct error *error)
{
	int fd, err;

	if (state->kind == HOOK_KIND_NONE)
		return 0;
	if (state->kind == HOOK_KIND_CLSACT) {
		LIBBPF_OPTS(bpf_tc_opts, opts, .handle = state->handle,
			    .priority = CLSACT_PRIORITY);
		struct bpf_tc_hook hook;

		clsact_hook(&hook, ifindex, point);
		err = bpf_tc_detach(&hook, &opts);
	} else {
		fd = hook_open_link(state);
		if (fd < 0)
			return error_set(error, -fd, "cannot open the link at %s: %s",
					 hook_point_name(point), strerror(-fd));
		err = bpf_link_detach(fd);
		close(fd);
	}
	if (err)
		return error_set(error, -err, "cannot detach from %s: %s", hook_point_name(point),
				 strerror(-err));
	return 0;
}

/**
 * hooks_close() - Close what descriptors of each hook point there are
 * @fds: by enum hook_point; become -1
 */
void hooks_close(int fds[HOOK_POINTS])
{
	for (int i = 0; i < HOOK_POINTS; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
}
