/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * UDP: one socket of the host for each address and port of a peer (udp_endpoint.h), and a flow for
 * each destination that it has asked: only what comes from there goes to the peer (RFC 4787, address
 * and port dependent filtering).
 *
 * What a router would do to a datagram is done to the socket: time to live, type of service, "don't
 * fragment".
 * Errors that the network reports come back by the socket's error queue and go on to the peer,
 * from whoever reported them.  Datagrams of one flow that arrive together are sent together, those
 * of one size as one packet that the kernel divides (UDP_SEGMENT); answers are read many at a time,
 * those that the kernel has put together (UDP_GRO) leave as one packet too.
 */
#include "forward/udp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/sockaddr.h"
#include "forward/flows.h"
#include "forward/route.h"
#include "forward/transmit.h"
#include "forward/udp_answer.h"
#include "forward/udp_endpoint.h"
#include "forward/udp_flow.h"

#define READS_PER_TURN	8
#define ERRORS_PER_TURN 16
#define QUOTED_BYTES	512

#define SEGMENTS_MAX 64 /* as old kernels divide */

/* Room for the one control message that goes: a segment's size. */
union segment_control {
	struct cmsghdr header;
	uint8_t bytes[CMSG_SPACE(sizeof(int))];
};

/*
 * Room for what comes: a segment's size, type of service, time to live, and how many datagrams there
 * was no room for.
 */
union answer_control {
	struct cmsghdr header;
	uint8_t bytes[4 * CMSG_SPACE(sizeof(int))];
};

static void udp_end(struct worker *w, struct flow_entry *entry, enum end_reason reason)
{
	struct udp_flow *flow = udp_flow_of(entry);

	(void)reason;
	if (w->batch_flow == flow) {
		w->status->rx_unsent += w->n_batch;
		w->n_batch = 0;
	}
	if (flow->endpoint)
		udp_endpoint_put(w, flow->endpoint);
	w->status->udp_flows--;
	flow_remove(w, entry);
}

static void set_option(int fd, uint8_t version, int name4, int name6, int value)
{
	bool is4 = version == IP_VERSION_4;

	setsockopt(fd, is4 ? IPPROTO_IP : IPPROTO_IPV6, is4 ? name4 : name6, &value, sizeof(value));
}

static struct udp_answer read_answer(struct worker *w, struct udp_endpoint *endpoint,
				     struct mmsghdr *message)
{
	struct udp_answer answer = {
		.data = message->msg_hdr.msg_iov->iov_base,
		.len = message->msg_len,
		.ttl = IP_TTL_DEFAULT,
	};
	struct msghdr *header = &message->msg_hdr;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
		bool is_ip = c->cmsg_level == IPPROTO_IP || c->cmsg_level == IPPROTO_IPV6;
		int value = *CMSG_DATA(c); /* IPv4 has a byte for the type of service */

		if (c->cmsg_len >= CMSG_LEN(sizeof(value)))
			memcpy(&value, CMSG_DATA(c), sizeof(value));
		if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO)
			answer.segment = value > 0 ? value : 0;
		else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL)
			udp_endpoint_overflow(w, endpoint, value);
		else if (is_ip && (c->cmsg_type == IP_TTL || c->cmsg_type == IPV6_HOPLIMIT))
			answer.ttl = value;
		else if (is_ip && (c->cmsg_type == IP_TOS || c->cmsg_type == IPV6_TCLASS))
			answer.tos = value;
	}
	return answer;
}

/* The flow to a destination, as that is dialled; NULL: the peer has not asked it. */
static struct udp_flow *flow_to(struct worker *w, const struct udp_endpoint *endpoint,
				const struct sockaddr_storage *to)
{
	struct flow_name name = endpoint->name;
	struct flow_entry *entry;
	union addr addr;

	sockaddr_get(to, &addr, &name.dport);
	if (!endpoint->is_translated)
		name.ends.daddr = addr;
	entry = flow_lookup(w, &name);
	return entry && !memcmp(&udp_flow_of(entry)->to, &addr, sizeof(addr)) ? udp_flow_of(entry)
									      : NULL;
}

/* A datagram has gone one way or the other. */
static void note_datagram(struct worker *w, struct udp_flow *flow)
{
	if (flow->datagrams < STREAM_DATAGRAMS)
		flow->datagrams++;
	if (flow->datagrams == STREAM_DATAGRAMS && flow->answered && flow->entry.on == &w->udp)
		flow_move(w, &flow->entry, &w->udp_streams);
	else
		flow_touch(w, &flow->entry);
}

/* Errors that routers and hosts report, as the peer would have got them. */
static void pass_error(struct worker *w, struct udp_flow *flow, const struct sock_extended_err *err,
		       const union addr *offender, const uint8_t *data, size_t len)
{
	const struct flow_name *name = &flow->entry.name;
	size_t ip_len = ip_header_len(name->ends.version);
	uint8_t quoted[IP_HEADER_MAX + UDP_HEADER_LEN + QUOTED_BYTES], packet[ICMP_ERROR_MAX];
	struct udphdr udp = {.uh_sport = name->sport,
			     .uh_dport = name->dport,
			     .uh_ulen = htons(UDP_HEADER_LEN + len)};
	struct virtio_net_hdr none = {};
	struct ip_packet about;
	struct ip_ends ends;
	size_t quoted_len;

	if (len > QUOTED_BYTES)
		len = QUOTED_BYTES;
	ip_header_write(quoted, &name->ends, IPPROTO_UDP, 1, UDP_HEADER_LEN + len);
	memcpy(quoted + ip_len, &udp, sizeof(udp));
	memcpy(quoted + ip_len + UDP_HEADER_LEN, data, len);
	quoted_len = ip_len + UDP_HEADER_LEN + len;
	if (err->ee_origin == SO_EE_ORIGIN_LOCAL) {
		if (err->ee_errno == EMSGSIZE && !ip_parse(quoted, quoted_len, &about))
			transmit_error(w, &about, ICMP_ERROR_TOO_BIG, err->ee_info);
		return;
	}
	if (err->ee_origin != SO_EE_ORIGIN_ICMP && err->ee_origin != SO_EE_ORIGIN_ICMP6)
		return;
	ip_ends_swap(&name->ends, &ends);
	ends.saddr = *offender;
	transmit_ip(w, flow->entry.peer, packet,
		    icmp_error_build(packet, &ends, err->ee_type, err->ee_code, err->ee_info,
				     quoted, quoted_len),
		    &none);
}

static bool read_error(struct worker *w, struct udp_endpoint *endpoint)
{
	uint8_t data[QUOTED_BYTES], control[512];
	struct iovec part = {data, sizeof(data)};
	struct sockaddr_storage to = {};
	struct msghdr message = {
		.msg_name = &to,
		.msg_namelen = sizeof(to),
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t len = recvmsg(endpoint->fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT);
	struct udp_flow *flow;

	if (len < 0)
		return false;
	flow = flow_to(w, endpoint, &to);
	if (!flow)
		return true;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
		struct sock_extended_err err;
		struct sockaddr_storage from = {};
		union addr offender;
		uint16_t port;

		if (!(c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) &&
		    !(c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR))
			continue;
		memcpy(&err, CMSG_DATA(c), sizeof(err));
		memcpy(&from, CMSG_DATA(c) + sizeof(err),
		       c->cmsg_len - CMSG_LEN(sizeof(err)) < sizeof(from)
			       ? c->cmsg_len - CMSG_LEN(sizeof(err))
			       : sizeof(from));
		sockaddr_get(&from, &offender, &port);
		pass_error(w, flow, &err, &offender, data, len);
	}
	return true;
}

/* How many there were. */
static int read_errors(struct worker *w, struct udp_endpoint *endpoint)
{
	int n = 0;

	while (n < ERRORS_PER_TURN && read_error(w, endpoint))
		n++;
	return n;
}

/* What has come goes to the peer if it has asked the sender. */
static void take_answer(struct worker *w, struct udp_endpoint *endpoint, struct mmsghdr *message)
{
	const struct sockaddr_storage *from = message->msg_hdr.msg_name;
	struct udp_answer answer = read_answer(w, endpoint, message);
	struct udp_flow *flow = flow_to(w, endpoint, from);

	if (message->msg_hdr.msg_flags & MSG_TRUNC)
		return;
	if (!flow) {
		w->status->udp_unasked++;
		return;
	}
	udp_answer_send(w, flow, &answer);
	flow->answered = true;
	note_datagram(w, flow);
}

/* Read a handful of answers; false where there are no more. */
static bool read_answers(struct worker *w, struct udp_endpoint *endpoint)
{
	static const size_t room = IP_HEADER_MAX + UDP_HEADER_LEN;
	struct mmsghdr messages[UDP_READS] = {};
	struct sockaddr_storage from[UDP_READS];
	union answer_control controls[UDP_READS];
	struct iovec parts[UDP_READS];
	int n;

	for (int i = 0; i < UDP_READS; i++) {
		parts[i] = (struct iovec){w->buffer + i * UDP_READ_BYTES + room,
					  UDP_READ_BYTES - room};
		messages[i].msg_hdr.msg_name = &from[i];
		messages[i].msg_hdr.msg_namelen = sizeof(from[i]);
		messages[i].msg_hdr.msg_iov = &parts[i];
		messages[i].msg_hdr.msg_iovlen = 1;
		messages[i].msg_hdr.msg_control = &controls[i];
		messages[i].msg_hdr.msg_controllen = sizeof(controls[i]);
	}
	n = recvmmsg(endpoint->fd, messages, UDP_READS, MSG_DONTWAIT, NULL);
	if (n < 0 && errno != EAGAIN)
		read_errors(w, endpoint);
	for (int i = 0; i < n; i++)
		take_answer(w, endpoint, &messages[i]);
	return n == UDP_READS;
}

/* An endpoint has answers, or errors. */
static void udp_ready(struct worker *w, struct watch *watch, uint32_t events)
{
	struct udp_endpoint *endpoint = container_of(watch, struct udp_endpoint, watch);

	if (!endpoint->flows)
		return;
	if (events & EPOLLERR)
		read_errors(w, endpoint);
	for (int i = 0; i < READS_PER_TURN; i++) {
		if (read_answers(w, endpoint))
			continue;
		if (i) /* there was a queue */
			udp_endpoint_losses(w, endpoint);
		return;
	}
}

static void refuse(struct worker *w, const struct ip_packet *p, int err)
{
	if (err == EADDRNOTAVAIL)
		w->status->refused_ports++;
	if (err == ENETUNREACH)
		transmit_error(w, p, ICMP_ERROR_NO_ROUTE, 0);
	else if (err == EHOSTUNREACH || err == EADDRNOTAVAIL)
		transmit_error(w, p, ICMP_ERROR_HOST, 0);
	else if (err == EACCES || err == EPERM)
		transmit_error(w, p, ICMP_ERROR_PROHIBITED, 0);
	else
		w->status->refused_limit++;
}

static struct udp_flow *open_flow(struct worker *w, const struct flow_name *name,
				  const struct ip_packet *p, const uint8_t *mac)
{
	struct udp_flow *flow;
	union addr to;
	int err;

	peer_learn(w, &name->ends.saddr, name->ends.version, mac);
	switch (route_admit(w, name, &to)) {
	case REFUSAL_NONE:
		break;
	case REFUSAL_NO_ROUTE:
		transmit_error(w, p, ICMP_ERROR_NO_ROUTE, 0);
		return NULL;
	default:
		transmit_error(w, p, ICMP_ERROR_PORT, 0);
		return NULL;
	}
	flow = calloc(1, sizeof(*flow));
	if (!flow)
		return NULL;
	flow->to = to;
	flow->is_local = route_is_local(w, &name->ends.daddr);
	flow->entry.end = udp_end;
	if (!flow_insert(w, &flow->entry, name, mac)) {
		free(flow);
		return NULL;
	}
	w->status->udp_flows++;
	flow_move(w, &flow->entry, &w->udp);
	err = udp_endpoint_get(w, name, &to, udp_ready, &flow->endpoint);
	if (err) {
		refuse(w, p, -err);
		udp_end(w, &flow->entry, END_BROKEN);
		return NULL;
	}
	return flow;
}

/* How many datagrams from @at on can go as one packet: all of one size, but the last. */
static int divisible(const struct worker *w, const struct udp_flow *flow, int at, int n)
{
	size_t size = w->batch[at].iov_len, sum = size;
	int end = at + 1;

	if (flow->undivided || !size)
		return 1;
	while (end < n && end - at < SEGMENTS_MAX && w->batch[end - 1].iov_len == size &&
	       w->batch[end].iov_len && w->batch[end].iov_len <= size &&
	       sum + w->batch[end].iov_len <= SEGMENTED_MAX)
		sum += w->batch[end++].iov_len;
	return end - at;
}

/* The datagrams from @at on as messages; how many messages. */
static int gather(struct worker *w, const struct udp_flow *flow, struct sockaddr_storage *to,
		  int at, int n, struct mmsghdr *messages, union segment_control *controls)
{
	const struct flow_name *name = &flow->entry.name;
	socklen_t to_len = sockaddr_set(to, name->ends.version, &flow->to, name->dport);
	int count = 0;

	for (int len; at < n; at += len, count++) {
		struct msghdr *message = &messages[count].msg_hdr;
		union segment_control *control = &controls[count];
		uint16_t size = w->batch[at].iov_len;

		len = divisible(w, flow, at, n);
		*message = (struct msghdr){
			.msg_name = to,
			.msg_namelen = to_len,
			.msg_iov = &w->batch[at],
			.msg_iovlen = len,
		};
		if (len == 1)
			continue;
		control->header.cmsg_level = SOL_UDP;
		control->header.cmsg_type = UDP_SEGMENT;
		control->header.cmsg_len = CMSG_LEN(sizeof(size));
		memcpy(CMSG_DATA(&control->header), &size, sizeof(size));
		message->msg_control = control;
		message->msg_controllen = CMSG_SPACE(sizeof(size));
	}
	return count;
}

/* Datagrams that @sent messages held, whose bytes are counted. */
static int account(struct worker *w, int at, const struct mmsghdr *messages, int sent)
{
	int n = 0;

	for (int i = 0; i < sent; i++)
		n += messages[i].msg_hdr.msg_iovlen;
	for (int i = at; i < at + n; i++)
		w->status->bytes_up += w->batch[i].iov_len;
	w->status->rx_relayed += n;
	return n;
}

/*
 * The first datagram of a batch was not sent.  An error that an earlier one has earned, perhaps to
 * another destination, is taken off the socket and sent to the peer, and this one is tried again.
 *
 * Return: whether it is lost.
 */
static bool is_lost(struct worker *w, struct udp_flow *flow, const struct ip_packet *p, int err,
		    int *failures)
{
	bool was_pending = read_errors(w, flow->endpoint) > 0;

	if (err == EMSGSIZE)
		return true;
	if (was_pending && !(*failures)++)
		return false;
	if (err == ENETUNREACH || err == EHOSTUNREACH || err == EACCES)
		refuse(w, p, err);
	return true;
}

/**
 * udp_flush() - Send the datagrams that wait
 */
void udp_flush(struct worker *w)
{
	union segment_control controls[UDP_BATCH];
	struct mmsghdr messages[UDP_BATCH] = {};
	struct udp_flow *flow = w->batch_flow;
	int n = w->n_batch, failures = 0;
	struct sockaddr_storage to;

	w->batch_flow = NULL;
	w->n_batch = 0;
	for (int at = 0; at < n;) {
		int count = gather(w, flow, &to, at, n, messages, controls);
		int sent = sendmmsg(flow->endpoint->fd, messages, count,
				    MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent > 0) {
			at += account(w, at, messages, sent);
			continue;
		}
		if (errno == EAGAIN) {
			w->status->rx_unsent += n - at;
			return;
		}
		/* too large for the path, or the device cannot: one by one */
		if (messages[0].msg_hdr.msg_iovlen > 1 &&
		    (errno == EINVAL || errno == EIO || errno == EMSGSIZE)) {
			flow->undivided = true;
			continue;
		}
		if (is_lost(w, flow, &w->batch_packets[at], errno, &failures)) {
			w->status->rx_unsent++;
			at++;
		}
	}
}

static void set_like(struct worker *w, struct udp_endpoint *endpoint, const struct ip_packet *p)
{
	uint8_t version = p->ends.version;

	if (endpoint->ttl != p->ttl - 1) {
		udp_flush(w);
		endpoint->ttl = p->ttl - 1;
		set_option(endpoint->fd, version, IP_TTL, IPV6_UNICAST_HOPS, endpoint->ttl);
	}
	if (endpoint->tos != p->tos) {
		udp_flush(w);
		endpoint->tos = p->tos;
		set_option(endpoint->fd, version, IP_TOS, IPV6_TCLASS, endpoint->tos);
	}
	if (endpoint->dont_fragment != p->dont_fragment) {
		udp_flush(w);
		endpoint->dont_fragment = p->dont_fragment;
		set_option(endpoint->fd, version, IP_MTU_DISCOVER, IPV6_MTU_DISCOVER,
			   p->dont_fragment ? IP_PMTUDISC_DO : IP_PMTUDISC_DONT);
	}
}

/**
 * udp_input() - A datagram of a peer
 * @p: not a fragment; lives until udp_flush()
 * @mac: where it came from, NULL on links without addresses
 */
void udp_input(struct worker *w, const struct ip_packet *p, const uint8_t *mac)
{
	struct flow_entry *entry;
	struct udp_flow *flow;
	struct flow_name name;
	struct udphdr udp;
	size_t len;

	if (p->len < p->l4_off + sizeof(udp)) {
		w->status->rx_ignored++;
		return;
	}
	memcpy(&udp, p->data + p->l4_off, sizeof(udp));
	len = ntohs(udp.uh_ulen);
	if (len < sizeof(udp) || len > p->len - p->l4_off) {
		w->status->rx_ignored++;
		return;
	}
	flow_name_set(&name, p, udp.uh_sport, udp.uh_dport);
	entry = flow_lookup(w, &name);
	if (entry && route_has_moved(w, entry, &udp_flow_of(entry)->to)) {
		udp_end(w, entry, END_BROKEN);
		entry = NULL;
	}
	flow = entry ? udp_flow_of(entry) : open_flow(w, &name, p, mac);
	if (!flow) {
		w->status->rx_refused++;
		return;
	}
	if (w->batch_flow != flow || w->n_batch == UDP_BATCH)
		udp_flush(w);
	set_like(w, flow->endpoint, p);
	w->batch_flow = flow;
	w->batch_packets[w->n_batch] = *p;
	w->batch[w->n_batch++] = (struct iovec){p->data + p->l4_off + sizeof(udp),
						len - sizeof(udp)};
	note_datagram(w, flow);
}
