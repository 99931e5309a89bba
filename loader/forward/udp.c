/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * UDP: a connected socket of the host for each flow.
 *
 * What a router would do to a datagram is done to the socket: time to live, "don't fragment".
 * Errors that the network reports come back by the socket's error queue and go on to the peer,
 * from whoever reported them.  Datagrams of one flow that arrive together are sent together, and
 * answers are read many at a time.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "worker.h"

#define READS_PER_TURN	8
#define ERRORS_PER_TURN 16
#define QUOTED_BYTES	512

struct udp_flow {
	struct flow_entry entry;
	struct watch watch;
	int fd;
	int ttl;	   /* of the socket, 0: not set */
	int dont_fragment; /* of the socket, -1: not set */
};

static struct udp_flow *flow_of(struct flow_entry *entry)
{
	return container_of(entry, struct udp_flow, entry);
}

static void udp_end(struct worker *w, struct flow_entry *entry, bool reset)
{
	struct udp_flow *flow = flow_of(entry);

	(void)reset;
	if (w->batch_flow == flow)
		w->n_batch = 0;
	if (flow->fd >= 0)
		close(flow->fd);
	w->status->udp_flows--;
	flow_remove(w, entry);
}

static void set_option(int fd, uint8_t version, int name4, int name6, int value)
{
	bool is4 = version == IP_VERSION_4;

	setsockopt(fd, is4 ? IPPROTO_IP : IPPROTO_IPV6, is4 ? name4 : name6, &value, sizeof(value));
}

/* An answer to the peer, from the flow's destination. */
static void answer(struct worker *w, struct udp_flow *flow, uint8_t *data, size_t len)
{
	uint8_t version = flow->entry.name.ends.version;
	size_t header_len = ip_header_len(version) + UDP_HEADER_LEN;
	uint8_t *packet = data - header_len; /* the caller has left room */
	struct udphdr udp = {
		.uh_sport = flow->entry.name.dport,
		.uh_dport = flow->entry.name.sport,
		.uh_ulen = htons(UDP_HEADER_LEN + len),
	};
	struct virtio_net_hdr header = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.csum_start = ip_header_len(version),
		.csum_offset = offsetof(struct udphdr, uh_sum),
	};
	struct ip_ends ends;

	ip_ends_swap(&flow->entry.name.ends, &ends);
	udp.uh_sum = ip_fold(ip_pseudo_sum(&ends, IPPROTO_UDP, UDP_HEADER_LEN + len));
	ip_header_write(packet, &ends, IPPROTO_UDP, IP_TTL_DEFAULT, UDP_HEADER_LEN + len);
	memcpy(packet + ip_header_len(version), &udp, sizeof(udp));
	transmit_ip(w, flow->entry.peer, packet, header_len + len, &header);
	w->status->bytes_down += len;
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

static bool read_error(struct worker *w, struct udp_flow *flow)
{
	uint8_t data[QUOTED_BYTES], control[512];
	struct iovec part = {data, sizeof(data)};
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t len = recvmsg(flow->fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT);

	if (len < 0)
		return false;
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
		route_addr(&from, &offender, &port);
		pass_error(w, flow, &err, &offender, data, len);
	}
	return true;
}

static void read_errors(struct worker *w, struct udp_flow *flow)
{
	for (int i = 0; i < ERRORS_PER_TURN && read_error(w, flow); i++)
		;
}

/* Read a handful of answers; false where there are no more. */
static bool read_answers(struct worker *w, struct udp_flow *flow)
{
	static const size_t room = IP_HEADER_MAX + UDP_HEADER_LEN;
	struct mmsghdr messages[UDP_READS] = {};
	struct iovec parts[UDP_READS];
	int n;

	for (int i = 0; i < UDP_READS; i++) {
		parts[i] = (struct iovec){w->buffer + i * UDP_READ_BYTES + room,
					  UDP_READ_BYTES - room};
		messages[i].msg_hdr.msg_iov = &parts[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	n = recvmmsg(flow->fd, messages, UDP_READS, MSG_DONTWAIT, NULL);
	if (n < 0 && errno != EAGAIN)
		read_errors(w, flow);
	for (int i = 0; i < n; i++)
		if (!(messages[i].msg_hdr.msg_flags & MSG_TRUNC))
			answer(w, flow, parts[i].iov_base, messages[i].msg_len);
	if (n > 0)
		flow_touch(w, &flow->entry);
	return n == UDP_READS;
}

static void udp_ready(struct worker *w, struct watch *watch, uint32_t events)
{
	struct udp_flow *flow = container_of(watch, struct udp_flow, watch);

	if (flow->entry.is_dead)
		return;
	if (events & EPOLLERR)
		read_errors(w, flow);
	for (int i = 0; i < READS_PER_TURN; i++)
		if (!read_answers(w, flow))
			return;
}

static int open_socket(struct worker *w, struct udp_flow *flow, const union addr *to)
{
	const struct flow_name *name = &flow->entry.name;
	uint8_t version = name->ends.version;
	struct sockaddr_storage addr;
	socklen_t len = route_sockaddr(&addr, version, to, name->dport);

	flow->fd = socket(version == IP_VERSION_4 ? AF_INET : AF_INET6,
			  SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (flow->fd < 0)
		return -errno;
	set_option(flow->fd, version, IP_RECVERR, IPV6_RECVERR, 1);
	if (connect(flow->fd, (struct sockaddr *)&addr, len))
		return -errno;
	flow->watch.ready = udp_ready;
	return worker_watch(w, flow->fd, &flow->watch, EPOLLIN);
}

static void refuse(struct worker *w, const struct ip_packet *p, int err)
{
	if (err == ENETUNREACH)
		transmit_error(w, p, ICMP_ERROR_NO_ROUTE, 0);
	else if (err == EHOSTUNREACH)
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
	flow->fd = -1;
	flow->dont_fragment = -1;
	flow->entry.end = udp_end;
	if (!flow_insert(w, &flow->entry, name, mac)) {
		free(flow);
		return NULL;
	}
	w->status->udp_flows++;
	flow_move(w, &flow->entry, &w->udp);
	err = open_socket(w, flow, &to);
	if (err) {
		refuse(w, p, -err);
		udp_end(w, &flow->entry, true);
		return NULL;
	}
	return flow;
}

/**
 * udp_flush() - Send the datagrams that wait
 *
 * An error that an earlier datagram has earned is taken off the socket and told to the peer, and
 * the rest goes on.
 */
void udp_flush(struct worker *w)
{
	struct mmsghdr messages[UDP_BATCH] = {};
	struct udp_flow *flow = w->batch_flow;
	int n = w->n_batch, failures = 0;

	w->batch_flow = NULL;
	w->n_batch = 0;
	for (int i = 0; i < n; i++) {
		messages[i].msg_hdr.msg_iov = &w->batch[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	for (int at = 0; at < n;) {
		int sent = sendmmsg(flow->fd, messages + at, n - at, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent > 0) {
			for (int i = at; i < at + sent; i++)
				w->status->bytes_up += w->batch[i].iov_len;
			at += sent;
			continue;
		}
		if (errno == EAGAIN)
			return;
		if (errno == ENETUNREACH || errno == EHOSTUNREACH || errno == EACCES)
			refuse(w, &w->batch_packets[at], errno);
		read_errors(w, flow);
		/* the first failure may be about an earlier datagram: try this one again */
		if (failures++ || errno == EMSGSIZE)
			at++;
	}
}

static void set_like(struct worker *w, struct udp_flow *flow, const struct ip_packet *p)
{
	uint8_t version = p->ends.version;

	if (flow->ttl != p->ttl - 1) {
		udp_flush(w);
		flow->ttl = p->ttl - 1;
		set_option(flow->fd, version, IP_TTL, IPV6_UNICAST_HOPS, flow->ttl);
	}
	if (flow->dont_fragment != p->dont_fragment) {
		udp_flush(w);
		flow->dont_fragment = p->dont_fragment;
		set_option(flow->fd, version, IP_MTU_DISCOVER, IPV6_MTU_DISCOVER,
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
	flow = entry ? flow_of(entry) : open_flow(w, &name, p, mac);
	if (!flow)
		return;
	if (w->batch_flow != flow || w->n_batch == UDP_BATCH)
		udp_flush(w);
	set_like(w, flow, p);
	w->batch_flow = flow;
	w->batch_packets[w->n_batch] = *p;
	w->batch[w->n_batch++] = (struct iovec){p->data + p->l4_off + sizeof(udp),
						len - sizeof(udp)};
	flow_touch(w, entry ? entry : &flow->entry);
}
