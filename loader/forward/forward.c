/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The forwarder's parent: starts the process, sends it changes, starts it again.
 */
#include "forward/forward.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
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
#include "dataplane/generation.h"
#include "dataplane/generation_build.h"
#include "forward/account.h"
#include "forward/child.h"
#include "forward/handover.h"
#include "forward/move.h"
#include "forward/order.h"
#include "forward/private.h"
#include "forward/settings.h"
#include "forward/socket.h"
#include "forwarder.h"
#include "maps.h"
#include "process/heartbeat.h"
#include "process/pass.h"
#include "process/privileges.h"

#define DELAY_FIRST_NS (NS_PER_S / 10)
#define DELAY_MAX_NS   (5 * NS_PER_S)
#define STABLE_NS      NS_PER_S /* a forwarder that lived so long is started again at once */
#define HANG_NS	       (12 * NS_PER_S / 10) /* of silence */
#define LOOK_AGAIN_NS  (NS_PER_S / 10)
#define HAND_OVER_MS   5000 /* that it has to leave its connections to another one */
#define LEAVE_MS       500  /* that it has to end its connections */

struct forward {
	forward_log log;
	void *arg;
	int epoll_fd;
	int timer_fd; /* to start again */
	int pulse_fd; /* to look at a heartbeat again that was missed */
	int control_fd;
	struct udp_supply *supply; /* NULL: none */
	int private_fd;		   /* netlink of the private namespace */
	uint32_t private_mtu;	   /* which that is set up for */
	int pid_fd;
	pid_t pid; /* 0: none runs */
	bool is_wanted;
	bool is_ready;
	bool is_killed;	   /* by this process, which said why */
	bool lacks_queues; /* its queues are those of a device that is gone */
	bool lacks_policy; /* its flows are to be judged by the generation in force, and were not */
	uint64_t started_ns;
	uint64_t delay_ns;
	uint32_t xsks_id, tun_id; /* of the maps in start.fds */
	struct pulse pulse;
	int counters_fd;	   /* of the generation in force, for account.c */
	struct worker_start start; /* for the next one, and what the present one knows */
};

static void log_line(struct forward *forward, bool is_error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void log_line(struct forward *forward, bool is_error, const char *format, ...)
{
	char text[MESSAGE_MAX + 128];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	forward->log(forward->arg, is_error, text);
}

/* 0: never. */
static void set_timer(struct forward *forward, uint64_t ns)
{
	struct itimerspec when = {.it_value = {ns / NS_PER_S, ns % NS_PER_S}};

	timerfd_settime(forward->timer_fd, 0, &when, NULL);
}

static int watch(struct forward *forward, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	return fd < 0 || epoll_ctl(forward->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -1 : 0;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/**
 * forward_new() - Prepare for a forwarder; none is started yet
 * @log: is called with a line for each thing that happens to it
 * @forward: becomes it
 * @error: why not
 *
 * Return: 0 or -errno.
 */
int forward_new(forward_log log, void *arg, struct forward **forward, struct error *error)
{
	struct forward *new = calloc(1, sizeof(*new));

	if (!new)
		return error_no_memory(error);
	new->log = log;
	new->arg = arg;
	new->control_fd = new->private_fd = new->pid_fd = new->counters_fd = -1;
	for (int i = 0; i < FORWARD_FDS; i++)
		new->start.fds[i] = -1;
	new->start.handover_fd = -1;
	new->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	new->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	new->pulse_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (watch(new, new->timer_fd) || watch(new, new->pulse_fd))
		error_set(error, errno, "cannot wait for events: %s", strerror(errno));
	else
		heartbeat_new(HANG_NS, &new->pulse, error);
	new->start.heartbeat = new->pulse.heartbeat;
	if (!new->start.heartbeat) {
		forward_free(new);
		return -error->code;
	}
	*forward = new;
	return 0;
}

/**
 * forward_fd() - Readable when forward_ready() has something to do
 */
int forward_fd(const struct forward *forward)
{
	return forward->epoll_fd;
}

static void start_again(struct forward *forward)
{
	forward->delay_ns = forward->delay_ns ? forward->delay_ns * 2 : DELAY_FIRST_NS;
	if (forward->delay_ns > DELAY_MAX_NS)
		forward->delay_ns = DELAY_MAX_NS;
	set_timer(forward, forward->delay_ns);
}

static void close_supply(struct forward *forward)
{
	udp_supply_close(forward->supply);
	forward->supply = NULL;
}

static void start(struct forward *forward)
{
	pid_t pid, parent = getpid();
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
		log_line(forward, true, "cannot start the forwarder: %s", strerror(errno));
		start_again(forward);
		return;
	}
	forward->start.control_fd = pair[1];
	account_settle(forward->start.fds[FORWARD_FD_STATUS], forward->counters_fd);
	heartbeat_reset(&forward->pulse);
	forward->supply = udp_supply_open(forward->start.supply_fds);
	pid = fork();
	if (!pid)
		child_begin(&forward->start, parent);
	close(pair[1]);
	for (int i = 0; i < UDP_SUPPLIES; i++)
		close_fd(&forward->start.supply_fds[i]);
	if (pid < 0) {
		close(pair[0]);
		close_supply(forward);
		log_line(forward, true, "cannot start the forwarder: %s", strerror(errno));
		start_again(forward);
		return;
	}
	forward->pid = pid;
	forward->pid_fd = syscall(SYS_pidfd_open, pid, 0);
	forward->control_fd = pair[0];
	forward->is_ready = forward->is_killed = forward->lacks_queues = false;
	/* else it has no flows, and a namespace of its own */
	forward->lacks_policy = forward->start.handover_fd >= 0;
	forward->private_mtu = forward->lacks_policy ? 0 : forward->start.order.mtu;
	close_fd(&forward->start.handover_fd);
	forward->started_ns = clock_ns(CLOCK_MONOTONIC);
	watch(forward, forward->pid_fd);
	watch(forward, forward->control_fd);
	watch(forward, udp_supply_fd(forward->supply));
}

static void ended(struct forward *forward)
{
	const struct forward_tun no_tun = {};
	uint32_t zero = 0;

	waitpid(forward->pid, NULL, 0);
	forward->pid = 0;
	forward->is_ready = false;
	close_fd(&forward->control_fd);
	close_fd(&forward->private_fd);
	close_fd(&forward->pid_fd);
	close_supply(forward);
	bpf_map_update_elem(forward->start.fds[FORWARD_FD_TUN], &zero, &no_tun, BPF_ANY);
	account_settle(forward->start.fds[FORWARD_FD_STATUS], forward->counters_fd);
}

/**
 * forward_stop() - End the forwarder, and start none until forward_follow() wants one
 */
void forward_stop(struct forward *forward)
{
	struct pollfd end = {.fd = forward->pid_fd, .events = POLLIN};

	forward->is_wanted = false;
	set_timer(forward, 0);
	close_fd(&forward->start.handover_fd);
	if (!forward->pid)
		return;
	close_fd(&forward->control_fd);
	if (forward->pid_fd < 0 || poll(&end, 1, LEAVE_MS) <= 0)
		privileges_kill(forward->pid);
	ended(forward);
}

/**
 * forward_inherit() - Have the first forwarder go on with what an earlier one has left
 * @handover_fd: from forward_hand_over() of another process, owned from here on
 */
void forward_inherit(struct forward *forward, int handover_fd)
{
	forward->start.handover_fd = handover_fd;
}

/**
 * forward_hand_over() - End the forwarder, and have it leave its connections to another one
 *
 * Return: what keeps them for forward_inherit(), perhaps none; or -errno.
 */
int forward_hand_over(struct forward *forward)
{
	const struct forward_message message = {.kind = FORWARD_MESSAGE_HAND_OVER};
	struct pollfd end = {.fd = forward->pid_fd, .events = POLLIN};
	int reader, writer, err = handover_pair(&reader, &writer);

	if (err)
		return err;
	if (forward->is_ready &&
	    !pass_send(forward->control_fd, &message, sizeof(message), &writer, 1))
		poll(&end, 1, HAND_OVER_MS);
	close(writer);
	forward_stop(forward);
	return reader;
}

/* For a device that comes with the number of the one that is gone. */
static void leave_queues(struct forward *forward)
{
	for (uint32_t i = 0; i < sockets_max(forward->start.queues); i++)
		bpf_map_delete_elem(forward->start.fds[FORWARD_FD_XSKS], &i);
}

/**
 * forward_pause() - The interface is gone: keep what is forwarded until there is another one
 *
 * forward_follow() has it go on.  A forwarder that ends meanwhile is not replaced before that.
 */
void forward_pause(struct forward *forward)
{
	if (!forward->is_ready) {
		forward_stop(forward);
		return;
	}
	forward->is_wanted = false;
	if (!forward->lacks_queues)
		leave_queues(forward);
	forward->lacks_queues = true;
}

/* The forwarder may not change its private namespace, so this process does. */
static int follow_mtu(struct forward *forward, struct error *error)
{
	const struct forward_order *order = &forward->start.order;
	int err;

	if (forward->private_fd < 0 || forward->private_mtu == order->mtu)
		return 0;
	err = private_follow(forward->private_fd, order, error);
	if (err)
		return err;
	forward->private_mtu = order->mtu;
	return 0;
}

static void on_report(struct forward *forward)
{
	struct forward_report report;
	struct error error;
	int fd = -1, n = 1;
	ssize_t len = pass_receive(forward->control_fd, &report, sizeof(report), &fd, &n);

	if (!len) /* its descriptor reports the end of the process */
		epoll_ctl(forward->epoll_fd, EPOLL_CTL_DEL, forward->control_fd, NULL);
	/* only what was sent before the first packet was read is to be trusted with a descriptor */
	if (len != sizeof(report) || forward->is_ready) {
		close_fd(&fd);
		return;
	}
	forward->private_fd = fd;
	report.text[sizeof(report.text) - 1] = '\0';
	forward->is_ready = report.is_ready;
	if (!report.is_ready) {
		log_line(forward, true, "the forwarder cannot start, routed packets drop: %s",
			 report.text);
		return;
	}
	log_line(forward, false, "the forwarder is ready");
	forward->lacks_policy |= follow_mtu(forward, &error) != 0;
}

static void on_end(struct forward *forward)
{
	bool was_ready = forward->is_ready;
	bool was_stable = was_ready && clock_ns(CLOCK_MONOTONIC) - forward->started_ns >= STABLE_NS;

	ended(forward);
	if (!forward->is_wanted)
		return;
	if (was_ready && !forward->is_killed)
		log_line(forward, true, "the forwarder has ended; starting it again");
	if (was_stable) {
		forward->delay_ns = 0;
		start(forward);
	} else {
		start_again(forward);
	}
}

static void on_timer(struct forward *forward)
{
	uint64_t ticks;

	if (read(forward->timer_fd, &ticks, sizeof(ticks)) == sizeof(ticks) && !forward->pid &&
	    forward->is_wanted)
		start(forward);
}

/**
 * forward_check() - Replace the forwarder if it hangs
 *
 * To be called every second, and when it may have been stopped.  Its connections end, which those
 * that have them see as at any end of it.
 */
void forward_check(struct forward *forward)
{
	enum heartbeat_state state;

	if (!forward->pid || forward->is_killed)
		return;
	state = heartbeat_look(&forward->pulse, forward->pid, forward->is_ready,
			       clock_ns(CLOCK_MONOTONIC));
	if (state == HEARTBEAT_SILENT)
		clock_arm(forward->pulse_fd, LOOK_AGAIN_NS);
	if (state != HEARTBEAT_HANGS)
		return;
	log_line(forward, true, "the forwarder hangs; starting another one");
	forward->is_killed = true;
	privileges_kill(forward->pid);
}

static void on_pulse(struct forward *forward)
{
	uint64_t ticks;

	if (read(forward->pulse_fd, &ticks, sizeof(ticks)) == sizeof(ticks))
		forward_check(forward);
}

/**
 * forward_ready() - Do what there is to do
 */
void forward_ready(struct forward *forward)
{
	struct epoll_event events[5];
	int n = epoll_wait(forward->epoll_fd, events, 5, 0);

	for (int i = 0; i < n; i++) {
		int fd = events[i].data.fd;

		if (fd == forward->timer_fd)
			on_timer(forward);
		else if (fd == forward->pulse_fd)
			on_pulse(forward);
		else if (fd == forward->control_fd)
			on_report(forward);
		else if (fd == udp_supply_fd(forward->supply))
			udp_supply_fill(forward->supply);
	}
	/* last, as it closes the others */
	for (int i = 0; i < n; i++)
		if (forward->pid && events[i].data.fd == forward->pid_fd) {
			on_end(forward);
			break;
		}
}

static int send_order(struct forward *forward, int judge_fd)
{
	struct forward_message message = {
		.kind = FORWARD_MESSAGE_ORDER,
		.order = forward->start.order,
	};
	int fds[FORWARD_FDS_NEW];

	memcpy(fds, forward->start.fds, sizeof(forward->start.fds));
	fds[FORWARD_FD_JUDGE] = judge_fd;
	return pass_send(forward->control_fd, &message, sizeof(message), fds, FORWARD_FDS_NEW);
}

/*
 * Have the forwarder judge its flows by the generation in force.  The program in force itself would
 * count, time and trace packets that nobody has sent; so a clone of it is loaded for this.  What it
 * is asked is whether a rule would let the flow in, not what is remembered of the flow.
 */
static void update_policy(struct forward *forward, const struct attached *attached)
{
	const struct generation_spec spec = {
		.previous = &attached->maps,
		.instance_previous = &attached->instance,
		.dry_run = true,
		.clone = true,
		.rules_only = true,
	};
	bool lacked_policy = forward->lacks_policy;
	struct generation *judge;
	struct error error;
	int err;

	forward->lacks_policy = follow_mtu(forward, &error) ||
				generation_build(&spec, &judge, &error);
	if (forward->lacks_policy) {
		if (!lacked_policy)
			log_line(forward, true, "cannot update the policy of the forwarder yet: %s",
				 error.text);
		return;
	}
	err = send_order(forward, judge->ingress_fd);
	generation_free(judge);
	if (err) {
		privileges_kill(forward->pid); /* it does not listen: the next one starts right */
		return;
	}
	if (forward->lacks_queues)
		forward->lacks_policy = move_send(forward->control_fd, &forward->start, &error) !=
					0;
	if (!forward->lacks_policy)
		forward->lacks_queues = false;
	else if (!lacked_policy)
		log_line(forward, true, "cannot move the forwarder: %s", error.text);
}

/* What the forwarder is to know of the generation in force. */
static int prepare(struct forward *forward, const struct attached *attached,
		   const struct link_info *link)
{
	int err = settings_read(&forward->start, attached, link);

	if (err)
		return err;
	close_fd(&forward->counters_fd);
	forward->counters_fd = fcntl(map_set_fd(&attached->maps, MAP_COUNTERS), F_DUPFD_CLOEXEC, 0);
	forward->xsks_id = map_set_find(&attached->maps, MAP_XSKS)->id;
	forward->tun_id = map_set_find(&attached->maps, MAP_FORWARD_TUN)->id;
	return 0;
}

/* What the kernel could not put into its sockets wakes nobody, so the forwarder is asked for it. */
static void inquire(struct forward *forward)
{
	const struct forward_message inquiry = {.kind = FORWARD_MESSAGE_INQUIRY};

	/* where there is no room it will be asked again */
	if (forward->is_ready &&
	    account_is_open(forward->start.fds[FORWARD_FD_STATUS], forward->counters_fd))
		pass_send(forward->control_fd, &inquiry, sizeof(inquiry), NULL, 0);
}

/* Whether the forwarder's sockets are still the right ones. */
static bool is_elsewhere(const struct forward *forward, const struct attached *attached,
			 const struct link_info *link)
{
	const struct map_entry *xsks = map_set_find(&attached->maps, MAP_XSKS);

	return forward->start.order.config.ifindex != (uint32_t)link->ifindex || !xsks ||
	       forward->start.order.config.forwarder_input !=
		       attached->instance.config.forwarder_input ||
	       forward->xsks_id != xsks->id || forward->start.queues != link->rx_queues;
}

/* Whether it can go on where it is elsewhere; its TUN device has a map and a link header for good. */
static bool can_move(const struct forward *forward, const struct attached *attached)
{
	const struct config *is = &attached->instance.config, *was = &forward->start.order.config;
	const struct map_entry *tun = map_set_find(&attached->maps, MAP_FORWARD_TUN);

	if (!forward->is_ready || is->forwarder_input != was->forwarder_input)
		return false;
	return is->forwarder_input != FORWARDER_INPUT_TUN ||
	       (tun && tun->id == forward->tun_id && is->l2_len == was->l2_len);
}

/* Whether the forwarder knows the policy; other programs of the same generation are a tracer's doing. */
static bool is_up_to_date(const struct forward *forward, const struct attached *attached)
{
	return forward->is_wanted && !forward->lacks_policy && !forward->lacks_queues &&
	       forward->start.order.config.generation == attached->instance.config.generation;
}

/**
 * forward_follow() - Have what the generation in force needs: a forwarder that knows it, or none
 * @attached: the generation
 * @link: its interface
 *
 * To be called again every second, as there may be too little memory to update the forwarder.
 */
void forward_follow(struct forward *forward, const struct attached *attached,
		    const struct link_info *link)
{
	bool is_wanted = config_has_forwarder(&attached->instance.config);
	int err;

	if (!is_wanted) {
		forward_stop(forward);
		return;
	}
	if (is_elsewhere(forward, attached, link)) {
		if (can_move(forward, attached))
			forward->lacks_queues = true;
		else if (forward->is_wanted || forward->is_ready)
			forward_stop(forward);
	}
	if (is_up_to_date(forward, attached)) {
		inquire(forward);
		return;
	}
	err = prepare(forward, attached, link);
	if (err) {
		log_line(forward, true, "cannot update the policy of the forwarder: %s",
			 strerror(-err));
		forward_stop(forward);
		return;
	}
	forward->is_wanted = true;
	if (!forward->pid) {
		forward->delay_ns = 0;
		start(forward);
	} else {
		update_policy(forward, attached);
	}
}

/**
 * forward_free() - End the forwarder, if there is one
 */
void forward_free(struct forward *forward)
{
	if (!forward)
		return;
	forward_stop(forward);
	for (int i = 0; i < FORWARD_FDS; i++)
		close_fd(&forward->start.fds[i]);
	close_fd(&forward->counters_fd);
	close_fd(&forward->timer_fd);
	close_fd(&forward->pulse_fd);
	close_fd(&forward->epoll_fd);
	heartbeat_free(&forward->pulse);
	free(forward);
}
