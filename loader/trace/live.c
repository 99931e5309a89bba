/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "trace/live.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/generation.h"
#include "dataplane/generation_build.h"
#include "dataplane/masquerading.h"
#include "kernel/lock.h"
#include "kernel/pin_path.h"
#include "kernel/pins.h"
#include "maps.h"

struct trace_live {
	struct trace_live_spec spec;
	struct attached attached; /* the generation in force, of which there is a clone */
	struct generation *clone; /* NULL: the hooks run no clone */
	struct trace_ring *ring;
	int originals[HOOK_POINTS]; /* the programs of @attached, -1: none at that point */
	struct uplink_programs uplink_originals; /* and on its uplinks */
	struct trace_stats before;		 /* sums of earlier clones */
	int lock;
};

/* The program of a generation that belongs to a hook point; -1: none. */
static int program_at(const struct generation *generation, enum hook_point ingress,
		      enum hook_point point)
{
	if (point == HOOK_POINT_TC_EGRESS)
		return generation->egress_fd;
	return point == ingress ? generation->ingress_fd : -1;
}

/**
 * trace_live_is_on() - Whether a generation writes trace records
 * @maps: of the generation
 */
bool trace_live_is_on(const struct map_set *maps)
{
	const struct map_entry *map = map_set_find(maps, MAP_TRACE_FILTER);
	struct trace_filter filter = {};
	uint32_t zero = 0;

	return map && map->value_size == sizeof(filter) &&
	       !bpf_map_lookup_elem(map->fd, &zero, &filter) && filter.active;
}

/* Load a clone that writes records (@trace), or one that does not. */
static int build_clone(const struct attached *attached, bool trace, uint32_t snap_len,
		       struct generation **clone, struct error *error)
{
	const struct generation_spec spec = {
		.previous = &attached->maps,
		.instance_previous = &attached->instance,
		.snap_len = snap_len,
		.trace = trace,
		.clone = true,
		.own_records = true,
	};

	return generation_build(&spec, clone, error);
}

/* Attach the programs of @generation where those in force are: ingress first. */
static int replace_programs(const struct attached *attached, const struct generation *generation,
			    struct error *error)
{
	enum hook_point points[] = {attached->ingress, HOOK_POINT_TC_EGRESS};
	int err = 0;

	for (int i = 0; i < 2 && !err; i++)
		if (attached->hooks[points[i]].prog_id)
			err = hook_replace(
				attached->ifindex, points[i], &attached->hooks[points[i]],
				program_at(generation, attached->ingress, points[i]), error);
	return err;
}

/* Pin the programs of @generation, if the interface has pins. */
static int pin_programs(const char *ifname, const struct generation *generation,
			struct error *error)
{
	char dir[PATH_MAX];
	struct error ignored;
	struct pins pins;
	int err;

	if (path_pin_dir(ifname, dir, &ignored) || access(dir, F_OK))
		return 0;
	pins_begin(&pins, dir);
	err = pins_set(&pins, "prog_ingress", generation->ingress_fd, error);
	return err ? err : pins_set(&pins, "prog_egress", generation->egress_fd, error);
}

/* The programs of a clone for uplinks; none, where it is of another routing. */
static struct uplink_programs uplink_programs(const struct generation *clone)
{
	return (struct uplink_programs){{clone->uplink_fds[0], clone->uplink_fds[1]}};
}

/* Have the clone's programs on all uplinks, also on those that `run` has attached its own to meanwhile. */
static int trace_uplinks(struct trace_live *trace, struct error *error)
{
	const struct uplink_programs to = uplink_programs(trace->clone);

	return masquerading_replace(&trace->attached.maps, &to, &trace->uplink_originals, error);
}

/* With the locks held: replace a tracing clone that nobody reads by one that does not trace. */
static int recover(const char *ifname, int ifindex, struct error *error)
{
	struct generation *clone = NULL;
	struct attached attached;
	int err = attached_open(ifindex, &attached, error);

	if (err)
		return err == -ENOENT ? 0 : err;
	if (trace_live_is_on(&attached.maps)) {
		err = build_clone(&attached, false, attached.instance.config.snap_len, &clone,
				  error);
		if (!err)
			err = replace_programs(&attached, clone, error);
		if (!err) {
			const struct uplink_programs to = uplink_programs(clone);

			err = masquerading_replace(&attached.maps, &to, NULL, error);
		}
		if (!err)
			err = pin_programs(ifname, clone, error);
	}
	generation_free(clone);
	attached_close(&attached);
	return err;
}

/**
 * trace_live_recover() - End a trace whose tracer was killed
 * @ifname, @ifindex: the interface
 * @error: set on failure
 *
 * Return: 0, also where there is nothing to do or a tracer lives; or -errno.
 */
int trace_live_recover(const char *ifname, int ifindex, struct error *error)
{
	int tracer, apply, err;

	if (lock_try(LOCK_TRACE, ifname, &tracer, error))
		return 0;
	err = lock_wait(LOCK_APPLY, ifname, &apply, error);
	if (!err) {
		err = recover(ifname, ifindex, error);
		close(apply);
	}
	close(tracer);
	return err;
}

static void close_originals(struct trace_live *trace)
{
	for (int i = 0; i < HOOK_POINTS; i++) {
		if (trace->originals[i] >= 0)
			close(trace->originals[i]);
		trace->originals[i] = -1;
	}
	for (int i = 0; i < 2; i++) {
		if (trace->uplink_originals.fds[i] >= 0)
			close(trace->uplink_originals.fds[i]);
		trace->uplink_originals.fds[i] = -1;
	}
}

/* Open the attached programs, which switch_back() attaches again. */
static int open_originals(struct trace_live *trace, struct error *error)
{
	for (int i = 0; i < HOOK_POINTS; i++) {
		uint32_t id = trace->attached.hooks[i].prog_id;

		if (!id)
			continue;
		trace->originals[i] = bpf_prog_get_fd_by_id(id);
		if (trace->originals[i] < 0)
			return error_set(error, errno, "cannot open program %u: %s", id,
					 strerror(errno));
	}
	return 0;
}

/* Attach the original programs again, egress first, wherever the clone's are still attached. */
static int switch_back(struct trace_live *trace, struct error *error)
{
	enum hook_point points[] = {HOOK_POINT_TC_EGRESS, trace->attached.ingress};
	const struct uplink_programs traced = uplink_programs(trace->clone);
	struct hook_state hooks[HOOK_POINTS];
	int err = masquerading_restore(&trace->attached.maps, &traced, &trace->uplink_originals,
				       error);

	if (!err)
		err = hooks_query(trace->attached.ifindex, hooks, error);

	for (int i = 0; i < 2 && !err; i++) {
		int fd = program_at(trace->clone, trace->attached.ingress, points[i]);

		if (trace->originals[points[i]] < 0 || !hooks[points[i]].prog_id ||
		    hooks[points[i]].prog_id != hook_program_id(fd))
			continue;
		err = hook_replace(trace->attached.ifindex, points[i], &hooks[points[i]],
				   trace->originals[points[i]], error);
	}
	return err;
}

/* With the lock held: build a clone of the generation in force, and attach its programs. */
static int switch_to_clone(struct trace_live *trace, struct error *error)
{
	uint32_t zero = 0;
	int err;

	err = attached_open(trace->spec.ifindex, &trace->attached, error);
	if (err)
		return err;
	err = build_clone(&trace->attached, true, trace->spec.snap_len, &trace->clone, error);
	if (!err && bpf_map_update_elem(map_set_fd(&trace->clone->maps, MAP_TRACE_FILTER), &zero,
					&trace->spec.filter, BPF_ANY))
		err = error_set(error, errno, "cannot fill BPF map trace_filter_v1: %s",
				strerror(errno));
	if (!err)
		err = trace_ring_open(map_set_fd(&trace->clone->maps, MAP_TRACE), &trace->ring,
				      error);
	if (!err)
		err = open_originals(trace, error);
	if (!err) {
		struct error ignored;

		err = replace_programs(&trace->attached, trace->clone, error);
		if (!err)
			err = trace_uplinks(trace, error);
		if (err)
			switch_back(trace, &ignored);
	}
	return err;
}

/* Free the clone and what belongs to it; the hooks must not run it any more. */
static void drop_clone(struct trace_live *trace)
{
	trace_ring_close(trace->ring);
	generation_free(trace->clone);
	close_originals(trace);
	attached_close(&trace->attached);
	trace->ring = NULL;
	trace->clone = NULL;
}

/* Trace the generation in force, with the apply lock held meanwhile. */
static int start(struct trace_live *trace, struct error *error)
{
	const char *ifname = trace->spec.ifname;
	int apply, err;

	err = lock_wait(LOCK_APPLY, ifname, &apply, error);
	if (err)
		return err;
	err = recover(ifname, trace->spec.ifindex, error);
	if (!err)
		err = switch_to_clone(trace, error);
	close(apply);
	return err;
}

/**
 * trace_live_open() - Begin to trace the packets of an interface
 * @spec: the interface, and which packets; ifname outlives the trace
 * @trace: set, for trace_live_close()
 * @error: set on failure
 *
 * Return: 0; -ENOENT: nothing is attached; -EBUSY: there is another trace; or another -errno.
 */
int trace_live_open(const struct trace_live_spec *spec, struct trace_live **trace,
		    struct error *error)
{
	struct trace_live *opened = calloc(1, sizeof(*opened));
	int err;

	if (!opened)
		return error_no_memory(error);
	opened->spec = *spec;
	opened->lock = -1;
	map_set_init(&opened->attached.maps);
	for (int i = 0; i < HOOK_POINTS; i++)
		opened->originals[i] = -1;
	opened->uplink_originals = (struct uplink_programs){{-1, -1}};
	err = lock_try(LOCK_TRACE, spec->ifname, &opened->lock, error);
	if (err == -EADDRINUSE)
		err = error_set(error, EBUSY, "another live trace is running; end it first");
	if (!err)
		err = start(opened, error);
	if (err) {
		drop_clone(opened);
		if (opened->lock >= 0)
			close(opened->lock);
		free(opened);
		return err;
	}
	*trace = opened;
	return 0;
}

/**
 * trace_live_fd() - What to wait on until there is something to read; changes with the policy
 */
int trace_live_fd(const struct trace_live *trace)
{
	return trace_ring_fd(trace->ring);
}

/**
 * trace_live_generation() - The generation that is being traced
 */
const struct attached *trace_live_generation(const struct trace_live *trace)
{
	return &trace->attached;
}

/**
 * trace_live_read() - Call on_record for each record so far
 *
 * Return: 0 or -errno; also what on_record returned.
 */
int trace_live_read(struct trace_live *trace, struct error *error)
{
	return trace_ring_read(trace->ring, trace->spec.on_record, trace->spec.arg, error);
}

/* Add the counters of the clone in use. */
static void add_stats(const struct trace_live *trace, struct trace_stats *total)
{
	int fd = map_set_fd(&trace->clone->maps, MAP_TRACE_STATS), n = libbpf_num_possible_cpus();
	struct trace_stats *cpus = calloc(n > 0 ? n : 1, sizeof(*cpus));
	uint32_t zero = 0;

	if (cpus && n > 0 && !bpf_map_lookup_elem(fd, &zero, cpus))
		for (int cpu = 0; cpu < n; cpu++) {
			total->matched += cpus[cpu].matched;
			total->sampled += cpus[cpu].sampled;
			total->lost += cpus[cpu].lost;
		}
	free(cpus);
}

/**
 * trace_live_stats() - How many packets matched, were sampled and were lost since trace_live_open()
 */
void trace_live_stats(const struct trace_live *trace, struct trace_stats *stats)
{
	*stats = trace->before;
	if (trace->clone)
		add_stats(trace, stats);
}

static bool is_in_force(const struct trace_live *trace, const struct hook_state hooks[HOOK_POINTS])
{
	return hooks[trace->attached.ingress].prog_id == hook_program_id(trace->clone->ingress_fd);
}

/*
 * Follow `run`, which has attached the original programs where it has found new uplinks; not while
 * another policy is being applied, whose programs may be on the uplinks already.
 */
static int follow_uplinks(struct trace_live *trace, struct error *error)
{
	struct hook_state hooks[HOOK_POINTS];
	struct error busy;
	int apply, err;

	if (trace->clone->uplink_fds[0] < 0 ||
	    lock_try(LOCK_APPLY, trace->spec.ifname, &apply, &busy))
		return 0;
	err = hooks_query(trace->spec.ifindex, hooks, error);
	if (!err && is_in_force(trace, hooks))
		err = trace_uplinks(trace, error);
	close(apply);
	return err;
}

/**
 * trace_live_follow() - Trace the generation in force, if that is another one by now
 * @trace: the trace; to be called every second
 * @changed: set; true if the generation was another one
 * @error: set on failure
 *
 * Return: 0; -ENOENT: nothing is attached any more; or another -errno.
 */
int trace_live_follow(struct trace_live *trace, bool *changed, struct error *error)
{
	struct hook_state hooks[HOOK_POINTS];
	int err = hooks_query(trace->spec.ifindex, hooks, error);

	*changed = false;
	if (err)
		return err;
	if (is_in_force(trace, hooks))
		return follow_uplinks(trace, error);
	err = trace_live_read(trace, error);
	if (err)
		return err;
	add_stats(trace, &trace->before);
	drop_clone(trace);
	*changed = true;
	return start(trace, error);
}

/**
 * trace_live_close() - End the trace, and attach the original programs again
 * @trace: the trace; freed, even if that fails
 * @error: set on failure
 *
 * Records that were not read are lost.
 *
 * Return: 0 or -errno.
 */
int trace_live_close(struct trace_live *trace, struct error *error)
{
	int apply, err = 0;

	if (trace->clone) {
		err = lock_wait(LOCK_APPLY, trace->spec.ifname, &apply, error);
		if (!err) {
			err = switch_back(trace, error);
			close(apply);
		}
	}
	drop_clone(trace);
	close(trace->lock);
	free(trace);
	return err;
}
