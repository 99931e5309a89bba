/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "daemon/run.h"
#include "daemon/guard_apply.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/capabilities.h"
#include "base/clock.h"
#include "base/names.h"
#include "daemon/beat.h"
#include "daemon/service.h"
#include "dataplane/detach.h"
#include "kernel/lock.h"
#include "kernel/notice.h"
#include "policy/parse.h"

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

#define CHECK_PERIOD_NS NS_PER_S	/* of what netlink does not report, such as sysctls */
#define NOTICE_PAUSE_NS (NS_PER_S / 10) /* before another notice is read */

#define SERVICE_STATUS_MAX 256

struct run {
	struct guard guard;
	struct netlink_monitor *monitor;
	struct publish *publish; /* NULL: metrics are not served */
	bool waits;
	bool is_waiting; /* for its interface, with nothing in force yet */
	bool is_ready;	 /* the service manager knows */
	bool over;
	bool is_relieved; /* by another process: what is in force stays */
	int handover_fd;
	int beat_fd;
	int epoll_fd;
	int signal_fd;
	int check_fd;
	int notice_fd; /* of policies that others apply; -errno: they are found by the check */
	bool is_deaf;  /* to it, for a moment */
	char status[SERVICE_STATUS_MAX]; /* as the service manager has it */
};

static void say(struct run *run, enum log_level level, const char *what, const char *why)
{
	log_line(&run->guard.log, level, "%s: %s%s", run->guard.ifname, what, why);
}

/* What is in force, in one line; whether the interface is there. */
static bool describe(const struct run *run, char status[SERVICE_STATUS_MAX])
{
	const char *ifname = run->guard.ifname;
	const struct attached *attached;
	bool is_there = guard_state(&run->guard, &attached);

	if (!is_there)
		snprintf(status, SERVICE_STATUS_MAX, "%s: waiting for the interface", ifname);
	else if (!attached)
		snprintf(status, SERVICE_STATUS_MAX, "%s: not protected", ifname);
	else
		snprintf(status, SERVICE_STATUS_MAX, "%s: generation %u, %u rule%s, routing %s%s",
			 ifname, attached->instance.config.generation, attached->instance.rules,
			 attached->instance.rules == 1 ? "" : "s",
			 routing_name(attached->instance.config.routing),
			 run->guard.log.has_failed
				 ? "; the last reload failed, the old policy stays"
				 : "");
	return is_there;
}

/* Tell the service manager what is in force, where that has changed; and others that we live. */
static void report_state(struct run *run)
{
	char message[SERVICE_STATUS_MAX + 32], status[SERVICE_STATUS_MAX];
	bool becomes_ready = !run->is_waiting && !run->is_ready;

	beat(run->beat_fd, !describe(run, status));
	if (!strcmp(status, run->status) && !becomes_ready)
		return;
	memcpy(run->status, status, sizeof(status));
	run->is_ready |= becomes_ready;
	snprintf(message, sizeof(message), "%sSTATUS=%s\n", becomes_ready ? "READY=1\n" : "",
		 status);
	service_notify(message);
}

static int watch(struct run *run, int fd, struct error *error)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	if (fd < 0 || epoll_ctl(run->epoll_fd, EPOLL_CTL_ADD, fd, &event))
		return error_set(error, errno, "cannot wait for events: %s", strerror(errno));
	return 0;
}

static void on_netlink(const struct netlink_event *event, void *arg)
{
	guard_note(arg, event);
}

/*
 * A process that was relieved by this one has left the policy in force, be it of a version that this
 * one cannot read.  Then that is taken away, as it would have been by any other end.
 */
static int apply_first(struct run *run, struct error *error)
{
	int err = guard_apply(&run->guard, POLICY_FROM_FILE, error);

	if (err != -EPROTO || run->handover_fd < 0)
		return err;
	say(run, LEVEL_WARNING, "all begins anew: ", error->text);
	err = dataplane_detach(run->guard.ifname, true, NULL, error);
	return err ? err : guard_apply(&run->guard, POLICY_FROM_FILE, error);
}

/* A policy that is invalid must not be found only when the interface comes. */
static int check_policy(const struct run *run, struct error *error)
{
	const struct following_options *options = &run->guard.options;
	const struct policy_text how = {
		.path = run->guard.policy_path,
		.expects_netbird = options->socket || options->from_nftables,
	};
	struct policy *policy;
	int err;

	if (!how.path || !strcmp(how.path, "-"))
		return 0;
	err = policy_load_as(&how, &policy, error);
	if (!err)
		policy_free(policy);
	else if (err != -ENOMEM)
		error->invalid_input = true;
	return err;
}

/* Protect the interface if it is there, or begin to wait for it. */
static int begin(struct run *run, struct error *error)
{
	struct error about_link;
	struct link_info link;
	int err = netlink_link_by_name(run->guard.ifname, &link, &about_link);

	if (!err)
		return apply_first(run, error);
	if (check_policy(run, error))
		return -error->code;
	*error = about_link;
	if (err == -ENODEV && !run->waits)
		return error_set(error, ENODEV,
				 "%s: no such interface in this network namespace; --wait waits "
				 "for it",
				 run->guard.ifname);
	if (err != -ENODEV)
		return err;
	say(run, LEVEL_WARNING, "there is no such interface yet; waiting for it", "");
	run->is_waiting = true;
	return 0;
}

/* The interface may be there now. */
static int retry(struct run *run, struct error *error)
{
	struct link_info link;
	int err;

	if (netlink_link_by_name(run->guard.ifname, &link, error) == -ENODEV)
		return 0;
	err = apply_first(run, error);
	if (err == -ENODEV) /* it has gone again */
		return 0;
	run->is_waiting = false;
	return err;
}

static int on_monitor(struct run *run, struct error *error)
{
	int err = netlink_monitor_read(run->monitor, error);

	if (err)
		return err;
	if (run->is_waiting)
		return retry(run, error);
	guard_follow(&run->guard);
	return 0;
}

/* Read the policy again; the service manager sees when that begins and ends. */
static void reload(struct run *run, uint32_t uid)
{
	char message[64];

	if (run->is_waiting)
		return; /* it is read when there is something to protect */
	snprintf(message, sizeof(message), "RELOADING=1\nMONOTONIC_USEC=%llu\nWATCHDOG=1\n",
		 (unsigned long long)clock_ns(CLOCK_MONOTONIC) / 1000);
	service_notify(message);
	guard_reload(&run->guard, "SIGHUP", uid);
	service_notify("READY=1\n");
}

static void on_signal(struct run *run)
{
	struct signalfd_siginfo info;

	if (read(run->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	switch (info.ssi_signo) {
	case SIGCHLD: /* the forwarder has been stopped, perhaps */
		forward_check(run->guard.forward);
		break;
	case SIGHUP:
		reload(run, info.ssi_uid);
		break;
	default:
		run->over = true;
		run->is_relieved = info.ssi_signo == SIGUSR2;
	}
}

static void hear(struct run *run, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.fd = run->notice_fd};

	epoll_ctl(run->epoll_fd, EPOLL_CTL_MOD, run->notice_fd, &event);
	run->is_deaf = !events;
}

/* Anybody can send notices, so they are heard only so often. */
static void on_notice(struct run *run)
{
	notice_take(run->notice_fd);
	if (!run->is_waiting)
		guard_look(&run->guard);
	hear(run, 0);
	clock_arm(run->check_fd, NOTICE_PAUSE_NS);
}

static int on_check(struct run *run, struct error *error)
{
	uint64_t ticks;
	int err = 0;

	if (read(run->check_fd, &ticks, sizeof(ticks)) != sizeof(ticks))
		return 0;
	if (run->is_deaf)
		hear(run, EPOLLIN);
	if (run->is_waiting)
		err = retry(run, error);
	else
		guard_check(&run->guard);
	publish_check(run->publish);
	service_notify("WATCHDOG=1\n");
	report_state(run);
	clock_arm(run->check_fd, CHECK_PERIOD_NS);
	return err;
}

/* Without it, policies that others apply are followed with the next check. */
static int hear_of_policies(struct run *run, struct error *error)
{
	run->notice_fd = notice_open(run->guard.ifname);
	if (run->notice_fd >= 0)
		return watch(run, run->notice_fd, error);
	say(run, LEVEL_WARNING, "policies of other processes are followed only once a second: ",
	    strerror(-run->notice_fd));
	return 0;
}

static void on_unserved(void *arg, const char *what)
{
	struct run *run = arg;

	log_line(&run->guard.log, LEVEL_WARNING, "%s: %s", run->guard.ifname, what);
}

/* Serve metrics, if that is asked for. */
static int publish(struct run *run, const struct run_request *request, struct error *error)
{
	struct publish_user user = {
		.ifname = request->ifname,
		.address = request->metrics_address,
		.collect = request->collect,
		.on_failure = on_unserved,
		.arg = run,
	};
	int err;

	if (!request->metrics_address)
		return 0;
	err = publish_new(&user, &run->publish, error);
	return err ? err : watch(run, publish_fd(run->publish), error);
}

/* Open signals, timers and netlink, and watch them. */
static int prepare(struct run *run, struct error *error)
{
	sigset_t signals;
	int err;

	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGUSR2);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN); /* whoever reads our messages may go, we stay */
	run->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	run->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
	run->check_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	err = guard_init(&run->guard, error);
	if (!err)
		err = netlink_monitor_open(on_netlink, &run->guard, &run->monitor, error);
	if (!err)
		err = watch(run, run->signal_fd, error);
	if (!err)
		err = watch(run, upkeep_fd(&run->guard.upkeep), error);
	if (!err)
		err = watch(run, run->check_fd, error);
	if (!err)
		err = watch(run, netlink_monitor_fd(run->monitor), error);
	if (!err)
		err = watch(run, forward_fd(run->guard.forward), error);
	if (!err)
		err = watch(run, guard_netbird_fd(&run->guard), error);
	if (!err)
		err = hear_of_policies(run, error);
	return err;
}

/* Handle events until a signal ends the process. */
static int loop(struct run *run, struct error *error)
{
	struct epoll_event events[4];
	int err = 0;

	clock_arm(run->check_fd, CHECK_PERIOD_NS);
	while (!run->over && !err) {
		int n;

		report_state(run);
		n = epoll_wait(run->epoll_fd, events, 4, -1);

		if (n < 0 && errno != EINTR)
			return error_set(error, errno, "cannot wait for events: %s",
					 strerror(errno));
		for (int i = 0; i < n && !err; i++) {
			int fd = events[i].data.fd;

			if (fd == run->signal_fd)
				on_signal(run);
			else if (fd == upkeep_fd(&run->guard.upkeep))
				guard_keep_up(&run->guard);
			else if (fd == run->check_fd)
				err = on_check(run, error);
			else if (fd == forward_fd(run->guard.forward))
				forward_ready(run->guard.forward);
			else if (fd == guard_netbird_fd(&run->guard))
				guard_netbird_ready(&run->guard);
			else if (run->publish && fd == publish_fd(run->publish))
				publish_ready(run->publish);
			else if (fd == run->notice_fd)
				on_notice(run);
			else
				err = on_monitor(run, error);
		}
	}
	return err;
}

/* Leave all as it is to the next process, with what is forwarded. */
static void hand_over(struct run *run)
{
	int fd = forward_hand_over(run->guard.forward);
	struct error error;

	if (fd < 0 || service_store(fd, &error))
		say(run, LEVEL_ERROR,
		    "forwarded connections end: ", fd < 0 ? strerror(-fd) : error.text);
	else
		say(run, LEVEL_INFO, "left to the next process", "");
	if (fd >= 0)
		close(fd);
}

static void clean_up(struct run *run)
{
	publish_free(run->publish);
	if (run->monitor)
		netlink_monitor_close(run->monitor);
	guard_free(&run->guard);
	close(run->epoll_fd);
	close(run->signal_fd);
	close(run->check_fd);
	if (run->notice_fd >= 0)
		close(run->notice_fd);
	if (run->beat_fd >= 0)
		close(run->beat_fd);
}

/* Who forgets a policy may be about to lose the connection by which they type. */
static void warn_of_default(struct run *run)
{
	if (!run->guard.policy_path)
		say(run, LEVEL_WARNING,
		    "no policy is given: everything inbound drops but replies to what this host "
		    "opens; -c POLICY names one",
		    "");
}

/**
 * run_forever() - Protect an interface until a signal ends it
 * @request: which one, and how
 * @error: set on failure
 *
 * Takes over what an earlier process left in force.  SIGTERM and SIGINT detach everything, SIGUSR2
 * leaves it to the next process.  Once the policy is in force only the capabilities that are needed
 * are kept.
 *
 * Return: 0 after a signal, or -errno; -EBUSY where another process is in charge.
 */
int run_forever(const struct run_request *request, struct error *error)
{
	const char *ifname = request->ifname;
	struct run run = {
		.guard.ifname = ifname,
		.guard.policy_path = request->policy_path,
		.guard.options = request->options,
		.guard.warn = request->warn,
		.guard.log = {.ifname = ifname, .write = request->log},
		.waits = request->waits,
		.handover_fd = service_take(),
		.beat_fd = -1,
		.notice_fd = -1,
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
	err = prepare(&run, error);
	if (!err)
		err = beat_open(ifname, &run.beat_fd, error);
	if (!err)
		err = publish(&run, request, error);
	if (!err) {
		forward_inherit(run.guard.forward, run.handover_fd);
		err = begin(&run, error);
	}
	if (!err)
		warn_of_default(&run);
	if (!err)
		err = capabilities_keep(CAPABILITIES, error);
	if (!err)
		err = loop(&run, error);
	if (run.is_relieved && !err)
		hand_over(&run);
	guard_leave(&run.guard);
	if (run.over && !run.is_relieved)
		err = dataplane_detach(ifname, true, NULL, error);
	clean_up(&run);
	close(lock);
	return err;
}
