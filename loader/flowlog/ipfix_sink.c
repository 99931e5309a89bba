/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A session begins with all templates, the rules that are known, and statistics.  By UDP they are
 * sent again from time to time, as a collector may have come since (RFC 7011, 8.4); by TCP a new
 * connection is a new session.  A message that was not sent stays, and is sent in the next session.
 */
#include "flowlog/ipfix_sink.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/value.h"
#include "flowlog/ipfix.h"
#include "rule.h"

#define TEMPLATE_PERIOD_NS (60 * NS_PER_S)
#define SEND_TIMEOUT_S	   5 /* of a connection that is made, or takes nothing */
#define RULES_KNOWN	   4096
#define UDP_HEADERS4	   28 /* IPv4 and UDP */
#define UDP_HEADERS6	   48

/* A rule that the collector has been told of. */
struct known_rule {
	uint32_t number; /* RULE_NONE: none */
	char id[RULE_ID_MAX];
};

struct ipfix_sink {
	struct sink sink;
	struct collector collector;
	struct ipfix batch;
	size_t sent;	    /* messages of the batch */
	struct ipfix setup; /* templates and what else a session begins with */
	struct ipfix_statistics statistics;
	uint64_t setup_ns; /* CLOCK_MONOTONIC: when that was sent last; 0: not in this session */
	uint32_t sequence; /* data records that were sent in this session */
	int fd;		   /* -1: to be opened */
	struct known_rule rules[RULES_KNOWN]; /* by the last bits of their numbers */
};

/**
 * collector_parse() - Read udp:HOST:PORT or tcp:HOST:PORT
 * @text: that; an IPv6 address in brackets
 * @collector: is filled
 * @error: set on failure
 *
 * Return: 0 or -EINVAL.
 */
int collector_parse(const char *text, struct collector *collector, struct error *error)
{
	bool is_tcp = !strncmp(text, "tcp:", 4), is_udp = !strncmp(text, "udp:", 4);
	const char *host = text + 4, *colon = strrchr(text, ':');
	size_t len;
	uint64_t port;

	if (!(is_tcp || is_udp) || colon <= host)
		return error_input(error, "--ipfix %.200s: neither udp:HOST:PORT nor tcp:HOST:PORT",
				   text);
	len = colon - host;
	if (len > 1 && *host == '[' && host[len - 1] == ']') {
		host++;
		len -= 2;
	} else if (memchr(host, ':', len) || *host == '[') {
		return error_input(error, "--ipfix %.200s: an IPv6 address stands in brackets",
				   text);
	}
	if (!len || len >= sizeof(collector->host))
		return error_input(error, "--ipfix %.200s: no host", text);
	if (number_parse(colon + 1, 1, UINT16_MAX, &port, error))
		return error_input(error, "--ipfix %.200s: not a port: %.32s", text, colon + 1);
	snprintf(collector->host, sizeof(collector->host), "%.*s", (int)len, host);
	snprintf(collector->port, sizeof(collector->port), "%u", (unsigned int)port);
	collector->is_tcp = is_tcp;
	return 0;
}

/* Tell the collector which rule a number is, before the first record that names it. */
static int add_rule(struct ipfix_sink *ipfix, uint32_t number, const char *id)
{
	struct known_rule *known = &ipfix->rules[number % RULES_KNOWN];

	if (number == RULE_NONE || !id || known->number == number)
		return 0;
	known->number = number;
	snprintf(known->id, sizeof(known->id), "%s", id);
	return ipfix_add_rule(&ipfix->batch, number, id);
}

static int add(struct sink *sink, const struct flow_event *event,
	       const struct flow_event_names *names)
{
	struct ipfix_sink *ipfix = (struct ipfix_sink *)sink;
	int err = add_rule(ipfix, event->rule, names->rule_id);

	ipfix->batch.offset_ns = names->offset_ns;
	return err ? err : ipfix_add_event(&ipfix->batch, event, names);
}

static int add_losses(struct sink *sink, const struct flow_log_losses *losses, uint64_t time_ns)
{
	struct ipfix_sink *ipfix = (struct ipfix_sink *)sink;

	(void)time_ns;
	ipfix->statistics.lost += losses->events;
	ipfix->statistics.unsampled += losses->unsampled;
	return ipfix_add_statistics(&ipfix->batch, &ipfix->statistics);
}

/* Wait until a connection is made, or is not. */
static int await_connection(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
	int err = ETIMEDOUT;
	socklen_t len = sizeof(err);

	if (errno != EINPROGRESS)
		return -errno;
	if (poll(&poll_fd, 1, SEND_TIMEOUT_S * 1000) > 0 &&
	    getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len))
		err = errno;
	return -err;
}

/* A socket that is connected to an address, or -errno. */
static int connect_to(const struct addrinfo *address)
{
	int fd = socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
			address->ai_protocol);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (connect(fd, address->ai_addr, address->ai_addrlen))
		err = await_connection(fd);
	if (!err)
		return fd;
	close(fd);
	return err;
}

/* What a datagram may have, that the path takes without fragments. */
static uint16_t message_max(const struct ipfix_sink *ipfix)
{
	int mtu = 0, domain = AF_INET;
	socklen_t len = sizeof(int);
	bool is_v6;

	if (ipfix->collector.is_tcp)
		return IPFIX_MESSAGE_MAX;
	getsockopt(ipfix->fd, SOL_SOCKET, SO_DOMAIN, &domain, &len);
	is_v6 = domain == AF_INET6;
	if (is_v6 ? getsockopt(ipfix->fd, IPPROTO_IPV6, IPV6_MTU, &mtu, &len)
		  : getsockopt(ipfix->fd, IPPROTO_IP, IP_MTU, &mtu, &len))
		return IPFIX_MESSAGE_MIN;
	mtu -= is_v6 ? UDP_HEADERS6 : UDP_HEADERS4;
	if (mtu < IPFIX_MESSAGE_MIN)
		return IPFIX_MESSAGE_MIN;
	return mtu < IPFIX_MESSAGE_MAX ? mtu : IPFIX_MESSAGE_MAX;
}

static void end_session(struct ipfix_sink *ipfix)
{
	if (ipfix->fd >= 0)
		close(ipfix->fd);
	ipfix->fd = -1;
}

/* Begin a session, unless there is one. */
static int begin_session(struct sink *sink, struct error *error)
{
	struct ipfix_sink *ipfix = (struct ipfix_sink *)sink;
	const struct collector *collector = &ipfix->collector;
	struct addrinfo hints = {
		.ai_socktype = collector->is_tcp ? SOCK_STREAM : SOCK_DGRAM,
		.ai_flags = AI_NUMERICSERV,
	};
	struct addrinfo *list, *address;
	int err;

	if (ipfix->fd >= 0)
		return 0;
	err = getaddrinfo(collector->host, collector->port, &hints, &list);
	if (err)
		return error_set(error, EHOSTUNREACH, "the collector %s: %s", collector->host,
				 gai_strerror(err));
	for (address = list; address && ipfix->fd < 0; address = address->ai_next)
		ipfix->fd = connect_to(address);
	freeaddrinfo(list);
	if (ipfix->fd < 0)
		return error_set(error, -ipfix->fd, "the collector %s port %s: %s", collector->host,
				 collector->port, strerror(-ipfix->fd));
	ipfix->setup_ns = 0;
	ipfix->sequence = 0;
	ipfix->setup.max = message_max(ipfix);
	if (!ipfix->batch.n)
		ipfix->batch.max = ipfix->setup.max;
	return 0;
}

/* Send all of a message.  A collector that has closed its connection gets no more. */
static int send_all(const struct ipfix_sink *ipfix, const uint8_t *data, size_t len)
{
	struct pollfd poll_fd = {.fd = ipfix->fd, .events = POLLOUT};
	char byte;

	if (ipfix->collector.is_tcp && !recv(ipfix->fd, &byte, 1, MSG_DONTWAIT))
		return -EPIPE;
	while (len) {
		ssize_t n = send(ipfix->fd, data, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			if (poll(&poll_fd, 1, SEND_TIMEOUT_S * 1000) <= 0)
				return -ETIMEDOUT;
			continue;
		}
		if (n < 0)
			return -errno;
		data += n;
		len -= n;
	}
	return 0;
}

/* Send messages from @*sent on, which counts them. */
static int send_messages(struct ipfix_sink *ipfix, struct ipfix *from, size_t *sent,
			 struct error *error)
{
	const struct collector *collector = &ipfix->collector;

	for (; *sent < from->n; ++*sent) {
		const struct ipfix_message *message = &from->messages[*sent];
		const uint8_t *data = ipfix_stamp(from, *sent, clock_ns(CLOCK_REALTIME) / NS_PER_S,
						  ipfix->sequence);
		int err = send_all(ipfix, data, message->len);

		if (err) {
			end_session(ipfix);
			return error_set(error, -err, "the collector %s port %s: %s",
					 collector->host, collector->port, strerror(-err));
		}
		ipfix->sequence += message->records;
		ipfix->statistics.messages++;
		ipfix->statistics.records += message->records;
		ipfix->statistics.octets += message->len;
	}
	return 0;
}

/* Send what a session begins with, where that is due. */
static int send_setup(struct ipfix_sink *ipfix, struct error *error)
{
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
	struct ipfix *setup = &ipfix->setup;
	size_t sent = 0;
	int err;

	if (ipfix->setup_ns &&
	    (ipfix->collector.is_tcp || now_ns - ipfix->setup_ns < TEMPLATE_PERIOD_NS))
		return 0;
	ipfix_clear(setup);
	err = ipfix_add_templates(setup);
	for (size_t i = 0; i < RULES_KNOWN && !err; i++)
		if (ipfix->rules[i].number != RULE_NONE)
			err = ipfix_add_rule(setup, ipfix->rules[i].number, ipfix->rules[i].id);
	if (!err)
		err = ipfix_add_statistics(setup, &ipfix->statistics);
	if (err)
		return error_no_memory(error);
	err = send_messages(ipfix, setup, &sent, error);
	if (!err)
		ipfix->setup_ns = now_ns;
	return err;
}

/* Send what a session begins with, if it does, and the batch. */
static int flush(struct sink *sink, struct error *error)
{
	struct ipfix_sink *ipfix = (struct ipfix_sink *)sink;
	int err = send_setup(ipfix, error);

	if (!err)
		err = send_messages(ipfix, &ipfix->batch, &ipfix->sent, error);
	if (err)
		return err;
	ipfix_clear(&ipfix->batch);
	ipfix->batch.max = ipfix->setup.max;
	ipfix->sent = 0;
	return 0;
}

static void free_sink(struct sink *sink)
{
	struct ipfix_sink *ipfix = (struct ipfix_sink *)sink;

	end_session(ipfix);
	ipfix_free(&ipfix->batch);
	ipfix_free(&ipfix->setup);
	free(ipfix);
}

/**
 * ipfix_sink_new() - Export a flow log
 * @collector: where to; connections are made, and made again, when there is something to send
 * @ifindex: the interface: the observation domain
 * @interface: its name
 * @error: set on failure
 *
 * Return: the sink; NULL on failure.
 */
struct sink *ipfix_sink_new(const struct collector *collector, uint32_t ifindex,
			    const char *interface, struct error *error)
{
	static const struct sink_ops ops = {
		.add = add,
		.add_losses = add_losses,
		.open = begin_session,
		.flush = flush,
		.free = free_sink,
	};
	struct ipfix_sink *ipfix = sink_new(sizeof(*ipfix), &ops, interface, error);

	if (!ipfix)
		return NULL;
	ipfix->fd = -1;
	ipfix->collector = *collector;
	ipfix->batch.domain = ipfix->setup.domain = ifindex;
	ipfix->batch.max = ipfix->setup.max = IPFIX_MESSAGE_MIN;
	for (size_t i = 0; i < RULES_KNOWN; i++)
		ipfix->rules[i].number = RULE_NONE;
	return &ipfix->sink;
}
