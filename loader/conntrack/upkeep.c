/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "conntrack/upkeep.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "conntrack/removal.h"
#include "conntrack/tables.h"
#include "maps.h"
#include "pressure.h"

static int watch(const struct upkeep *upkeep, int fd, struct error *error)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	if (fd < 0 || epoll_ctl(upkeep->epoll_fd, EPOLL_CTL_ADD, fd, &event))
		return error_set(error, errno, "cannot wait for events: %s", strerror(errno));
	return 0;
}

/**
 * upkeep_init() - Prepare, with no tables yet
 * @upkeep: to fill; must stay where it is
 * @deleted: called for each flow that is deleted
 * @arg: for @deleted
 * @error: set on failure; upkeep_free() is to be called all the same
 *
 * Return: 0 or -errno.
 */
int upkeep_init(struct upkeep *upkeep, removal_fn deleted, void *arg, struct error *error)
{
	int err;

	memset(upkeep, 0, sizeof(*upkeep));
	upkeep->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	upkeep->sweep_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	upkeep->relief_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	relief_init(&upkeep->relief);
	err = sweep_init(&upkeep->sweep, error);
	if (!err)
		err = snat_sweep_init(&upkeep->snat, error);
	upkeep->sweep.relief = &upkeep->relief;
	upkeep->sweep.deleted = upkeep->relief.deleted = deleted;
	upkeep->sweep.arg = upkeep->relief.arg = arg;
	if (!err)
		err = watch(upkeep, upkeep->sweep_fd, error);
	if (!err)
		err = watch(upkeep, upkeep->relief_fd, error);
	if (!err)
		clock_arm(upkeep->sweep_fd, SWEEP_PASS_NS);
	return err;
}

static int on_pressure(void *arg, void *record, size_t size)
{
	const struct pressure *pressure = record;
	struct upkeep *upkeep = arg;
	size_t table = upkeep->conntrack.n;

	if (size >= sizeof(*pressure))
		table = conntrack_confirmed(&upkeep->conntrack, pressure->l4_proto,
					    pressure->ip_version);
	if (table < upkeep->conntrack.n)
		relief_request(&upkeep->relief, table, RELIEF_PRESSED, 0);
	return 0;
}

/* Where that fails, the sweep finds full tables. */
static void follow_pressure(struct upkeep *upkeep, int map_fd)
{
	struct error ignored;

	ring_buffer__free(upkeep->pressure);
	upkeep->pressure = map_fd < 0 ? NULL : ring_buffer__new(map_fd, on_pressure, upkeep, NULL);
	if (upkeep->pressure && watch(upkeep, ring_buffer__epoll_fd(upkeep->pressure), &ignored)) {
		ring_buffer__free(upkeep->pressure);
		upkeep->pressure = NULL;
	}
}

/**
 * upkeep_follow() - Go on with the tables of another generation
 * @upkeep: the upkeep
 * @maps: of the generation; they must stay open until another one is followed
 * @instance: what it says of itself
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int upkeep_follow(struct upkeep *upkeep, const struct map_set *maps,
		  const struct instance *instance, struct error *error)
{
	int err = conntrack_open(maps, &upkeep->conntrack, error);

	if (err)
		return err;
	upkeep->instance = *instance;
	upkeep->sweep.fragments_fd = map_set_fd(maps, MAP_FRAGMENTS);
	upkeep->sweep.fragment_timeout_ns = instance->config.fragment_timeout_ns;
	sweep_restart(&upkeep->sweep);
	upkeep->snat.fds[0] = upkeep->snat.fds[1] = -1;
	if (instance->config.routing == ROUTING_NAT) {
		upkeep->snat.fds[0] = map_set_fd(maps, MAP_SNAT_IN4);
		upkeep->snat.fds[1] = map_set_fd(maps, MAP_SNAT_IN6);
		upkeep->snat.owner = instance->config.nat_owner;
	}
	snat_sweep_restart(&upkeep->snat);
	relief_restart(&upkeep->relief);
	follow_pressure(upkeep, map_set_fd(maps, MAP_CT_PRESSURE));
	return 0;
}

/**
 * upkeep_fd() - Is readable when upkeep_ready() is to be called
 */
int upkeep_fd(const struct upkeep *upkeep)
{
	return upkeep->epoll_fd;
}

static bool is_due(int timer_fd)
{
	uint64_t ticks;

	return read(timer_fd, &ticks, sizeof(ticks)) == sizeof(ticks);
}

#define SNAT_STEPS   16		  /* at most, one after another: 50 ms */
#define SNAT_MANY    512	  /* removed in a step */
#define SNAT_WAIT_NS 200000000ull /* where that was not enough */

/* A flood of openings leaves more behind than a step removes; returns whether there may be more. */
static bool sweep_snat(struct upkeep *upkeep, struct error *error, int *err)
{
	uint64_t before;

	for (int step = 0; step < SNAT_STEPS; step++) {
		before = upkeep->snat.removed;
		*err = snat_sweep_step(&upkeep->snat, &upkeep->conntrack, error);
		if (*err || upkeep->snat.removed - before < SNAT_MANY)
			return false;
	}
	return true;
}

/* Make a step of the sweep, and arm the timer for the next one. */
static int sweep(struct upkeep *upkeep, bool is_attached, struct error *error)
{
	uint64_t wait_ns = SWEEP_PASS_NS;
	struct flow_clock clock;
	int err = 0;

	if (is_attached) {
		flow_clock_read(&upkeep->instance, &clock);
		err = sweep_step(&upkeep->sweep, &upkeep->conntrack, &clock, REMOVAL_STEP_ENTRIES,
				 error);
		if (!err)
			wait_ns = upkeep->sweep.wait_ns;
		if (!err && sweep_snat(upkeep, error, &err) && wait_ns > SNAT_WAIT_NS)
			wait_ns = SNAT_WAIT_NS;
	}
	clock_arm(upkeep->sweep_fd, wait_ns);
	if (relief_is_wanted(&upkeep->relief))
		clock_arm(upkeep->relief_fd, 0);
	return err;
}

static int relieve(struct upkeep *upkeep, struct error *error)
{
	struct flow_clock clock;
	uint64_t wait_ns;
	int err;

	flow_clock_read(&upkeep->instance, &clock);
	err = relief_step(&upkeep->relief, &upkeep->conntrack, &clock, REMOVAL_STEP_ENTRIES, error);
	wait_ns = err ? RELIEF_SETTLE_NS : upkeep->relief.wait_ns;
	if (wait_ns != RELIEF_IDLE)
		clock_arm(upkeep->relief_fd, wait_ns);
	return err;
}

/**
 * upkeep_ready() - Do what is due
 * @upkeep: the upkeep
 * @is_attached: whether the generation that is followed is in force; nothing is done to others
 * @error: set on failure; what failed is tried again later
 *
 * Return: 0 or -errno.
 */
int upkeep_ready(struct upkeep *upkeep, bool is_attached, struct error *error)
{
	int err = 0;

	if (upkeep->pressure && ring_buffer__consume(upkeep->pressure) > 0)
		clock_arm(upkeep->relief_fd, 0);
	if (is_due(upkeep->sweep_fd))
		err = sweep(upkeep, is_attached, error);
	if (!err && is_due(upkeep->relief_fd) && is_attached)
		err = relieve(upkeep, error);
	return err;
}

/**
 * upkeep_free() - Release what an upkeep holds
 * @upkeep: given to upkeep_init()
 */
void upkeep_free(struct upkeep *upkeep)
{
	ring_buffer__free(upkeep->pressure);
	relief_free(&upkeep->relief);
	sweep_free(&upkeep->sweep);
	snat_sweep_free(&upkeep->snat);
	close(upkeep->epoll_fd);
	close(upkeep->sweep_fd);
	close(upkeep->relief_fd);
}
