/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "dataplane/apply.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "dataplane/confirm.h"
#include "dataplane/generation_build.h"
#include "dataplane/generation_rules.h"
#include "dataplane/generation_state.h"
#include "dataplane/local_addresses.h"
#include "kernel/lock.h"
#include "kernel/pin_path.h"
#include "kernel/pins.h"
#include "policy/parse.h"

#define SNAP_LEN 256

/* What one application of a policy knows on its way. */
struct application {
	const struct dataplane_request *request;
	struct dataplane *to;
	struct environment environment;
	char environment_text[512];
	struct mode_facts facts;
	struct mode mode;
	struct live live;	  /* the generation in force before, or whose state is taken over */
	bool has_previous;	  /* @live is one of the two */
	bool is_clone;		  /* only to be asked: nothing in force is changed */
	bool is_put[HOOK_POINTS]; /* the new programs are there */
	int before_fds[HOOK_POINTS]; /* those whose place they took, -1: none */
	struct undo undo; /* what returns without confirmation; what comes back with @revert */
	char *undo_text;
	struct pins pins;
	struct prefix *overlay;
	size_t n_overlay;
};

/* A variable of this process, or the one that the generation in force was built with. */
static const char *find_variable(const struct application *a, const char *name, char *value,
				 size_t size)
{
	const char *own = getenv(name), *line = a->live.instance.environment;
	size_t len = strlen(name);

	if (a->request->revert) {
		own = NULL;
		line = a->undo.environment;
	} else if (own || !a->has_previous || a->request->caller != DATAPLANE_APPLY) {
		return own;
	}
	for (; *line; line += strcspn(line, "\n") + 1)
		if (!strncmp(line, name, len) && line[len] == '=') {
			line += len + 1;
			snprintf(value, size, "%.*s", (int)strcspn(line, "\n"), line);
			return value;
		}
	return NULL;
}

/* Get a variable and note it for later commands. */
static const char *get_variable(const char *name, void *arg)
{
	static char value[128];
	struct application *a = arg;
	const char *found = find_variable(a, name, value, sizeof(value));
	size_t len = strlen(a->environment_text);

	if (found && !strchr(found, '\n'))
		snprintf(a->environment_text + len, sizeof(a->environment_text) - len, "%s=%s\n",
			 name, found);
	return found;
}

/* The policy that was in force before the one that waits to be confirmed. */
static int load_undo(struct application *a, struct error *error)
{
	const struct map_set *maps = &a->live.maps;
	const char *path = a->undo.policy_path;
	int err;

	err = confirm_read(maps, &a->undo, error);
	if (err)
		return err;
	if (a->undo.state != UNDO_PENDING ||
	    (a->request->revert_id && a->request->revert_id != confirm_id(maps)))
		return error_set(error, EALREADY, "%s: no policy waits to be confirmed",
				 a->request->ifname);
	err = live_read_text(maps, "undo_text_v1", a->undo.policy_len, &a->undo_text, error);
	return err ? err
		   : policy_parse(path[0] ? path : NULL, a->undo_text, a->undo.policy_len,
				  &a->to->policy, error);
}

static int load_edited(struct application *a, struct error *error)
{
	const char *path = a->live.instance.policy_path;
	char *text = NULL;
	size_t len;
	int err;

	err = a->request->edit(&a->live, &text, &len, a->request->edit_arg, error);
	if (!err)
		err = policy_parse(path[0] ? path : NULL, text, len, &a->to->policy, error);
	free(text);
	return err;
}

/* What depends on the generation in force: policies made from it, and whether it may be changed. */
static int load_from_live(struct application *a, struct error *error)
{
	const struct dataplane_request *request = a->request;
	int err = 0;

	if (request->revert)
		return load_undo(a, error);
	if (a->has_previous && request->caller != DATAPLANE_RUN &&
	    confirm_is_pending(&a->live.maps))
		return error_set(
			error, EBUSY,
			"%s: the policy in force waits to be confirmed: let 'shrike policy "
			"confirm %s' come first, or the end of its time",
			request->ifname, request->ifname);
	if (request->edit)
		err = load_edited(a, error);
	if (!err && request->confirm_s)
		err = confirm_plan(&a->live, request->confirm_s, &a->undo, &a->undo_text, error);
	return err;
}

static int load_policy(const struct dataplane_request *request, struct policy **policy,
		       struct error *error)
{
	if (request->policy_text)
		return policy_parse(request->policy_path, request->policy_text, request->policy_len,
				    policy, error);
	if (request->policy_path) {
		int err = policy_load(request->policy_path, policy, error);

		if (err && err != -ENOMEM)
			error->invalid_input = true;
		return err;
	}
	*policy = policy_default();
	return *policy ? 0 : error_set(error, ENOMEM, "out of memory");
}

/* NetBird's variables win over the policy file. */
static void add_environment(struct application *a)
{
	environment_read(&a->environment, get_variable, a, a->request->warn, a->request->warn_arg);
	environment_apply(&a->environment, a->to->policy);
}

static int decide_mode(struct application *a, bool native_xdp, struct error *error)
{
	int err = mode_read_facts(&a->facts, error);

	if (err)
		return err;
	a->facts.native_xdp = native_xdp;
	a->facts.tcx = hooks_have_tcx();
	a->facts.l2_len = a->to->link.l2_len;
	err = mode_decide(a->to->policy, &a->environment, &a->facts, &a->mode, a->request->warn,
			  a->request->warn_arg, error);
	if (err)
		return err;
	if (a->request->caller == DATAPLANE_ATTACH && a->mode.routing == ROUTING_USERSPACE)
		return error_set(error, EOPNOTSUPP,
				 "%s: userspace routing (%s) needs a process that stays: use "
				 "'shrike run %s', or set routing: native or disabled",
				 a->to->link.name, a->mode.routing_why, a->to->link.name);
	return 0;
}

static bool has_forwarder(const struct application *a)
{
	const struct policy_mode *mode = &a->to->policy->mode;
	struct config config = {
		.routing = a->mode.routing,
		.netstack = mode->netstack,
		.local_forwarding = mode->local_forwarding,
	};

	return config_has_forwarder(&config);
}

/* An IP packet is not larger, whatever a WireGuard device says. */
static uint16_t mtu_of(const struct link_info *link)
{
	return link->mtu > UINT16_MAX ? UINT16_MAX : link->mtu;
}

static int build(struct application *a, struct error *error)
{
	struct generation_spec spec = {
		.policy = a->to->policy,
		.mode = &a->mode,
		.previous = a->has_previous ? &a->live.maps : NULL,
		.instance_previous = a->has_previous ? &a->live.instance : NULL,
		.environment_text = a->environment_text,
		.undo = a->request->confirm_s ? &a->undo : NULL,
		.undo_text = a->undo_text,
		.ifindex = a->to->link.ifindex,
		.snap_len = a->is_clone ? 0 : SNAP_LEN,
		.mtu = mtu_of(&a->to->link),
		.l2_len = a->to->link.l2_len,
		.dry_run = a->is_clone,
		.trace = a->is_clone,
		.own_addresses = a->is_clone,
	};
	int err;

	/* what waits, waits on while run follows the link or reads its file again */
	spec.keep_undo = a->has_previous && !a->request->revert &&
			 a->request->caller == DATAPLANE_RUN && confirm_is_pending(&a->live.maps);
	free(a->overlay);
	a->overlay = NULL;
	a->n_overlay = 0;
	if (has_forwarder(a)) {
		err = addresses_overlay_prefixes(spec.ifindex, &a->overlay, &a->n_overlay, error);
		if (err)
			return err;
		spec.overlay = a->overlay;
		spec.n_overlay = a->n_overlay;
	}
	generation_free(a->to->generation);
	a->to->generation = NULL;
	err = generation_build(&spec, &a->to->generation, error);
	if (!err)
		err = dataplane_sync_addresses(&a->to->generation->maps, spec.ifindex, error);
	if (!err && a->has_previous)
		err = generation_carry_state(&a->live.maps, a->to->generation, error);
	return err;
}

/**
 * dataplane_sync_addresses() - Tell a generation which addresses are this host's now
 * @maps: of the generation
 * @ifindex: of the protected interface
 * @error: why not
 *
 * Return: 0 or -errno.
 */
int dataplane_sync_addresses(const struct map_set *maps, int ifindex, struct error *error)
{
	struct local_maps local = {
		.bitmap_fd = map_set_fd(maps, "local4_v1"),
		.addr_fd = map_set_fd(maps, "local_addr_v1"),
		.prefix_fd = map_set_fd(maps, "local_prefix_v1"),
		.epoch_fd = map_set_fd(maps, "ct_epoch_v1"),
	};
	size_t changes;

	return addresses_sync(&local, ifindex, &changes, error);
}

static enum hook_point ingress_point(const struct mode *mode)
{
	return mode->hook == HOOK_XDP ? HOOK_POINT_XDP : HOOK_POINT_TC_INGRESS;
}

/* Put a program at a hook point, in the place of ours if there is one. */
static int put(struct application *a, enum hook_point point, int prog_fd, struct error *error)
{
	const struct hook_state *state = &a->live.hooks[point];
	int err = hook_check_free(state, point, a->to->link.name, error);

	if (err)
		return err;
	if (!state->prog_id) {
		err = hook_attach(a->to->link.ifindex, point, a->mode.xdp_generic, prog_fd,
				  &a->to->link_fds[point], error);
		a->is_put[point] = !err;
		return err;
	}
	/* the way back: once it is replaced, nothing else may hold it */
	a->before_fds[point] = bpf_prog_get_fd_by_id(state->prog_id);
	if (a->before_fds[point] < 0)
		return error_set(error, errno, "cannot open program %u: %s", state->prog_id,
				 strerror(errno));
	err = hook_replace(a->to->link.ifindex, point, state, prog_fd, error);
	if (err)
		return err;
	a->is_put[point] = true;
	a->to->link_fds[point] = hook_open_link(state);
	return 0;
}

/* Undo put(). */
static void restore(struct application *a, enum hook_point point)
{
	struct hook_state now[HOOK_POINTS];
	int ifindex = a->to->link.ifindex;
	struct error ignored;

	if (!a->is_put[point])
		return;
	a->is_put[point] = false;
	if (a->live.hooks[point].prog_id)
		hook_replace(ifindex, point, &a->live.hooks[point], a->before_fds[point], &ignored);
	else if (!hooks_query(ifindex, now, &ignored))
		hook_detach(ifindex, point, &now[point], &ignored);
}

static void close_all(int fds[HOOK_POINTS])
{
	for (int i = 0; i < HOOK_POINTS; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
}

/* The other ingress hook, after the mode has changed from one to the other. */
static int leave_other_ingress(struct application *a, struct error *error)
{
	enum hook_point other = a->mode.hook == HOOK_XDP ? HOOK_POINT_TC_INGRESS : HOOK_POINT_XDP;

	return hook_detach(a->to->link.ifindex, other, &a->live.hooks[other], error);
}

static int pin_links(struct application *a, struct error *error)
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

/*
 * The directory of the pins, before anything is changed.  A link that is new needs a pin where
 * nobody stays to hold it: after `attach`, and after `policy apply` that changes the hook, whatever
 * holds the old link.
 */
static int open_pins(struct application *a, struct error *error)
{
	const struct hook_state *hooks = a->live.hooks;
	bool is_new = !hooks[HOOK_POINT_TC_EGRESS].prog_id ||
		      !hooks[ingress_point(&a->mode)].prog_id;
	bool must = a->request->caller == DATAPLANE_ATTACH ||
		    (a->request->caller == DATAPLANE_APPLY && is_new);
	int err = path_create(a->to->link.name, must, a->to->dir, error);

	if (!err)
		return 0;
	a->to->dir[0] = '\0';
	if (!must)
		return 0;
	return a->request->caller == DATAPLANE_ATTACH
		       ? err
		       : error_prefix(error, "%s: the hook changes, and its link is to be pinned",
				      a->to->link.name);
}

/* The other ingress hook is left when the new one is there to stay, whatever befalls us. */
static int put_all(struct application *a, struct error *error)
{
	struct generation *generation = a->to->generation;
	enum hook_point ingress = ingress_point(&a->mode);
	int err;

	err = put(a, HOOK_POINT_TC_EGRESS, generation->egress_fd, error);
	if (!err)
		err = put(a, ingress, generation->ingress_fd, error);
	if (!err && a->to->dir[0])
		err = pin_links(a, error);
	if (!err)
		err = leave_other_ingress(a, error);
	if (err) {
		restore(a, ingress);
		restore(a, HOOK_POINT_TC_EGRESS);
		close_all(a->to->link_fds);
		close_all(a->before_fds);
	}
	return err;
}

/* Whether the driver may run XDP itself: it does not on L3 devices, taps, bridges and the like. */
static bool may_run_xdp(const struct link_info *link)
{
	return link->l2_len && (!link->kind[0] || !strcmp(link->kind, "veth"));
}

/*
 * Build for the hook that suits the link, and attach.  Only attaching tells whether a driver runs
 * XDP itself; where it does not, and the policy leaves the choice, the next best is built.
 */
static int build_and_put(struct application *a, struct error *error)
{
	const struct link_info *link = &a->to->link;
	bool native = may_run_xdp(link);
	int err;

	for (;;) {
		err = decide_mode(a, native, error);
		if (!err)
			err = build(a, error);
		if (!err)
			err = open_pins(a, error);
		if (!err)
			err = generation_reserve_numbers(a->to->generation, error);
		if (!err)
			err = put_all(a, error);
		if (!native || a->mode.hook != HOOK_XDP ||
		    (err != -EOPNOTSUPP && err != -ERANGE && err != -EINVAL))
			return err;
		native = false;
	}
}

/* Pins for those who look; the links keep programs and maps, and are pinned already. */
static int pin_all(struct application *a, struct error *error)
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
	if (!err)
		err = pins_end(&a->pins, error);
	return err;
}

/* What the generation that was in force did until its last packet. */
static int carry_over(struct application *a, struct error *error)
{
	int err;

	/* wait for its last packet: this command is a synchronize_rcu() */
	syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
	err = generation_carry_state(&a->live.maps, a->to->generation, error);
	if (!err)
		err = generation_carry_hits(&a->live.maps, a->to->generation, error);
	return err;
}

/* After the switch: the time to confirm begins, or its end has been dealt with. */
static int settle_undo(struct application *a, struct error *error)
{
	if (a->request->confirm_s)
		return confirm_arm(&a->to->generation->maps, a->request->confirm_s, error);
	if (!a->request->revert)
		return 0;
	a->undo.state = UNDO_DONE;
	return confirm_write(&a->live.maps, &a->undo, error);
}

static struct dataplane *dataplane_new(void)
{
	struct dataplane *dataplane = calloc(1, sizeof(*dataplane));

	if (!dataplane)
		return NULL;
	for (int i = 0; i < HOOK_POINTS; i++)
		dataplane->link_fds[i] = -1;
	return dataplane;
}

/* Take over the state of a generation that is attached nowhere any more. */
static int take_over(struct application *a, const struct live *before, struct error *error)
{
	int err = 0;

	a->live.instance = before->instance;
	for (size_t i = 0; i < before->maps.n && !err; i++) {
		int fd = fcntl(before->maps.maps[i].fd, F_DUPFD_CLOEXEC, 0);

		err = fd < 0 ? error_set(error, errno, "cannot duplicate a map: %s",
					 strerror(errno))
			     : map_set_add(&a->live.maps, fd, error);
	}
	a->has_previous = true;
	return err;
}

static int find_live(struct application *a, struct error *error)
{
	int ifindex = a->to->link.ifindex;
	int err = live_open(ifindex, &a->live, error);

	if (!err) {
		a->has_previous = true;
		return 0;
	}
	if (err != -ENOENT)
		return err;
	if (a->request->caller == DATAPLANE_APPLY)
		return error_set(error, ENOENT, "%s: shrike is not attached", a->request->ifname);
	err = hooks_query(ifindex, a->live.hooks, error);
	if (!err && a->request->before)
		err = take_over(a, a->request->before, error);
	return err;
}

/* With the lock held; see dataplane_detach(). */
static int detach(const char *ifname, bool force, struct error *error)
{
	struct hook_state hooks[HOOK_POINTS] = {};
	struct link_info link = {};
	char dir[PATH_MAX] = "";
	bool found = false;
	int err = 0;

	if (!netlink_link_by_name(ifname, &link, error)) {
		err = hooks_query(link.ifindex, hooks, error);
		for (enum hook_point point = 0; point < HOOK_POINTS && !err; point++) {
			found |= hooks[point].kind != HOOK_KIND_NONE;
			err = hook_detach(link.ifindex, point, &hooks[point], error);
		}
		if (err)
			return err;
	}
	if (!path_pin_dir(ifname, dir, error) && !access(dir, F_OK)) {
		found = true;
		err = pins_clear(dir, force, error);
		if (!err)
			err = path_remove(ifname, error);
	}
	if (err || found || force)
		return err;
	return error_set(error, ENOENT, "%s: shrike is not attached", ifname);
}

/*
 * Nothing has been put into force: leave nothing behind either.  Undoing takes descriptors and
 * memory, which may be what was missing, so ours go first.
 */
static void give_up(struct application *a)
{
	struct error ignored;

	close_all(a->to->link_fds);
	generation_free(a->to->generation);
	a->to->generation = NULL;
	if (!live_is_ours(a->live.hooks))
		detach(a->to->link.name, true, &ignored);
	else if (a->to->dir[0])
		path_remove(a->to->link.name, &ignored); /* if it was made just now */
}

/* An upgrade may mean that connections end; nobody should have to guess why. */
static void tell_lost_state(const struct application *a)
{
	char text[512], names[256];

	if (!a->has_previous ||
	    !generation_lost_state(&a->live.maps, a->to->generation, names, sizeof(names)))
		return;
	snprintf(text, sizeof(text),
		 "%s: connections of shrike %s, which was in force, cannot be taken over, as this "
		 "version keeps them differently: %s",
		 a->to->link.name, a->live.instance.version, names);
	a->request->warn(text, a->request->warn_arg);
}

static int apply(struct application *a, struct error *error)
{
	int err;

	err = find_live(a, error);
	if (!err)
		err = load_from_live(a, error);
	if (err)
		return err;
	add_environment(a);
	err = build_and_put(a, error);
	if (!err)
		err = settle_undo(a, error);
	if (err) {
		give_up(a);
		return err;
	}
	tell_lost_state(a);
	err = pin_all(a, error);
	if (!err && a->has_previous)
		err = carry_over(a, error);
	if (err && live_is_ours(a->live.hooks)) { /* what is in force works without */
		error_prefix(error, "%s: the policy is in force, but", a->to->link.name);
		a->request->warn(error->text, a->request->warn_arg);
		return 0;
	}
	if (err)
		give_up(a);
	return err;
}

/**
 * dataplane_apply() - Put a policy into force on an interface
 * @request: what, where, on whose behalf
 * @dataplane: becomes what is in force, to be freed by dataplane_free()
 * @error: why not
 *
 * What was in force stays in force on failure, with all its connections; on success it hands its
 * connections over.  What fails after the switch and is not needed to protect the interface, such
 * as pins to look at, is told as a warning.
 *
 * Return: 0 or -errno; -ENOENT with DATAPLANE_APPLY where nothing is attached.
 */
int dataplane_apply(const struct dataplane_request *request, struct dataplane **dataplane,
		    struct error *error)
{
	struct application a = {.request = request};
	int lock = -1, err;

	err = path_check_name(request->ifname, error);
	if (err)
		return err;
	map_set_init(&a.live.maps);
	a.to = dataplane_new();
	if (!a.to)
		return error_set(error, ENOMEM, "out of memory");
	memset(a.before_fds, -1, sizeof(a.before_fds));
	err = request->edit || request->revert ? 0 : load_policy(request, &a.to->policy, error);
	if (!err)
		err = lock_wait("apply", request->ifname, &lock, error);
	if (!err)
		err = netlink_link_by_name(request->ifname, &a.to->link, error);
	if (!err)
		err = apply(&a, error);
	if (lock >= 0)
		close(lock);
	close_all(a.before_fds);
	free(a.overlay);
	free(a.undo_text);
	live_close(&a.live);
	if (err) {
		dataplane_free(a.to);
		return err;
	}
	*dataplane = a.to;
	return 0;
}

static void say_nothing(const char *text, void *arg)
{
	(void)text;
	(void)arg;
}

/**
 * dataplane_plan() - What a policy would become on an interface
 * @request: the policy, and on whose behalf
 * @link: the interface
 * @mode: is filled
 * @policy: becomes the policy as NetBird's variables change it; the caller frees it
 * @error: why there is none
 *
 * Return: 0 or -errno.
 */
int dataplane_plan(const struct dataplane_request *request, const struct link_info *link,
		   struct mode *mode, struct policy **policy, struct error *error)
{
	struct dataplane to = {.link = *link};
	struct application a = {.request = request, .to = &to};
	int err;

	if (request->before) {
		a.live.instance = request->before->instance;
		a.has_previous = true;
	}
	err = load_policy(request, &to.policy, error);
	if (err)
		return err;
	add_environment(&a);
	err = decide_mode(&a, may_run_xdp(link), error);
	if (err) {
		policy_free(to.policy);
		return err;
	}
	*mode = a.mode;
	*policy = to.policy;
	return 0;
}

/**
 * dataplane_clone() - Build what a policy would become on an interface, only to ask it
 * @request: the policy, and on whose behalf; with the generation in force as @before
 * @link: the interface
 * @policy: becomes the policy as NetBird's variables change it; the caller frees it
 * @clone: becomes a generation for clone_open(), as dataplane_apply() would put it into force now, with
 *	the addresses that this host has now; the caller frees it before @policy
 * @error: why there is none
 *
 * Return: 0 or -errno.
 */
int dataplane_clone(const struct dataplane_request *request, const struct link_info *link,
		    struct policy **policy, struct generation **clone, struct error *error)
{
	struct dataplane to = {.link = *link};
	struct application a = {
		.request = request,
		.to = &to,
		.live = *request->before,
		.has_previous = true,
		.is_clone = true,
	};
	int err = load_policy(request, &to.policy, error);

	if (err)
		return err;
	add_environment(&a);
	err = decide_mode(&a, may_run_xdp(link), error);
	if (!err)
		err = build(&a, error);
	free(a.overlay);
	if (err) {
		generation_free(to.generation);
		policy_free(to.policy);
		return err;
	}
	*policy = to.policy;
	*clone = to.generation;
	return 0;
}

/**
 * dataplane_choose() - As dataplane_plan(), but the mode alone
 */
int dataplane_choose(const struct dataplane_request *request, const struct link_info *link,
		     struct mode *mode, struct error *error)
{
	struct policy *policy;
	int err = dataplane_plan(request, link, mode, &policy, error);

	if (!err)
		policy_free(policy);
	return err;
}

/**
 * dataplane_is_outdated() - Whether a generation would be built differently by now
 * @live: the generation in force
 * @link: its interface as it is now
 *
 * `routing: auto` follows the kernel's forwarding, and the MSS follows the interface's MTU.
 */
bool dataplane_is_outdated(const struct live *live, const struct link_info *link)
{
	struct dataplane_request request = {
		.policy_path = live->instance.policy_path,
		.caller = DATAPLANE_APPLY,
		.before = live,
		.warn = say_nothing,
	};
	struct error ignored;
	char *text = NULL;
	struct mode mode;
	bool outdated;

	if (mtu_of(link) != live->instance.mtu)
		return true;
	if (live_policy_text(live, &text, &request.policy_len, &ignored))
		return false;
	request.policy_text = text;
	outdated = !dataplane_choose(&request, link, &mode, &ignored) &&
		   mode.routing != live->instance.config.routing;
	free(text);
	return outdated;
}

/**
 * dataplane_detach() - Take everything off an interface, connections and pins included
 * @ifname: the interface; may be gone already
 * @force: also remove what another version left
 * @error: why not
 *
 * Return: 0; -ENOENT where there was nothing; or another -errno.
 */
int dataplane_detach(const char *ifname, bool force, struct error *error)
{
	int lock, err = path_check_name(ifname, error);

	if (!err)
		err = lock_wait("apply", ifname, &lock, error);
	if (err)
		return err;
	err = detach(ifname, force, error);
	close(lock);
	return err;
}

/**
 * dataplane_free() - Let go of what is in force; with pins it stays in force
 */
void dataplane_free(struct dataplane *dataplane)
{
	if (!dataplane)
		return;
	close_all(dataplane->link_fds);
	generation_free(dataplane->generation);
	policy_free(dataplane->policy);
	free(dataplane);
}
