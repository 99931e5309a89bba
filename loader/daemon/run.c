/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "daemon/run.h"

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
#include "daemon/service.h"
#include "dataplane/detach.h"
#include "kernel/lock.h"
#include "kernel/notice.h"

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

struct run {
	struct guard guard;
	struct netlink_monitor *monitor;
	bool over;
	bool is_relieved; /* by another process: what is in force stays */
	int epoll_fd;
	int signal_fd;
	int check_fd;
	int notice_fd; /* of policies that others apply; -errno: they are found by the check */
	bool is_deaf;  /* to it, for a moment */
};

static void say(const struct run *run, bool is_error, const char *what, const char *why)
{
	char text[1200];

	snprintf(text, sizeof(text), "%s: %s%s", run->guard.ifname, what, why);
	run->guard.log(text, is_error);
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

static int on_monitor(struct run *run, struct error *error)
{
	int err = netlink_monitor_read(run->monitor, error);

	if (!err)
		guard_follow(&run->guard);
	return err;
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
		guard_reload(&run->guard);
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
	guard_look(&run->guard);
	hear(run, 0);
	clock_arm(run->check_fd, NOTICE_PAUSE_NS);
}

static void on_check(struct run *run)
{
	uint64_t ticks;

	if (read(run->check_fd, &ticks, sizeof(ticks)) != sizeof(ticks))
		return;
	if (run->is_deaf)
		hear(run, EPOLLIN);
	guard_check(&run->guard);
	clock_arm(run->check_fd, CHECK_PERIOD_NS);
}

/* Without it, policies that others apply are followed with the next check. */
static int hear_of_policies(struct run *run, struct error *error)
{
	run->notice_fd = notice_open(run->guard.ifname);
	if (run->notice_fd >= 0)
		return watch(run, run->notice_fd, error);
	say(run, true, "policies of other processes are followed only once a second: ",
	    strerror(-run->notice_fd));
	return 0;
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
		int n = epoll_wait(run->epoll_fd, events, 4, -1);

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
				on_check(run);
			else if (fd == forward_fd(run->guard.forward))
				forward_ready(run->guard.forward);
			else if (fd == guard_netbird_fd(&run->guard))
				guard_netbird_ready(&run->guard);
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
		say(run, true, "forwarded connections end: ", fd < 0 ? strerror(-fd) : error.text);
	else
		say(run, false, "left to the next process", "");
	if (fd >= 0)
		close(fd);
}

/*
 * A process that was relieved by this one has left the policy in force, be it of a version that this
 * one cannot read.  Then that is taken away, as it would have been by any other end.
 */
static int apply_first(struct run *run, bool is_successor, struct error *error)
{
	int err = guard_apply(&run->guard, POLICY_FROM_FILE, error);

	if (err != -EPROTO || !is_successor)
		return err;
	say(run, true, "all begins anew: ", error->text);
	err = dataplane_detach(run->guard.ifname, true, NULL, error);
	return err ? err : guard_apply(&run->guard, POLICY_FROM_FILE, error);
}

static void clean_up(struct run *run)
{
	if (run->monitor)
		netlink_monitor_close(run->monitor);
	guard_free(&run->guard);
	close(run->epoll_fd);
	close(run->signal_fd);
	close(run->check_fd);
	if (run->notice_fd >= 0)
		close(run->notice_fd);
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
		.guard.log = request->log,
		.notice_fd = -1,
	};
	int handover_fd = service_take();
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
	if (!err) {
		forward_inherit(run.guard.forward, handover_fd);
		err = apply_first(&run, handover_fd >= 0, error);
	}
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
