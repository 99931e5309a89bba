/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "metrics/publish.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "metrics/collector.h"
#include "metrics/listen.h"
#include "metrics/server.h"
#include "process/pass.h"
#include "process/privileges.h"

#define HANG_NS	  (10 * NS_PER_S) /* of the server's silence */
#define STABLE_NS (10 * NS_PER_S) /* a server that lived so long is missed aloud */
#define EVENTS	  4

/* A child. */
struct child {
	pid_t pid; /* 0: there is none */
	int pid_fd;
	uint64_t began_ns;
};

struct publish {
	struct publish_user user;
	int listen_fd;
	int epoll_fd;
	int timer_fd;	/* to collect what is wanted */
	int control_fd; /* to the server */
	struct child server;
	struct child collector;
	struct pulse pulse;
	bool is_wanted;		/* that somebody collects */
	uint64_t not_before_ns; /* but not before that */
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

static int watch(struct publish *publish, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	return fd < 0 || epoll_ctl(publish->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -1 : 0;
}

/* A process has been forked, or not: note it.  0 or -errno. */
static int note_child(struct publish *publish, struct child *child, pid_t pid)
{
	if (pid < 0)
		return -errno;
	*child = (struct child){pid, syscall(SYS_pidfd_open, pid, 0), now()};
	watch(publish, child->pid_fd);
	return 0;
}

/* A child has ended, or is to.  Returns whether it did what it was for. */
static bool reap(struct child *child)
{
	int status = 1;

	waitpid(child->pid, &status, 0);
	close_fd(&child->pid_fd);
	child->pid = 0;
	return !status;
}

static void end(struct child *child)
{
	if (!child->pid)
		return;
	privileges_kill(child->pid);
	reap(child);
}

static int start_server(struct publish *publish)
{
	struct server_start start = {.listen_fd = publish->listen_fd,
				     .heartbeat = publish->pulse.heartbeat};
	pid_t parent = getpid(), pid;
	int pair[2], err;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	start.control_fd = pair[1];
	heartbeat_reset(&publish->pulse);
	pid = fork();
	if (!pid)
		server_begin(&start, parent);
	err = note_child(publish, &publish->server, pid);
	close(pair[1]);
	close_fd(&publish->control_fd);
	publish->control_fd = pair[0];
	watch(publish, pair[0]);
	publish->is_wanted = false;
	return err;
}

static void start_collector(struct publish *publish)
{
	struct collector_start start = {publish->user.ifname, publish->user.collect,
					publish->control_fd};
	pid_t parent = getpid(), pid = fork();

	if (!pid)
		collector_begin(&start, parent);
	if (!note_child(publish, &publish->collector, pid))
		publish->is_wanted = false;
}

/* Collect, if somebody waits for it: now, or when enough time has passed since it was done. */
static void collect(struct publish *publish)
{
	uint64_t now_ns = now();

	if (!publish->is_wanted || publish->collector.pid)
		return;
	if (now_ns >= publish->not_before_ns)
		start_collector(publish);
	else
		clock_arm(publish->timer_fd, publish->not_before_ns - now_ns);
}

static void on_request(struct publish *publish)
{
	char request;
	int n = 0;
	ssize_t len = pass_receive(publish->control_fd, &request, sizeof(request), NULL, &n);

	if (!len) /* its descriptor reports the end of the process */
		epoll_ctl(publish->epoll_fd, EPOLL_CTL_DEL, publish->control_fd, NULL);
	publish->is_wanted |= len > 0;
	collect(publish);
}

/* The collector was killed, or had nobody to hand the texts to. */
static void send_failure(struct publish *publish)
{
	struct metrics_report report = {
		.serve_ns = collector_pause_ns(0),
		.failure = "the process that collects metrics has ended\n",
	};

	pass_send(publish->control_fd, &report, sizeof(report), NULL, 0);
}

static void on_collected(struct publish *publish)
{
	uint64_t now_ns = now();

	publish->not_before_ns = now_ns + collector_pause_ns(now_ns - publish->collector.began_ns);
	if (!reap(&publish->collector))
		send_failure(publish);
	collect(publish);
}

static void on_server_end(struct publish *publish)
{
	if (now() - publish->server.began_ns >= STABLE_NS)
		publish->user.on_failure(
			publish->user.arg,
			"the process that serves metrics has ended; starting another one");
	reap(&publish->server); /* publish_check() does */
}

/**
 * publish_new() - Serve metrics from now on
 * @user: who; what it points to stays where it is
 * @publish: set to what serves, for publish_free()
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int publish_new(const struct publish_user *user, struct publish **publish, struct error *error)
{
	struct publish *fresh = calloc(1, sizeof(*fresh));
	int err;

	if (!fresh)
		return error_no_memory(error);
	fresh->user = *user;
	fresh->control_fd = fresh->listen_fd = -1;
	fresh->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	fresh->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	err = watch(fresh, fresh->timer_fd)
		      ? error_set(error, errno, "cannot wait for events: %s", strerror(errno))
		      : heartbeat_new(HANG_NS, &fresh->pulse, error);
	if (!err)
		err = listen_open(user->address, &fresh->listen_fd, error);
	if (!err) {
		err = start_server(fresh);
		if (err)
			error_set(error, -err, "cannot start a process: %s", strerror(-err));
	}
	if (err)
		publish_free(fresh);
	else
		*publish = fresh;
	return err;
}

/**
 * publish_fd() - Readable when publish_ready() has something to do
 */
int publish_fd(const struct publish *publish)
{
	return publish->epoll_fd;
}

/**
 * publish_ready() - Do what there is to do
 */
void publish_ready(struct publish *publish)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(publish->epoll_fd, events, EVENTS, 0);
	uint64_t ticks;

	for (int i = 0; i < n; i++) {
		int fd = events[i].data.fd;

		if (fd == publish->control_fd)
			on_request(publish);
		else if (fd == publish->server.pid_fd)
			on_server_end(publish);
		else if (fd == publish->collector.pid_fd)
			on_collected(publish);
		else if (read(publish->timer_fd, &ticks, sizeof(ticks)) == sizeof(ticks))
			collect(publish);
	}
}

/**
 * publish_check() - Have a server that works; to be called every second
 * @publish: what serves, or NULL
 */
void publish_check(struct publish *publish)
{
	if (!publish)
		return;
	if (!publish->server.pid)
		start_server(publish);
	else if (heartbeat_look(&publish->pulse, publish->server.pid, true, now()) ==
		 HEARTBEAT_HANGS)
		privileges_kill(publish->server.pid);
}

/**
 * publish_free() - Serve metrics no longer
 * @publish: what serves, or NULL
 */
void publish_free(struct publish *publish)
{
	if (!publish)
		return;
	end(&publish->server);
	end(&publish->collector);
	if (publish->listen_fd >= 0)
		listen_close(publish->user.address, publish->listen_fd);
	close_fd(&publish->control_fd);
	close_fd(&publish->timer_fd);
	close_fd(&publish->epoll_fd);
	heartbeat_free(&publish->pulse);
	free(publish);
}
