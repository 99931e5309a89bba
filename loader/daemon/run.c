/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "daemon/run.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/capabilities.h"
#include "base/clock.h"
#include "base/names.h"
#include "base/output.h"
#include "conntrack/events.h"
#include "conntrack/upkeep.h"
#include "dataplane/apply.h"
#include "dataplane/confirm.h"
#include "dataplane/detach.h"
#include "dataplane/preview.h"
#include "dataplane/repin.h"
#include "forward/forward.h"
#include "kernel/lock.h"
#include "trace/live.h"

/*
 * What is needed at any time, as an interface may come back and a policy may ask for a forwarder:
 * CAP_SYS_ADMIN to open programs and maps in force by their ids and to make network namespaces (it
 * comprises CAP_BPF and CAP_PERFMON), CAP_NET_ADMIN to attach, CAP_NET_RAW and CAP_IPC_LOCK for the
 * forwarder's sockets and their memory, CAP_SETUID and CAP_SETGID to make it nobody, and to end it.
 * Without the last two it works, too: the forwarder then stays root, see privileges_drop().
 */
#define CAPABILITIES                                                                               \
	(CAPABILITY(SYS_ADMIN) | CAPABILITY(NET_ADMIN) | CAPABILITY(NET_RAW) |                     \
	 CAPABILITY(IPC_LOCK) | CAPABILITY(SETUID) | CAPABILITY(SETGID))

#define CHECK_PERIOD_NS NS_PER_S /* of what netlink does not tell, such as sysctls */

/* What is_outdated() depends on, as it was when the answer was no. */
struct basis {
	struct mode_facts facts;
	uint32_t prog_id;
	uint32_t mtu;
};

struct run {
	const char *ifname;
	const char *policy_path;
	warn_fn warn;
	run_log log;
	struct dataplane *dataplane; /* holds the links */
	struct live live;	     /* the generation in force, whoever applied it */
	bool is_attached;
	bool addresses_changed;
	bool link_changed;
	bool overlay_changed;
	bool addresses_behind; /* the tables: they could not be brought up to date */
	bool unpinned;	       /* and said so */
	bool over;
	struct basis basis;
	char complaint[sizeof(((struct error *)0)->text)];
	struct netlink_monitor *monitor;
	struct upkeep upkeep;
	struct forward *forward;
	int epoll_fd;
	int signal_fd;
	int check_fd;
};

static void say(struct run *run, bool is_error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void say(struct run *run, bool is_error, const char *format, ...)
{
	char text[1200];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	run->log(text, is_error);
}

/* Whether the programs are those that run->live was read from; then so is all the rest. */
static bool is_unchanged(const struct run *run)
{
	struct hook_state now[HOOK_POINTS];
	struct error ignored;

	if (!run->live.maps.n || run->live.ifindex != (int)run->dataplane->link.ifindex ||
	    hooks_query(run->live.ifindex, now, &ignored) || !live_is_ours(now))
		return false;
	for (int i = 0; i < HOOK_POINTS; i++)
		if (now[i].prog_id != run->live.hooks[i].prog_id ||
		    now[i].link_id != run->live.hooks[i].link_id)
			return false;
	return true;
}

static int watch(struct run *run, int fd, struct error *error)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	if (fd < 0 || epoll_ctl(run->epoll_fd, EPOLL_CTL_ADD, fd, &event))
		return error_set(error, errno, "cannot wait for events: %s", strerror(errno));
	return 0;
}

/*
 * Look at the generation in force anew: `policy apply` may have come from another process.  The
 * sweep begins anew only with other tables, or it would never get through large ones.
 */
static int refresh(struct run *run, struct error *error)
{
	struct live fresh;
	int err;

	if (is_unchanged(run)) {
		run->is_attached = true;
		forward_follow(run->forward, &run->live, &run->dataplane->link);
		return 0;
	}
	err = live_open(run->dataplane->link.ifindex, &fresh, error);
	if (err)
		return err;
	err = upkeep_follow(&run->upkeep, &fresh.maps, &fresh.instance, error);
	if (err) {
		live_close(&fresh);
		return err;
	}
	live_close(&run->live);
	run->live = fresh;
	run->is_attached = true;
	forward_follow(run->forward, &run->live, &run->dataplane->link);
	return 0;
}

static void say_attached(struct run *run)
{
	const struct instance *instance = &run->live.instance;

	say(run, false, "%s: generation %u in force: %u rules, %s, routing %s (%s)", run->ifname,
	    instance->config.generation, instance->rules,
	    hook_kind_name(run->live.hooks[run->live.ingress].kind),
	    routing_name(instance->config.routing), instance->routing_why);
}

/* Where the policy to apply comes from. */
enum source {
	FROM_FILE,
	FROM_FORCE,  /* the one in force, built anew */
	FROM_BEFORE, /* the one before, as the one in force was not confirmed */
};

static int text_in_force(const struct live *live, char **text, size_t *len, void *unused,
			 struct error *error)
{
	(void)unused;
	return live_policy_text(live, text, len, error);
}

static int apply(struct run *run, enum source source, struct error *error)
{
	struct dataplane_request request = {
		.ifname = run->ifname,
		.policy_path = run->policy_path,
		.caller = DATAPLANE_RUN,
		.before = run->live.maps.n ? &run->live : NULL,
		.edit = source == FROM_FORCE ? text_in_force : NULL,
		.revert = source == FROM_BEFORE,
		.warn = run->warn,
	};
	struct dataplane *fresh;
	int err;

	err = dataplane_apply(&request, &fresh, error);
	if (err)
		return err;
	dataplane_free(run->dataplane);
	run->dataplane = fresh;
	err = refresh(run, error);
	if (!err)
		say_attached(run);
	return err;
}

/* What is tried every second is told once. */
static void complain_once(struct run *run, const struct error *error)
{
	if (strcmp(run->complaint, error->text))
		say(run, true, "%s", error->text);
	snprintf(run->complaint, sizeof(run->complaint), "%s", error->text);
}

/* Addresses go before their interface does: that it has gone is told when the link says so. */
static bool is_told_by_link(enum source source, int err)
{
	return source == FROM_FORCE && err == -ENODEV;
}

static void apply_or_say(struct run *run, enum source source)
{
	struct error error;
	int err = apply(run, source, &error);

	if (!err || source == FROM_FILE)
		run->complaint[0] = '\0';
	if (err && !is_told_by_link(source, err))
		complain_once(run, &error);
}

/* The command that applied the policy does this itself, unless it was killed. */
static void follow_confirmation(struct run *run)
{
	struct error error;
	int err;

	if (!run->is_attached || !confirm_is_due(&run->live.maps))
		return;
	err = apply(run, FROM_BEFORE, &error);
	if (!err)
		say(run, true, "%s: nobody confirmed the policy in time: back to %s", run->ifname,
		    run->live.instance.policy_path[0] ? run->live.instance.policy_path
						      : "the default policy");
	else if (err != -EALREADY)
		say(run, true, "%s", error.text);
}

static void on_netlink(const struct netlink_event *event, void *arg)
{
	struct run *run = arg;

	switch (event->kind) {
	case NETLINK_ADDRESS_NEW:
	case NETLINK_ADDRESS_GONE:
		run->addresses_changed = true;
		run->overlay_changed |= event->ifindex == run->dataplane->link.ifindex;
		break;
	case NETLINK_LINK_NEW:
	case NETLINK_LINK_GONE:
		run->link_changed |= event->ifindex == run->dataplane->link.ifindex ||
				     !strcmp(event->name, run->ifname);
		break;
	case NETLINK_LOCAL_ROUTES:
		run->addresses_changed = true;
		break;
	case NETLINK_RESYNC:
		run->addresses_changed = run->link_changed = run->overlay_changed = true;
		break;
	}
}

/*
 * Whether the generation in force would be built differently by now.  To tell takes a look at the
 * whole policy, which is spared while nothing has changed that the answer depends on.
 */
static bool is_outdated(struct run *run, const struct link_info *link)
{
	struct basis basis = {
		.prog_id = run->live.hooks[run->live.ingress].prog_id,
		.mtu = link->mtu,
	};
	struct error ignored;
	bool known = !mode_read_facts(&basis.facts, &ignored);

	if (known && basis.prog_id == run->basis.prog_id && basis.mtu == run->basis.mtu &&
	    basis.facts.ip_forward4 == run->basis.facts.ip_forward4 &&
	    basis.facts.ip_forward6 == run->basis.facts.ip_forward6)
		return false;
	if (dataplane_is_outdated(&run->live, link))
		return true;
	run->basis = basis;
	return false;
}

/* The interface may be gone, back as another device, without our programs, or have a new MTU. */
static void follow_link(struct run *run)
{
	uint32_t generation = run->live.instance.config.generation;
	bool was_attached = run->is_attached;
	struct link_info link;
	struct error error;
	int err = netlink_link_by_name(run->ifname, &link, &error);

	if (err == -ENODEV) {
		if (was_attached)
			say(run, true, "%s: the interface is gone; waiting for it", run->ifname);
		forward_stop(run->forward);
		run->is_attached = false;
		return;
	}
	if (!err)
		err = link.ifindex == run->dataplane->link.ifindex ? refresh(run, &error) : -ENOENT;
	if (err && err != -ENOENT && err != -ENODEV) {
		complain_once(run, &error); /* not to be told now: what is in force stays so */
		return;
	}
	run->is_attached = !err;
	if (!run->is_attached) {
		if (was_attached)
			say(run, true, "%s: not protected any more; attaching again", run->ifname);
		apply_or_say(run, FROM_FORCE);
	} else if (is_outdated(run, &link)) {
		apply_or_say(run, FROM_FORCE);
	} else if (run->live.instance.config.generation != generation) {
		say_attached(run);
	}
}

static void follow_addresses(struct run *run)
{
	struct error error;

	if (!run->is_attached)
		return;
	if (!generation_sync_addresses(&run->live.maps, run->dataplane->link.ifindex, &error)) {
		run->addresses_behind = false;
	} else {
		if (!run->addresses_behind)
			say(run, true, "%s", error.text);
		run->addresses_behind = true;
	}
	if (!run->overlay_changed)
		return;
	run->overlay_changed = false;
	if (config_has_forwarder(&run->live.instance.config))
		apply_or_say(run, FROM_FORCE); /* the overlay block names the prefixes */
}

static int on_monitor(struct run *run, struct error *error)
{
	int err;

	run->addresses_changed = run->link_changed = run->overlay_changed = false;
	err = netlink_monitor_read(run->monitor, error);
	if (err)
		return err;
	if (run->link_changed)
		follow_link(run);
	if (run->addresses_changed)
		follow_addresses(run);
	return 0;
}

static void on_signal(struct run *run)
{
	struct signalfd_siginfo info;

	if (read(run->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGHUP)
		apply_or_say(run, FROM_FILE);
	else
		run->over = true;
}

static void on_swept(void *arg, const struct flow_view *view, enum removal_reason reason)
{
	const struct run *run = arg;

	flow_tell_swept(run->dataplane->generation->event_fd, run->dataplane->link.ifindex, view,
			reason);
}

static void on_upkeep(struct run *run)
{
	struct error error;

	if (upkeep_ready(&run->upkeep, run->is_attached, &error))
		say(run, true, "%s", error.text);
}

/* After listeners and tracers that were killed. */
static void clear_up(struct run *run)
{
	struct error error;

	flow_listen_reap(&run->live.maps, run->ifname);
	if (trace_live_is_on(&run->live.maps) &&
	    trace_live_recover(run->ifname, run->dataplane->link.ifindex, &error))
		say(run, true, "%s", error.text);
}

/* Without pins the programs end with this process, so a bpffs that comes back is used again. */
static void follow_pins(struct run *run)
{
	struct error error;
	int err = repin(run->ifname, run->dataplane->link.ifindex, &error);

	if (err < 0 && !run->unpinned)
		say(run, true, "%s: not pinned, so its protection ends with this process: %s",
		    run->ifname, error.text);
	if (err > 0)
		say(run, false, "%s: pinned again", run->ifname);
	run->unpinned = err < 0;
}

static void on_check(struct run *run)
{
	uint64_t ticks;

	if (read(run->check_fd, &ticks, sizeof(ticks)) != sizeof(ticks))
		return;
	follow_link(run);
	follow_confirmation(run);
	if (run->is_attached) {
		if (run->addresses_behind)
			follow_addresses(run);
		follow_pins(run);
		clear_up(run);
	}
	clock_arm(run->check_fd, CHECK_PERIOD_NS);
}

/* The forwarder is watched by its parent, which also sees new generations before anyone tells. */
static void on_forward(struct run *run)
{
	if (forward_ready(run->forward))
		follow_link(run);
}

static void on_forwarder(void *arg, bool is_error, const char *text)
{
	struct run *run = arg;

	say(run, is_error, "%s: %s", run->ifname, text);
}

static int prepare(struct run *run, struct error *error)
{
	sigset_t signals;
	int err;

	sigemptyset(&signals);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN); /* whoever reads our messages may go, we stay */
	run->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	run->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
	run->check_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	err = upkeep_init(&run->upkeep, on_swept, run, error);
	if (!err)
		err = netlink_monitor_open(on_netlink, run, &run->monitor, error);
	if (!err)
		err = watch(run, run->signal_fd, error);
	if (!err)
		err = watch(run, upkeep_fd(&run->upkeep), error);
	if (!err)
		err = watch(run, run->check_fd, error);
	if (!err)
		err = watch(run, netlink_monitor_fd(run->monitor), error);
	if (!err)
		err = forward_new(on_forwarder, run, &run->forward, error);
	if (!err)
		err = watch(run, forward_fd(run->forward), error);
	return err;
}

static int loop(struct run *run, struct error *error)
{
	struct epoll_event events[4];
	int err = 0;

	clock_arm(run->check_fd, CHECK_PERIOD_NS);
	while (!run->over && !err) {
		int n = epoll_wait(run->epoll_fd, events, 4, -1);

		if (n < 0 && errno != EINTR)
			return error_set(error, errno, "cannot wait for events: %s",
					 strerror(errno));
		for (int i = 0; i < n && !err; i++) {
			int fd = events[i].data.fd;

			if (fd == run->signal_fd)
				on_signal(run);
			else if (fd == upkeep_fd(&run->upkeep))
				on_upkeep(run);
			else if (fd == run->check_fd)
				on_check(run);
			else if (fd == forward_fd(run->forward))
				on_forward(run);
			else
				err = on_monitor(run, error);
		}
	}
	return err;
}

static void clean_up(struct run *run)
{
	if (run->monitor)
		netlink_monitor_close(run->monitor);
	upkeep_free(&run->upkeep);
	live_close(&run->live);
	dataplane_free(run->dataplane);
	close(run->epoll_fd);
	close(run->signal_fd);
	close(run->check_fd);
}

/**
 * run_forever() - Protect an interface until a signal ends it
 * @ifname: the interface
 * @policy_path: policy file, read again on SIGHUP; NULL: the default policy
 * @warn: hears of variables that are not understood
 * @log: hears what happens
 * @error: why not
 *
 * Takes over what an earlier process left in force.  SIGTERM and SIGINT detach everything.  Once
 * the policy is in force only the capabilities that are needed are kept.
 *
 * Return: 0 after a signal, or -errno; -EBUSY where another process is in charge.
 */
int run_forever(const char *ifname, const char *policy_path, warn_fn warn, run_log log,
		struct error *error)
{
	struct run run = {
		.ifname = ifname,
		.policy_path = policy_path,
		.warn = warn,
		.log = log,
	};
	int lock, err;

	err = lock_try(LOCK_RUN, ifname, &lock, error);
	if (err && err != -EADDRINUSE)
		return err;
	if (err)
		return error_set(error, EBUSY,
				 "%s: another 'shrike run' is in charge of it; end that process "
				 "first",
				 ifname);
	map_set_init(&run.live.maps);
	err = prepare(&run, error);
	if (!err)
		err = apply(&run, FROM_FILE, error);
	if (!err)
		err = capabilities_keep(CAPABILITIES, error);
	if (!err)
		err = loop(&run, error);
	forward_free(run.forward);
	if (run.over)
		err = dataplane_detach(ifname, true, error);
	clean_up(&run);
	close(lock);
	return err;
}
