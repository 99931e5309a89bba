/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "forward/worker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "forward/answer.h"
#include "forward/calls.h"
#include "forward/echo.h"
#include "forward/flows.h"
#include "forward/handover.h"
#include "forward/move.h"
#include "forward/ports.h"
#include "forward/private.h"
#include "forward/recheck.h"
#include "forward/relay.h"
#include "forward/route.h"
#include "forward/socket.h"
#include "forward/state.h"
#include "forward/tcp.h"
#include "forward/transmit.h"
#include "forward/tun_input.h"
#include "forward/udp_endpoint.h"
#include "forward/watch.h"
#include "process/heartbeat.h"
#include "process/pass.h"
#include "process/privileges.h"

#define EVENTS_PER_ROUND 256
#define TICK_MS		 250 /* how often timeouts are looked at, at most */
#define SLEEP_MAX_MS	 (24 * 3600 * 1000)
#define FILES_SPARE	 128 /* descriptors that are no flow's */
#define FILES_PER_FLOW	 2
#define RESETS_PER_DRAIN 500 /* the TUN queues more than that */

static void take_order(struct worker *w, const struct forward_order *order, const int *fds)
{
	for (int i = 0; i < FORWARD_FDS; i++) {
		close(w->start.fds[i]);
		w->start.fds[i] = fds[i];
	}
	w->order = *order;
	recheck_flows(w, fds[FORWARD_FD_JUDGE]);
	close(fds[FORWARD_FD_JUDGE]);
}

/* What the kernel has counted on the sockets. */
static void count_losses(struct worker *w)
{
	w->counted_ns = w->now_ns;
	if (w->tun_input)
		tun_input_count(w);
	else
		sockets_count(w);
	echo_count(w);
}

static void hand_over(struct worker *w, int writer)
{
	handover_give(w, writer);
	w->over = w->is_handed_over = true;
}

static void control_ready(struct worker *w, struct watch *watch, uint32_t events)
{
	struct forward_message message;
	int fds[PASS_FDS_MAX], n = PASS_FDS_MAX;
	ssize_t len = pass_receive(w->start.control_fd, &message, sizeof(message), fds, &n);
	struct error error;

	(void)watch;
	(void)events;
	if (len == -EAGAIN || len == -EINTR)
		return;
	if (len != sizeof(message)) /* the parent has left */
		w->over = true;
	else if (message.kind == FORWARD_MESSAGE_INQUIRY)
		count_losses(w);
	else if (message.kind == FORWARD_MESSAGE_ORDER)
		take_order(w, &message.order, fds);
	else if (message.kind == FORWARD_MESSAGE_HAND_OVER)
		hand_over(w, fds[0]);
	else if (move_take(w, &message.queues, fds, n, &error))
		w->over = true; /* the next forwarder opens them itself */
}

static int map_status(struct worker *w, struct error *error)
{
	size_t size = sysconf(_SC_PAGESIZE);

	w->status = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
			 w->start.fds[FORWARD_FD_STATUS], 0);
	if (w->status == MAP_FAILED)
		return error_set(error, errno, "cannot map BPF map forwarder_v2: %s",
				 strerror(errno));
	return 0;
}

static int prepare(struct worker *w, struct error *error)
{
	uint32_t files = privileges_raise_files();

	for (int i = 0; i < SHARED_KINDS; i++)
		shares_init(&w->shares[i]);
	TAILQ_INIT(&w->idle_peers);
	TAILQ_INIT(&w->dialling);
	TAILQ_INIT(&w->accepting);
	TAILQ_INIT(&w->connected);
	TAILQ_INIT(&w->unfinished);
	TAILQ_INIT(&w->udp);
	TAILQ_INIT(&w->udp_streams);
	TAILQ_INIT(&w->dead_endpoints);
	TAILQ_INIT(&w->echo);
	TAILQ_INIT(&w->dead);
	ports_read(w);
	w->flows_max = files > 2 * FILES_SPARE ? (files - FILES_SPARE) / FILES_PER_FLOW
					       : FILES_SPARE / FILES_PER_FLOW;
	if (getrandom(w->hash_key, sizeof(w->hash_key), 0) < 0)
		return error_set(error, errno, "cannot get random numbers: %s", strerror(errno));
	w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	w->reassembly = reassembly_new();
	w->buffer = malloc(BUFFER_BYTES);
	w->tun_packet = malloc(TUN_PACKET_MAX);
	if (splitter_init(&w->splitter) || w->epoll_fd < 0 || !w->reassembly || !w->buffer ||
	    !w->tun_packet)
		return error_no_memory(error);
	coalesce_init(&w->coalescer, tcp_write_tun, w);
	w->control_watch.ready = control_ready;
	if (watch_add(w, w->start.control_fd, &w->control_watch, EPOLLIN))
		return error_set(error, errno, "cannot wait for events: %s", strerror(errno));
	return map_status(w, error);
}

/* Everything that needs privileges; what opens the way in comes last. */
static int open_all(struct worker *w, struct error *error)
{
	bool is_successor = false;
	int err = prepare(w, error);

	if (!err && w->start.handover_fd >= 0)
		is_successor = handover_take_private(w, w->start.handover_fd);
	if (!err)
		err = route_open(w, error);
	if (!err)
		err = transmit_open(w, error);
	if (!err)
		err = echo_open(w, error);
	if (!err)
		err = answer_open(w, error);
	if (!err && !is_successor)
		err = private_open(w, error);
	if (!err)
		err = w->order.config.forwarder_input == FORWARDER_INPUT_TUN
			      ? tun_input_open(w, error)
			      : sockets_open(w, error);
	if (!err)
		err = privileges_drop(&forward_calls, error);
	/* of a process that has read what peers send: without rights */
	if (!err && is_successor)
		handover_take_flows(w, w->start.handover_fd);
	return err;
}

/* Until the next flow may have to end: connections without traffic wake nobody. */
static int sleep_ms(struct worker *w)
{
	uint64_t ms;

	if (!TAILQ_EMPTY(&w->unfinished))
		return 0;
	if (!flows_count(w))
		return -1;
	ms = flows_expire_in(w) / NS_PER_MS;
	return ms < TICK_MS ? TICK_MS : ms > SLEEP_MAX_MS ? SLEEP_MAX_MS : ms;
}

static int wait_for_events(struct worker *w, struct epoll_event *events)
{
	int timeout_ms = sleep_ms(w), n;

	heartbeat_sleep(w->start.heartbeat,
			timeout_ms < 0 ? UINT64_MAX : w->now_ns + timeout_ms * NS_PER_MS);
	n = epoll_wait(w->epoll_fd, events, EVENTS_PER_ROUND, timeout_ms);
	heartbeat_wake(w->start.heartbeat);
	return n;
}

static void round_of_events(struct worker *w)
{
	struct epoll_event events[EVENTS_PER_ROUND];
	int n = wait_for_events(w, events);

	w->now_ns = clock_ns(CLOCK_MONOTONIC);
	for (int i = 0; i < n; i++) {
		struct watch *watch = events[i].data.ptr;

		watch->ready(w, watch, events[i].events);
	}
	if (w->now_ns - w->counted_ns >= NS_PER_S)
		count_losses(w);
	relay_continue(w);
	flows_expire(w);
	flows_reap(w);
	udp_endpoints_reap(w);
}

static void end_list(struct worker *w, struct flow_list *list)
{
	struct flow_entry *flow;

	for (int n = 1; (flow = TAILQ_FIRST(list)); n++) {
		flow->end(w, flow, END_LEAVING);
		if (n % RESETS_PER_DRAIN == 0)
			for (int i = 0; i < RESETS_PER_DRAIN; i++)
				tcp_tun_ready(w, &w->tun_watch, 0);
	}
	for (int i = 0; i < RESETS_PER_DRAIN; i++)
		tcp_tun_ready(w, &w->tun_watch, 0);
}

/* Tell both ends of every connection that it is over. */
static void leave(struct worker *w)
{
	end_list(w, &w->dialling);
	end_list(w, &w->accepting);
	end_list(w, &w->unfinished);
	end_list(w, &w->connected);
}

/* Where the parent is gone nobody is left to tell. */
static void report(struct worker *w, bool is_ready, const char *text)
{
	struct forward_report report = {.is_ready = is_ready};

	snprintf(report.text, sizeof(report.text), "%.*s", MESSAGE_MAX - 1, text);
	pass_send(w->start.control_fd, &report, sizeof(report), &w->private_fd, is_ready);
}

/**
 * worker_main() - Be the forwarder, until the parent leaves
 * @start: the settings; the descriptors are owned from here on
 *
 * Return: exit status of the process.
 */
int worker_main(const struct worker_start *start)
{
	struct worker *w = calloc(1, sizeof(*w));
	struct error error;

	if (!w)
		return 1;
	prctl(PR_SET_NAME, "shrike-forward");
	w->start = *start;
	w->order = start->order;
	w->now_ns = clock_ns(CLOCK_MONOTONIC);
	if (open_all(w, &error)) {
		report(w, false, error.text);
		return 1;
	}
	w->status->pid = getpid();
	w->status->starts++;
	report(w, true, "");
	heartbeat_wake(start->heartbeat);
	while (!w->over)
		round_of_events(w);
	count_losses(w);
	if (!w->is_handed_over)
		leave(w);
	return 0;
}
