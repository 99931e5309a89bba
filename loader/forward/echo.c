/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ICMP echo, by one raw socket for each family.
 *
 * A peer's identifier becomes one of ours, unique among all flows, and the reply must come from
 * the destination, with that identifier and a sequence number that waits for its answer: what
 * other programs of the host ping is not ours.  Errors about our requests go to their peer.
 */
#include "forward/echo.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/sockaddr.h"
#include "forward/displace.h"
#include "forward/flows.h"
#include "forward/route.h"
#include "forward/transmit.h"
#include "forward/watch.h"

#define WAITING_BITS   1024 /* sequence numbers, modulo this */
#define READS_PER_TURN 64
#define RECEIVE_BYTES  (1 << 20)

struct echo_flow {
	struct flow_entry entry;
	union addr to; /* what is really pinged */
	bool is_local; /* this host is */
	uint16_t id;   /* ours, host order */
	uint64_t waiting[WAITING_BITS / 64];
};

/* What came on a raw socket. */
struct raw_message {
	uint8_t version;
	uint8_t tos;
	uint8_t ttl;
	union addr from;
	uint8_t *icmp; /* with room for an IP header before it */
	size_t len;
};

/* Room for the type of service and the time to live of a message that comes or goes. */
union header_control {
	struct cmsghdr header;
	uint8_t bytes[2 * CMSG_SPACE(sizeof(int))];
};

/* The parts of an echo message that matter, and of errors. */
struct echo_header {
	uint8_t type;
	uint8_t code;
	uint16_t sum;
	uint16_t id;
	uint16_t seq;
};
_Static_assert(sizeof(struct echo_header) == ICMP_HEADER_LEN, "struct echo_header is on the wire");

static struct echo_flow *flow_of(struct flow_entry *entry)
{
	return container_of(entry, struct echo_flow, entry);
}

static void echo_end(struct worker *w, struct flow_entry *entry, enum end_reason reason)
{
	(void)reason;
	w->echo_by_id[flow_of(entry)->id] = NULL;
	w->status->echo_flows = --w->n_echo;
	flow_remove(w, entry);
}

static uint8_t request_type(uint8_t version)
{
	return version == IP_VERSION_4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
}

static uint8_t reply_type(uint8_t version)
{
	return version == IP_VERSION_4 ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY;
}

static bool is_error(uint8_t version, uint8_t type)
{
	if (version == IP_VERSION_4)
		return type == ICMP_UNREACH || type == ICMP_TIMXCEED;
	return type == ICMP6_DST_UNREACH || type == ICMP6_PACKET_TOO_BIG ||
	       type == ICMP6_TIME_EXCEEDED;
}

/* The flow of one of our identifiers, if the request went to @to. */
static struct echo_flow *flow_by_id(struct worker *w, const struct echo_header *echo,
				    uint8_t version, const union addr *to)
{
	struct echo_flow *flow = w->echo_by_id[ntohs(echo->id)];

	if (!flow || flow->entry.name.ends.version != version || memcmp(&flow->to, to, 16))
		return NULL;
	return flow;
}

/* Whether a request with that number waits; it does no more. */
static bool take_waiting(struct echo_flow *flow, uint16_t seq)
{
	uint64_t bit = 1ull << (ntohs(seq) % 64);
	uint64_t *word = &flow->waiting[ntohs(seq) % WAITING_BITS / 64];
	bool waits = *word & bit;

	*word &= ~bit;
	return waits;
}

static void pass_reply(struct worker *w, const struct raw_message *message)
{
	uint8_t version = message->version, *icmp = message->icmp;
	size_t header_len = ip_header_len(version), len = message->len;
	struct virtio_net_hdr none = {};
	struct echo_header echo;
	struct echo_flow *flow;
	struct ip_ends ends;

	memcpy(&echo, icmp, sizeof(echo));
	flow = flow_by_id(w, &echo, version, &message->from);
	if (!flow || !take_waiting(flow, echo.seq))
		return;
	ip_ends_swap(&flow->entry.name.ends, &ends);
	echo.id = flow->entry.name.sport;
	memcpy(icmp, &echo, sizeof(echo));
	icmp_sum_set(icmp, len, &ends);
	ip_header_write(icmp - header_len, &ends,
			version == IP_VERSION_4 ? IPPROTO_ICMP : IPPROTO_ICMPV6,
			route_ttl(message->ttl, flow->is_local), len);
	ip_tos_set(icmp - header_len, version, message->tos);
	transmit_ip(w, flow->entry.peer, icmp - header_len, header_len + len, &none);
	w->status->bytes_down += len - ICMP_HEADER_LEN;
	flow_touch(w, &flow->entry);
}

/* @quoted: our request, as whoever reports the error saw it */
static void pass_error(struct worker *w, const union addr *from, const uint8_t *icmp,
		       uint8_t *quoted, size_t quoted_len, uint8_t version)
{
	uint8_t request[ICMP_ERROR_MAX], packet[ICMP_ERROR_MAX];
	struct virtio_net_hdr none = {};
	struct ip_packet about;
	struct echo_header echo;
	struct echo_flow *flow;
	struct ip_ends ends;
	size_t header_len = ip_header_len(version), len;
	uint32_t info;

	/* a quotation may be cut short, so its length may lie: the headers are what counts */
	if (quoted_len < header_len + sizeof(echo))
		return;
	if (quoted_len > sizeof(request))
		quoted_len = sizeof(request);
	ip_length_set(quoted, version, header_len, quoted_len);
	if (ip_parse(quoted, quoted_len, &about) || about.ends.version != version ||
	    about.len < about.l4_off + sizeof(echo))
		return;
	memcpy(&echo, quoted + about.l4_off, sizeof(echo));
	flow = flow_by_id(w, &echo, version, &about.ends.daddr);
	if (!flow || echo.type != request_type(version))
		return;
	take_waiting(flow, echo.seq);
	echo.id = flow->entry.name.sport;
	len = about.len - about.l4_off;
	ip_header_write(request, &flow->entry.name.ends, about.l4_proto, about.ttl, len);
	memcpy(request + header_len, quoted + about.l4_off, len);
	memcpy(request + header_len, &echo, sizeof(echo));
	ip_ends_swap(&flow->entry.name.ends, &ends);
	ends.saddr = *from;
	memcpy(&info, icmp + 4, 4);
	len = icmp_error_build(packet, &ends, icmp[0], icmp[1], ntohl(info), request,
			       header_len + len);
	transmit_ip(w, flow->entry.peer, packet, len, &none);
}

static void pass(struct worker *w, const struct raw_message *message)
{
	uint8_t *icmp = message->icmp;

	if (message->len < ICMP_HEADER_LEN)
		return;
	if (icmp[0] == reply_type(message->version))
		pass_reply(w, message);
	else if (is_error(message->version, icmp[0]))
		pass_error(w, &message->from, icmp, icmp + ICMP_HEADER_LEN,
			   message->len - ICMP_HEADER_LEN, message->version);
}

/* What IPv6 says beside a message, IPv4's raw sockets hand over with it. */
static void read_header(struct msghdr *from, struct raw_message *message)
{
	uint8_t *data = from->msg_iov->iov_base;
	size_t skip;

	message->icmp = data;
	message->ttl = IP_TTL_DEFAULT;
	if (message->version == IP_VERSION_4) {
		skip = (data[0] & 15) * 4;
		message->tos = data[1];
		message->ttl = data[8];
		message->icmp += skip;
		message->len = message->len < skip ? 0 : message->len - skip;
		return;
	}
	for (struct cmsghdr *c = CMSG_FIRSTHDR(from); c; c = CMSG_NXTHDR(from, c)) {
		int value;

		memcpy(&value, CMSG_DATA(c), sizeof(value));
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS)
			message->tos = value;
		else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_HOPLIMIT)
			message->ttl = value;
	}
}

/* Read one message into @data; false where there is none. */
static bool read_message(const struct worker *w, bool is4, uint8_t *data,
			 struct raw_message *message)
{
	union header_control control;
	struct sockaddr_storage from;
	struct iovec part = {data, 65536};
	struct msghdr header = {
		.msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t len = recvmsg(w->raw_fds[!is4], &header, MSG_DONTWAIT);
	uint16_t port;

	if (len < 0)
		return false;
	*message = (struct raw_message){
		.version = is4 ? IP_VERSION_4 : IP_VERSION_6,
		.len = len,
	};
	sockaddr_get(&from, &message->from, &port);
	read_header(&header, message);
	return true;
}

static void raw_ready(struct worker *w, struct watch *watch, uint32_t events)
{
	uint8_t *buffer = w->buffer + 64; /* room for the header of the answer */
	bool is4 = watch == &w->raw_watches[0];
	struct raw_message message;

	(void)events;
	for (int i = 0; i < READS_PER_TURN && read_message(w, is4, buffer, &message); i++)
		pass(w, &message);
}

static int open_raw(struct worker *w, int index, struct error *error)
{
	int bytes = RECEIVE_BYTES, one = 1;
	struct icmp6_filter filter6;
	struct icmp_filter {
		uint32_t blocked; /* ICMP_FILTER of linux/icmp.h, a bit for each type */
	} filter4 = {~(1u << ICMP_ECHOREPLY | 1u << ICMP_UNREACH | 1u << ICMP_TIMXCEED)};
	int fd = socket(index ? AF_INET6 : AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC,
			index ? IPPROTO_ICMPV6 : IPPROTO_ICMP);

	w->raw_fds[index] = fd;
	if (fd < 0 && index && errno == EAFNOSUPPORT)
		return 0;
	if (fd < 0)
		return error_set(error, errno, "cannot open a raw socket: %s", strerror(errno));
	ICMP6_FILTER_SETBLOCKALL(&filter6);
	ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter6);
	ICMP6_FILTER_SETPASS(ICMP6_DST_UNREACH, &filter6);
	ICMP6_FILTER_SETPASS(ICMP6_PACKET_TOO_BIG, &filter6);
	ICMP6_FILTER_SETPASS(ICMP6_TIME_EXCEEDED, &filter6);
	if (index) {
		setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter6, sizeof(filter6));
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, &one, sizeof(one));
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &one, sizeof(one));
	} else {
		setsockopt(fd, SOL_RAW, 1, &filter4, sizeof(filter4));
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	w->raw_watches[index].ready = raw_ready;
	if (watch_add(w, fd, &w->raw_watches[index], EPOLLIN))
		return error_set(error, errno, "cannot wait for events: %s", strerror(errno));
	return 0;
}

/**
 * echo_open() - Open the raw sockets
 *
 * Return: 0 or -errno.
 */
int echo_open(struct worker *w, struct error *error)
{
	int err = open_raw(w, 0, error);

	return err ? err : open_raw(w, 1, error);
}

/**
 * echo_count() - Count what the raw sockets had no room for
 */
void echo_count(struct worker *w)
{
	for (int i = 0; i < 2; i++) {
		uint32_t values[SK_MEMINFO_VARS] = {};
		socklen_t len = sizeof(values);

		if (w->raw_fds[i] < 0 ||
		    getsockopt(w->raw_fds[i], SOL_SOCKET, SO_MEMINFO, values, &len))
			continue;
		w->status->echo_overflow += values[SK_MEMINFO_DROPS] - w->raw_drops[i];
		w->raw_drops[i] = values[SK_MEMINFO_DROPS];
	}
}

static struct echo_flow *open_flow(struct worker *w, const struct flow_name *name,
				   const struct ip_packet *p, const uint8_t *mac)
{
	struct peer *peer = peer_learn(w, &name->ends.saddr, name->ends.version, mac);
	bool is_full = w->n_echo >= w->order.icmp_max || w->n_echo >= UINT16_MAX;
	struct echo_flow *flow;
	union addr to;

	if (!peer || (is_full && !displace_for(w, peer, SHARED_ECHOES))) {
		w->status->refused_limit++;
		return NULL;
	}
	switch (route_admit(w, name, &to)) {
	case REFUSAL_NONE:
		break;
	case REFUSAL_NO_ROUTE:
		transmit_error(w, p, ICMP_ERROR_NO_ROUTE, 0);
		return NULL;
	default:
		transmit_error(w, p, ICMP_ERROR_PROHIBITED, 0);
		return NULL;
	}
	flow = calloc(1, sizeof(*flow));
	if (!flow)
		return NULL;
	flow->entry.end = echo_end;
	flow->to = to;
	flow->is_local = route_is_local(w, &name->ends.daddr);
	if (!flow_insert(w, &flow->entry, name, mac)) {
		free(flow);
		return NULL;
	}
	while (w->echo_by_id[w->next_echo_id])
		w->next_echo_id++;
	flow->id = w->next_echo_id++;
	w->echo_by_id[flow->id] = flow;
	w->status->echo_flows = ++w->n_echo;
	flow_move(w, &flow->entry, &w->echo);
	return flow;
}

static void refuse(struct worker *w, const struct ip_packet *p, int err)
{
	if (err == ENETUNREACH)
		transmit_error(w, p, ICMP_ERROR_NO_ROUTE, 0);
	else if (err == EHOSTUNREACH)
		transmit_error(w, p, ICMP_ERROR_HOST, 0);
	else if (err == EACCES || err == EPERM)
		transmit_error(w, p, ICMP_ERROR_PROHIBITED, 0);
}

/* Append a control message that is one number. */
static void add_number(struct msghdr *message, int level, int type, int value)
{
	struct cmsghdr *at = (void *)((uint8_t *)message->msg_control + message->msg_controllen);

	at->cmsg_len = CMSG_LEN(sizeof(value));
	at->cmsg_level = level;
	at->cmsg_type = type;
	memcpy(CMSG_DATA(at), &value, sizeof(value));
	message->msg_controllen += CMSG_SPACE(sizeof(value));
}

static void send_request(struct worker *w, struct echo_flow *flow, const struct ip_packet *p,
			 struct echo_header *echo)
{
	bool is4 = p->ends.version == IP_VERSION_4;
	int level = is4 ? IPPROTO_IP : IPPROTO_IPV6;
	size_t len = p->len - p->l4_off;
	union header_control control = {};
	struct sockaddr_storage to;
	struct iovec part = {p->data + p->l4_off, len};
	struct msghdr message = {
		.msg_name = &to,
		.msg_namelen = sockaddr_set(&to, p->ends.version, &flow->to, 0),
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
	};

	add_number(&message, level, is4 ? IP_TTL : IPV6_HOPLIMIT, p->ttl > 1 ? p->ttl - 1 : 1);
	add_number(&message, level, is4 ? IP_TOS : IPV6_TCLASS, p->tos);
	echo->id = htons(flow->id);
	memcpy(p->data + p->l4_off, echo, sizeof(*echo));
	/* the kernel writes ICMPv6 checksums itself, with the source that it chooses */
	icmp_sum_set(p->data + p->l4_off, len, &p->ends);
	if (sendmsg(w->raw_fds[!is4], &message, MSG_DONTWAIT) >= 0) {
		w->status->bytes_up += len - ICMP_HEADER_LEN;
		w->status->rx_relayed++;
		return;
	}
	w->status->rx_unsent++;
	take_waiting(flow, echo->seq);
	echo->id = flow->entry.name.sport;
	memcpy(p->data + p->l4_off, echo, sizeof(*echo));
	refuse(w, p, errno);
}

/**
 * echo_input() - An ICMP packet of a peer that is no error
 * @p: not a fragment; is rewritten
 * @mac: where it came from, NULL on links without addresses
 */
void echo_input(struct worker *w, const struct ip_packet *p, const uint8_t *mac)
{
	struct flow_entry *entry;
	struct echo_header echo;
	struct echo_flow *flow;
	struct flow_name name;

	if (p->len < p->l4_off + sizeof(echo) ||
	    p->data[p->l4_off] != request_type(p->ends.version) ||
	    w->raw_fds[p->ends.version == IP_VERSION_6] < 0) {
		w->status->rx_ignored++;
		return;
	}
	memcpy(&echo, p->data + p->l4_off, sizeof(echo));
	flow_name_set(&name, p, echo.id, 0);
	entry = flow_lookup(w, &name);
	if (entry && route_has_moved(w, entry, &flow_of(entry)->to)) {
		echo_end(w, entry, END_BROKEN);
		entry = NULL;
	}
	flow = entry ? flow_of(entry) : open_flow(w, &name, p, mac);
	if (!flow) {
		w->status->rx_refused++;
		return;
	}
	flow->waiting[ntohs(echo.seq) % WAITING_BITS / 64] |= 1ull << (ntohs(echo.seq) % 64);
	flow_touch(w, &flow->entry);
	send_request(w, flow, p, &echo);
}
