/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "follow/follower.h"

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "follow/calls.h"
#include "follow/fetch.h"
#include "follow/grpc.h"
#include "follow/messages.h"
#include "netbird/dns_memory.h"
#include "netbird/dns_tap.h"
#include "netbird/domain_index.h"
#include "process/heartbeat.h"
#include "process/inherit.h"
#include "process/pass.h"
#include "process/privileges.h"

#define SUBSCRIBE_NS (10 * NS_PER_S)
#define LACKING_INTERVALS                                                                          \
	4 /* until a map is asked for again that was lacking twice; then twice as many */
#define LACKING_DOUBLED 4		  /* times at most: 64 */
#define MEMORY_MAX	((rlim_t)1 << 30) /* bytes; a map of 34 MB takes a fifth of it */
#define EVENTS		4

/*
 * struct follower - the process
 * @tap_fd: what the daemon's DNS forwarder answers, -1: not to be read
 * @domains: of the last map; while there is none, what is answered waits
 * @addresses: a report of those that are to be reported next
 */
struct follower {
	struct follow_start start;
	int tap_fd;
	struct domain_index *domains;
	struct follow_report addresses;
	int epoll_fd;
	uint64_t now_ns;
	struct grpc *grpc;
	struct grpc_call events;
	struct fetch fetch;
	bool is_subscribed;	/* the first event has come */
	bool is_reported;	/* what is waited for */
	bool is_writing;	/* waits for room towards the daemon */
	unsigned int n_lacking; /* bundles without a map, one after the other */
	bool over;
	uint64_t subscribe_by_ns;
};

/* A parent that does not take it is gone, and its end is ours. */
static void report(struct follower *f, const struct follow_report *what)
{
	struct follow_report report = *what;

	report.budget = f->start.budget;
	/* many addresses at once are more than the pair of sockets holds: the parent takes them in time */
	if (pass_send_waiting(f->start.control_fd, &report, sizeof(report)))
		f->over = true;
}

static void report_failure(struct follower *f, const char *why)
{
	struct follow_report failure = {.kind = FOLLOW_REPORT_FAILURE};

	snprintf(failure.text, sizeof(failure.text), "%.*s", REPORT_TEXT_MAX - 1, why);
	report(f, &failure);
	f->is_reported = false;
}

/* The connection is of no use any more; another process begins with another one. */
static void leave(struct follower *f, const char *what, const struct error *error)
{
	struct error why = *error;

	error_prefix(&why, "%s", what);
	report_failure(f, why.text);
	f->over = true;
}

static void on_event(struct grpc_call *call, const uint8_t *message, size_t len)
{
	struct follower *f = call->arg;
	bool is_update;

	if (!f->is_subscribed) /* the map as it is now */
		budget_note_event(&f->start.budget, f->now_ns);
	f->is_subscribed = true;
	if (daemon_read_event(message, len, &is_update) || !is_update)
		return;
	budget_note_event(&f->start.budget, f->now_ns);
	f->is_reported = false;
}

static void report_addresses(struct follower *f)
{
	if (f->addresses.len)
		report(f, &f->addresses);
	f->addresses.len = 0;
}

static void on_sighting(void *arg, const struct dns_sighting *sighting)
{
	struct follower *f = arg;

	f->addresses.sightings[f->addresses.len++] = *sighting;
	if (f->addresses.len == REPORT_SIGHTINGS)
		report_addresses(f);
}

static int watch(const struct follower *f, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	return epoll_ctl(f->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

static void leave_tap(struct follower *f)
{
	if (f->tap_fd >= 0)
		close(f->tap_fd);
	f->tap_fd = -1;
}

/* Read answers from now on from that socket, -1: from none. */
static void take_tap(struct follower *f, int fd)
{
	leave_tap(f);
	f->tap_fd = fd;
	if (fd >= 0 && f->domains)
		watch(f, fd);
}

static struct dns_reader reader(struct follower *f)
{
	static struct dns_memory memory;

	return (struct dns_reader){f->domains, &memory, on_sighting, f};
}

/* An interface that is down may come up again; of one that is gone there is nothing to read. */
static void read_tap(struct follower *f)
{
	const struct dns_reader answers = reader(f);
	int err = dns_tap_read(f->tap_fd, &answers);

	report_addresses(f);
	if (err && err != -ENETDOWN)
		leave_tap(f);
}

/*
 * Know the domains of a map from now on; without memory those of the last one.  What was resolved
 * before is reported ahead of the map, so that its sets are not empty when it comes into force.
 */
static void take_domains(struct follower *f, const json_t *sets)
{
	struct domain_index *fresh = domain_index_read(sets);
	bool is_first = !f->domains;
	struct dns_reader answers;

	if (!fresh)
		return;
	domain_index_free(f->domains);
	f->domains = fresh;
	answers = reader(f);
	dns_tap_recall(&answers);
	report_addresses(f);
	if (is_first && f->tap_fd >= 0)
		watch(f, f->tap_fd);
}

/* Hand a policy over: the announcement first, as the pipe holds less than a policy. */
static void give_policy(struct follower *f, const struct netbird_import *policy)
{
	struct follow_report map = {
		.kind = FOLLOW_REPORT_MAP,
		.serial = policy->serial,
		.len = policy->len,
	};
	size_t done = 0;

	report(f, &map);
	while (done < policy->len && !f->over) {
		ssize_t written = write(f->start.policy_fd, policy->text + done,
					policy->len - done);

		if (written < 0 && errno != EINTR)
			f->over = true;
		done += written > 0 ? written : 0;
	}
}

/* The fetch has failed by chance: once more, when there is a fetch left. */
static void try_again(struct follower *f, const struct error *error)
{
	report_failure(f, error->text);
	budget_note_event(&f->start.budget, f->now_ns);
}

/*
 * How long to wait after so many bundles without a map: every user of this host may have told the daemon to
 * keep none, again and again, or it may have none at all, as while it is not logged in.
 */
static uint64_t lacking_ns(const struct follower *f)
{
	unsigned int doubled = f->n_lacking < 2 ? 0 : f->n_lacking - 2;

	if (f->n_lacking < 2)
		return 0;
	if (doubled > LACKING_DOUBLED)
		doubled = LACKING_DOUBLED;
	return (f->start.budget.interval_ns * LACKING_INTERVALS) << doubled;
}

/* Where the map cannot be taken, only another one helps.  Another bundle may be whole, or have a map. */
static void refuse_bundle(struct follower *f, int err, const struct error *why)
{
	f->n_lacking = err == -ENOENT ? f->n_lacking + 1 : 0;
	report_failure(f, why->text);
	if (err != -EINVAL)
		budget_note_event(&f->start.budget, f->now_ns + lacking_ns(f));
}

/* Take the policy out of the bundle's file. */
static void read_bundle(struct follower *f, int fd, const struct follow_answer *answer)
{
	struct netbird_import policy;
	struct error error;
	int err = fetch_take_file(&f->fetch, fd, &answer->networks, &policy, &error);

	if (err) {
		refuse_bundle(f, err, &error);
		return;
	}
	f->n_lacking = 0;
	take_domains(f, policy.sets);
	give_policy(f, &policy);
	netbird_import_free(&policy);
}

/* The bundle's file, or -1: the answer says why there is none. */
static void take_bundle(struct follower *f, int fd, const struct follow_answer *answer)
{
	struct error error;

	if (fd < 0) {
		f->fetch.step = FETCH_IDLE;
		error_set(&error, EIO, "%s", answer->text);
		try_again(f, &error);
	} else {
		read_bundle(f, fd, answer);
		close(fd);
	}
	f->is_reported = false;
}

/* What the parent gives. */
static void take_answer(struct follower *f)
{
	struct follow_answer answer;
	int fd = -1, n = 1;
	ssize_t len = pass_receive(f->start.control_fd, &answer, sizeof(answer), &fd, &n);

	if (len == -EAGAIN || len == -EINTR)
		return;
	if (len != sizeof(answer)) /* the parent has left */
		f->over = true;
	else if (answer.kind == FOLLOW_ANSWER_TAP)
		take_tap(f, n ? fd : -1);
	else
		take_bundle(f, n ? fd : -1, &answer);
}

static void begin_fetch(struct follower *f)
{
	struct follow_report fetches = {.kind = FOLLOW_REPORT_FETCHES};
	struct error error;

	budget_take(&f->start.budget, f->start.is_free, f->now_ns);
	f->start.is_free = false;
	f->is_reported = false;
	report(f, &fetches);
	if (fetch_begin(&f->fetch, f->now_ns, &error))
		leave(f, "NetBird", &error);
}

static void go_on_with_fetch(struct follower *f)
{
	const struct follow_report asks = {.kind = FOLLOW_REPORT_ASKS};
	struct follow_report bundle = {.kind = FOLLOW_REPORT_BUNDLE};
	enum fetch_step before = f->fetch.step;
	struct error error;

	switch (fetch_go_on(&f->fetch, f->now_ns, &error)) {
	case FETCH_GOES_ON:
		if (f->fetch.step == FETCH_BUNDLE && before != FETCH_BUNDLE)
			report(f, &asks);
		break;
	case FETCH_WANTS_FILE:
		snprintf(bundle.text, sizeof(bundle.text), "%s", f->fetch.path);
		report(f, &bundle);
		break;
	case FETCH_HAS_FAILED:
		try_again(f, &error);
		break;
	}
}

/* When the next fetch is due: at once, where it is none of the budget's. */
static uint64_t due_ns(const struct follower *f)
{
	return f->start.is_free ? f->now_ns : budget_due_ns(&f->start.budget, f->now_ns);
}

/* Tell once when the next map is fetched. */
static void report_wait(struct follower *f)
{
	uint64_t due = due_ns(f);
	struct follow_report waits = {
		.kind = FOLLOW_REPORT_WAITS,
		.due_ns = due == UINT64_MAX ? 0 : due,
	};

	f->is_reported = true;
	report(f, &waits);
}

/* Do what is due. */
static void go_on(struct follower *f)
{
	struct error error;

	if (f->events.is_over) {
		error_set(&error, ECONNRESET, "status %d %s", f->events.status, f->events.reason);
		leave(f, "SubscribeEvents", &error);
	} else if (!f->is_subscribed && f->now_ns >= f->subscribe_by_ns) {
		error_set(&error, ETIMEDOUT, "it does not answer within %llu s",
			  (unsigned long long)(SUBSCRIBE_NS / NS_PER_S));
		leave(f, "SubscribeEvents", &error);
	} else if (fetch_is_late(&f->fetch, f->now_ns, &error)) {
		leave(f, "it does not answer", &error);
	} else if (f->fetch.step != FETCH_IDLE) {
		go_on_with_fetch(f);
	} else if (f->is_subscribed && due_ns(f) <= f->now_ns) {
		begin_fetch(f);
	}
	if (f->is_subscribed && f->fetch.step == FETCH_IDLE && !f->is_reported && !f->over)
		report_wait(f);
}

/* When go_on() has something to do though nothing has come. */
static uint64_t wakes_ns(const struct follower *f)
{
	if (!f->is_subscribed)
		return f->subscribe_by_ns;
	if (f->fetch.step != FETCH_IDLE)
		return f->fetch.deadline_ns;
	return due_ns(f);
}

static int sleep_ms(uint64_t wakes_ns, uint64_t now_ns)
{
	if (wakes_ns == UINT64_MAX)
		return -1;
	return wakes_ns <= now_ns ? 0 : (wakes_ns - now_ns) / NS_PER_MS + 1;
}

/* Have the kernel say when there is room, only while something waits for it. */
static void watch_room(struct follower *f)
{
	bool wants = grpc_wants_write(f->grpc);
	struct epoll_event event = {
		.events = wants ? EPOLLIN | EPOLLOUT : EPOLLIN,
		.data.fd = f->start.daemon_fd,
	};

	if (wants != f->is_writing)
		epoll_ctl(f->epoll_fd, EPOLL_CTL_MOD, f->start.daemon_fd, &event);
	f->is_writing = wants;
}

static void turn(struct follower *f)
{
	struct epoll_event events[EVENTS];
	uint64_t wakes = wakes_ns(f);
	bool has_answers = false;
	struct error error;
	int n;

	heartbeat_sleep(f->start.heartbeat, wakes);
	n = epoll_wait(f->epoll_fd, events, EVENTS, sleep_ms(wakes, f->now_ns));
	heartbeat_wake(f->start.heartbeat);
	f->now_ns = clock_ns(CLOCK_MONOTONIC);
	for (int i = 0; i < n && !f->over; i++) {
		if (events[i].data.fd == f->start.control_fd)
			take_answer(f);
		else if (events[i].data.fd == f->tap_fd)
			has_answers = true;
		else if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR) &&
			 grpc_read(f->grpc, &error))
			leave(f, "NetBird's daemon", &error);
	}
	if (!f->over)
		go_on(f);
	/* after all that concerns maps, as the parent may take its time to hear of addresses */
	if (has_answers && !f->over && f->tap_fd >= 0)
		read_tap(f);
	if (!f->over && grpc_write(f->grpc, &error))
		leave(f, "NetBird's daemon", &error);
	watch_room(f);
}

/* All that takes rights, and then their end. */
static int prepare(struct follower *f, struct error *error)
{
#ifndef __SANITIZE_ADDRESS__
	const struct rlimit memory = {MEMORY_MAX, MEMORY_MAX};

	setrlimit(RLIMIT_DATA, &memory);
#endif
	prctl(PR_SET_NAME, "shrike-netbird");
	json_object_seed(0); /* by a file that cannot be opened later */
	f->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (f->epoll_fd < 0 || watch(f, f->start.daemon_fd) || watch(f, f->start.control_fd))
		return error_set(error, errno, "cannot wait for events: %s", strerror(errno));
	return privileges_drop(&follow_calls, error);
}

static int subscribe(struct follower *f, struct error *error)
{
	int err = grpc_open(f->start.daemon_fd, DAEMON_SERVICE, &f->grpc, error);

	if (err)
		return err;
	f->events = (struct grpc_call){
		.method = "SubscribeEvents",
		.on_message = on_event,
		.arg = f,
	};
	f->fetch.grpc = f->grpc;
	f->fetch.ifname = f->start.ifname;
	f->subscribe_by_ns = f->now_ns + SUBSCRIBE_NS;
	err = grpc_start(f->grpc, &f->events, NULL, 0, error);
	return err ? err : grpc_write(f->grpc, error);
}

/**
 * follower_begin() - Be the process that listens to the daemon, until parent or daemon leave
 * @start: what it needs, and keeps: nothing else of the parent's stays open
 * @parent: whose end is its end
 */
void follower_begin(struct follow_start *start, pid_t parent)
{
	int *const inherited[] = {&start->daemon_fd, &start->control_fd, &start->policy_fd};
	size_t n = sizeof(inherited) / sizeof(*inherited);
	struct follower f = {.tap_fd = -1, .addresses.kind = FOLLOW_REPORT_ADDRESSES};
	struct error error;

	inherit_only(parent, inherited, n, n);
	f.start = *start;
	f.now_ns = clock_ns(CLOCK_MONOTONIC);
	if (prepare(&f, &error) || subscribe(&f, &error)) {
		report_failure(&f, error.text);
		_exit(1);
	}
	heartbeat_wake(start->heartbeat);
	while (!f.over)
		turn(&f);
	_exit(0);
}
