/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "follow/follow.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/value.h"
#include "follow/bundle.h"
#include "follow/daemon_socket.h"
#include "follow/follower.h"
#include "follow/incoming.h"
#include "follow/leftover.h"
#include "process/heartbeat.h"
#include "process/pass.h"
#include "process/privileges.h"

#define DELAY_FIRST_NS	 (NS_PER_S / 10)
#define DELAY_CONNECT_NS (2 * NS_PER_S)	 /* at most, while there is no daemon */
#define DELAY_MAX_NS	 (60 * NS_PER_S) /* at most, while the daemon gives no map */
#define HANG_NS		 (30 * NS_PER_S) /* of silence; a large map takes seconds */
#define TAKING_NS	 (5 * NS_PER_S) /* a map at most, from its file on; a large one takes 4 s */
#define AGAIN_FIRST_NS	 NS_PER_S	/* after a map that did not come into force */
#define AGAIN_MAX_NS	 (60 * NS_PER_S)
#define REPORTS_MAX	 256 /* of one call, or a flood of addresses would keep its caller */
#define EVENTS		 5

/*
 * struct waiting_map - the newest map, while it is not in force
 * @text: NetBird's part of a policy; NULL: none waits
 * @again_ns: when it is tried again; 0: only when the user asks for it
 * @delay_ns: between the last try and the next one
 * @is_why: status.why says why it waits
 */
struct waiting_map {
	char *text;
	size_t len;
	uint64_t serial;
	uint64_t again_ns;
	uint64_t delay_ns;
	bool is_why;
};

struct follow {
	struct follow_user user;
	int epoll_fd;
	int timer_fd; /* to connect again */
	int control_fd;
	int tap_fd; /* of DNS answers, for each child; -1: none */
	int pid_fd;
	pid_t pid; /* 0: none runs */
	struct pulse pulse;
	struct incoming incoming;
	struct waiting_map waiting;
	uint64_t delay_ns;
	uint64_t free_ns;   /* when a fetch was given that is none of the budget's */
	bool has_map;	    /* of this connection */
	bool takes_older;   /* the next map, whatever its serial */
	uint64_t taking_ns; /* since when the child has a map's file; 0: it has none */
	struct budget budget;
	struct leftover leftover;
	struct follow_status status;
};

static uint64_t now(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void publish(struct follow *follow)
{
	follow->user.on_change(follow->user.arg, &follow->status);
}

/* No newer map than that in force can be had. */
static void fail(struct follow *follow, const char *why)
{
	struct follow_status *status = &follow->status;

	if (!status->why[0])
		status->stale_ns = clock_kernel_ns(CLOCK_MONOTONIC);
	snprintf(status->why, sizeof(status->why), "%.*s", FOLLOW_WHY_MAX - 1, why);
	text_make_printable(status->why);
	status->is_fetching = false;
	status->due_ns = 0;
	follow->taking_ns = 0;
	follow->waiting.is_why = false;
	publish(follow);
}

static int watch(struct follow *follow, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	return fd < 0 || epoll_ctl(follow->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -1 : 0;
}

/* Once more after a while, which doubles up to @max_ns. */
static void connect_again(struct follow *follow, uint64_t max_ns)
{
	follow->delay_ns = follow->delay_ns ? follow->delay_ns * 2 : DELAY_FIRST_NS;
	if (follow->delay_ns > max_ns)
		follow->delay_ns = max_ns;
	clock_arm(follow->timer_fd, follow->delay_ns);
}

/* What the child is given, and what is kept here: ends of a pair and of a pipe. */
static int open_ends(struct follow *follow, struct follow_start *start)
{
	int pair[2], ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	if (pipe2(ends, O_CLOEXEC)) {
		close(pair[0]);
		close(pair[1]);
		return -errno;
	}
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	follow->control_fd = pair[0];
	start->control_fd = pair[1];
	incoming_open(&follow->incoming, ends[0]);
	start->policy_fd = ends[1];
	return 0;
}

static void close_ends(struct follow *follow)
{
	close_fd(&follow->control_fd);
	close_fd(&follow->pid_fd);
	incoming_close(&follow->incoming);
}

/* Have the child read DNS answers, or no more. */
static void give_tap(struct follow *follow)
{
	const struct follow_answer tap = {.kind = FOLLOW_ANSWER_TAP};

	pass_send(follow->control_fd, &tap, sizeof(tap), &follow->tap_fd, follow->tap_fd >= 0);
}

static int start_child(struct follow *follow, int daemon_fd)
{
	struct follow_start start = {
		.daemon_fd = daemon_fd,
		.heartbeat = follow->pulse.heartbeat,
		.budget = follow->budget,
		.is_free = !follow->free_ns || now() - follow->free_ns >= follow->user.interval_ns,
	};
	pid_t pid, parent = getpid();
	int err = open_ends(follow, &start);

	if (err)
		return err;
	snprintf(start.ifname, sizeof(start.ifname), "%s", follow->user.ifname);
	heartbeat_reset(&follow->pulse);
	pid = fork();
	if (!pid)
		follower_begin(&start, parent);
	err = pid < 0 ? -errno : 0;
	close(start.control_fd);
	close(start.policy_fd);
	if (err) {
		close_ends(follow);
		return err;
	}
	follow->pid = pid;
	follow->pid_fd = syscall(SYS_pidfd_open, pid, 0);
	follow->has_map = false;
	if (start.is_free)
		follow->free_ns = now();
	watch(follow, follow->pid_fd);
	watch(follow, follow->control_fd);
	if (follow->tap_fd >= 0)
		give_tap(follow);
	return 0;
}

/* Connect to the daemon, and have a child listen to it. */
static void start(struct follow *follow)
{
	struct error error;
	int fd, err = daemon_connect(follow->user.socket, &fd, &error);

	if (!err) {
		err = start_child(follow, fd);
		close(fd);
		if (err)
			error_set(&error, -err, "cannot start a process: %s", strerror(-err));
	}
	if (!err)
		return;
	leftover_daemon_gone(&follow->leftover);
	fail(follow, error.text);
	connect_again(follow, DELAY_CONNECT_NS);
}

/**
 * follow_new() - Follow the daemon from now on
 * @user: who; what it points to stays where it is
 * @follow: set to what follows, for follow_free()
 * @error: set on failure
 *
 * A daemon that is not there is no failure: it may come.  Callbacks are called by follow_ready() and
 * follow_check().
 *
 * Return: 0 or -errno.
 */
int follow_new(const struct follow_user *user, struct follow **follow, struct error *error)
{
	struct follow *fresh = calloc(1, sizeof(*fresh));

	if (!fresh)
		return error_no_memory(error);
	fresh->user = *user;
	fresh->control_fd = fresh->pid_fd = fresh->tap_fd = -1;
	incoming_init(&fresh->incoming);
	budget_init(&fresh->budget, user->interval_ns);
	snprintf(fresh->status.socket, sizeof(fresh->status.socket), "%s", user->socket);
	fresh->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	fresh->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (watch(fresh, fresh->timer_fd))
		error_set(error, errno, "cannot wait for events: %s", strerror(errno));
	else if (!heartbeat_new(HANG_NS, &fresh->pulse, error)) {
		clock_arm(fresh->timer_fd, 1); /* at once, but not before this returns */
		*follow = fresh;
		return 0;
	}
	follow_free(fresh);
	return -error->code;
}

/**
 * follow_fd() - Readable when follow_ready() has something to do
 */
int follow_fd(const struct follow *follow)
{
	return follow->epoll_fd;
}

/* Open the bundle that the child has been told of. */
static void pass_bundle(struct follow *follow, const char *path)
{
	struct follow_answer answer = {.kind = FOLLOW_ANSWER_BUNDLE};
	struct error error;
	int fd = -1, err = bundle_take(path, &fd, &error);

	if (!err)
		err = networks_read(follow->user.ifname, &answer.networks, &error);
	if (err)
		snprintf(answer.text, sizeof(answer.text), "%.*s", REPORT_TEXT_MAX - 1, error.text);
	else
		follow->taking_ns = now();
	pass_send(follow->control_fd, &answer, sizeof(answer), &fd, !err);
	close_fd(&fd);
}

static void forget_waiting(struct follow *follow)
{
	free(follow->waiting.text);
	follow->waiting = (struct waiting_map){};
}

/* Whether the map that waits is older than the one in force, and nobody has asked for it. */
static bool is_older(const struct follow *follow)
{
	return follow->status.map_ns && follow->waiting.serial < follow->status.serial &&
	       !follow->takes_older;
}

/*
 * Say why the map waits.  What it has revoked is in force until it is, and the daemon says nothing of it
 * again: so it is tried until it is.
 */
static void let_wait(struct follow *follow, const char *why)
{
	struct waiting_map *map = &follow->waiting;

	map->delay_ns = map->delay_ns ? map->delay_ns * 2 : AGAIN_FIRST_NS;
	if (map->delay_ns > AGAIN_MAX_NS)
		map->delay_ns = AGAIN_MAX_NS;
	map->again_ns = is_older(follow) ? 0 : now() + map->delay_ns;
	if (!map->is_why) /* there is something else by now */
		return;
	fail(follow, why);
	map->is_why = true;
}

/* Put the map that waits into force. */
static void put_into_force(struct follow *follow)
{
	struct follow_status *status = &follow->status;
	struct waiting_map *map = &follow->waiting;
	char why[FOLLOW_WHY_MAX];
	struct error error;

	if (is_older(follow)) {
		snprintf(why, sizeof(why), "the daemon's map has serial %llu, which is older",
			 (unsigned long long)map->serial);
		let_wait(follow, why);
		return;
	}
	if (follow->user.on_map(follow->user.arg, map->serial, map->text, map->len, &error)) {
		let_wait(follow, error.text);
		return;
	}
	follow->takes_older = false;
	status->serial = map->serial;
	status->map_ns = clock_kernel_ns(CLOCK_MONOTONIC);
	if (map->is_why)
		status->why[0] = '\0';
	forget_waiting(follow);
	publish(follow);
}

/* The newest map has come: it takes the place of one that waits. */
static void take_policy(struct follow *follow)
{
	struct incoming *policy = &follow->incoming;

	follow->has_map = true;
	follow->taking_ns = 0;
	follow->delay_ns = 0;
	follow->status.is_fetching = false;
	forget_waiting(follow);
	follow->waiting = (struct waiting_map){
		.text = policy->text,
		.len = policy->len,
		.serial = policy->serial,
		.is_why = true, /* whatever it has been: the daemon has given a map */
	};
	policy->text = NULL;
	put_into_force(follow);
}

/* The pipe is listened to only while a policy has been announced.  Returns whether more may come. */
static bool on_pipe(struct follow *follow)
{
	enum incoming_state state = incoming_read(&follow->incoming);

	if (state == INCOMING_WHOLE)
		take_policy(follow);
	if (state == INCOMING_WHOLE || state == INCOMING_ENDED) {
		incoming_reset(&follow->incoming);
		epoll_ctl(follow->epoll_fd, EPOLL_CTL_DEL, follow->incoming.fd, NULL);
	}
	return state == INCOMING_PART;
}

/* A child that says what it should not is ended. */
static void end_child(struct follow *follow, const char *why)
{
	fail(follow, why);
	privileges_kill(follow->pid);
}

static void take_report(struct follow *follow, struct follow_report *report)
{
	struct follow_status *status = &follow->status;

	follow->budget = report->budget;
	follow->budget.interval_ns = follow->user.interval_ns;
	report->text[sizeof(report->text) - 1] = '\0';
	switch (report->kind) {
	case FOLLOW_REPORT_WAITS:
		leftover_answered(&follow->leftover, NULL);
		status->due_ns = report->due_ns;
		status->is_fetching = false;
		publish(follow);
		break;
	case FOLLOW_REPORT_FETCHES:
		status->due_ns = 0;
		status->is_fetching = true;
		publish(follow);
		break;
	case FOLLOW_REPORT_ASKS:
		leftover_asked(&follow->leftover);
		break;
	case FOLLOW_REPORT_BUNDLE:
		leftover_answered(&follow->leftover, report->text);
		pass_bundle(follow, report->text);
		break;
	case FOLLOW_REPORT_MAP:
		if (incoming_begin(&follow->incoming, report->serial, report->len) ||
		    watch(follow, follow->incoming.fd))
			end_child(follow, "a policy that cannot be taken");
		break;
	case FOLLOW_REPORT_FAILURE:
		fail(follow, report->text);
		break;
	case FOLLOW_REPORT_ADDRESSES:
		for (size_t i = 0; i < report->len && i < REPORT_SIGHTINGS; i++)
			follow->user.on_address(follow->user.arg, &report->sightings[i]);
		break;
	}
}

/* Returns whether there was a report. */
static bool on_report(struct follow *follow)
{
	struct follow_report report;
	int fd = -1, n = 0;
	ssize_t len = pass_receive(follow->control_fd, &report, sizeof(report), &fd, &n);

	if (len == sizeof(report))
		take_report(follow, &report);
	else if (!len) /* its descriptor reports the end of the process */
		epoll_ctl(follow->epoll_fd, EPOLL_CTL_DEL, follow->control_fd, NULL);
	return len > 0;
}

/* All at once: what they change together comes into force together. */
static void take_reports(struct follow *follow)
{
	for (int i = 0; i < REPORTS_MAX && on_report(follow); i++)
		;
}

static void on_end(struct follow *follow)
{
	waitpid(follow->pid, NULL, 0);
	/* its last words */
	while (on_report(follow))
		;
	while (on_pipe(follow))
		;
	follow->pid = 0;
	leftover_child_ended(&follow->leftover);
	close_ends(follow);
	if (!follow->status.why[0] || follow->status.is_fetching)
		fail(follow, "the process that listens to the daemon has ended");
	connect_again(follow, follow->has_map ? DELAY_CONNECT_NS : DELAY_MAX_NS);
}

static void on_timer(struct follow *follow)
{
	uint64_t ticks;

	if (read(follow->timer_fd, &ticks, sizeof(ticks)) == sizeof(ticks) && !follow->pid)
		start(follow);
}

/**
 * follow_ready() - Do what there is to do
 */
void follow_ready(struct follow *follow)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(follow->epoll_fd, events, EVENTS, 0);
	bool has_ended = false, has_policy = false;

	for (int i = 0; i < n; i++) {
		int fd = events[i].data.fd;

		if (fd == follow->timer_fd)
			on_timer(follow);
		else if (fd == follow->pid_fd)
			has_ended = true;
		else if (fd == follow->control_fd)
			take_reports(follow);
		else if (fd == follow->incoming.fd)
			has_policy = true;
	}
	/* behind the addresses that belong to it */
	if (has_policy)
		on_pipe(follow);
	/* last, as it closes the others */
	if (has_ended)
		on_end(follow);
}

/**
 * follow_is_taking() - Whether a map is about to come, so that nothing less is to be begun
 */
bool follow_is_taking(const struct follow *follow)
{
	return follow->taking_ns && now() - follow->taking_ns < TAKING_NS;
}

/**
 * follow_check() - Try again what has failed, end a child that hangs, and clear up after it; to be
 * called every second
 */
void follow_check(struct follow *follow)
{
	leftover_look(&follow->leftover);
	if (follow->waiting.again_ns && now() >= follow->waiting.again_ns)
		put_into_force(follow);
	if (follow->pid &&
	    heartbeat_look(&follow->pulse, follow->pid, true, now()) == HEARTBEAT_HANGS)
		end_child(follow, "the process that listens to the daemon hangs");
}

/**
 * follow_listen() - Have the answers of the daemon's DNS forwarder read
 * @follow: who follows
 * @tap_fd: of dns_tap_open(), owned from here on; -1: they are to be read no more
 */
void follow_listen(struct follow *follow, int tap_fd)
{
	close_fd(&follow->tap_fd);
	follow->tap_fd = tap_fd;
	if (follow->pid)
		give_tap(follow);
}

/**
 * follow_forget() - Take the map that waits, or the next one, whatever its serial is, as the user has
 * asked for it
 *
 * It comes into force by follow_check(): the user's policy is about to.
 */
void follow_forget(struct follow *follow)
{
	follow->takes_older = true;
	if (follow->waiting.text)
		follow->waiting.again_ns = now();
}

/**
 * follow_free() - Follow no longer
 */
void follow_free(struct follow *follow)
{
	if (!follow)
		return;
	if (follow->pid) {
		privileges_kill(follow->pid);
		waitpid(follow->pid, NULL, 0);
	}
	close_ends(follow);
	forget_waiting(follow);
	close_fd(&follow->timer_fd);
	close_fd(&follow->tap_fd);
	close_fd(&follow->epoll_fd);
	heartbeat_free(&follow->pulse);
	free(follow);
}
