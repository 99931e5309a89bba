/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "probe/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/sockaddr.h"
#include "packet/build.h"

#define ECHO_BYTES  8
#define QUOTE_BYTES 64

/* An echo request's or reply's header; in network order but for the type. */
struct echo {
	uint8_t type;
	uint8_t code;
	uint16_t checksum;
	uint16_t id;
	uint16_t sequence;
};
_Static_assert(sizeof(struct echo) == ECHO_BYTES, "as on the wire");

/* A packet that is on its way. */
struct flight {
	const struct prober *prober;
	const struct probe *probe;
	struct probe_answer *answer;
	uint64_t sent_ns;
	struct echo echo;
	int fd;
};

static bool is4(const struct prober *prober)
{
	return prober->ip_version == IP_VERSION_4;
}

/**
 * probe_min_len() - The smallest packet of a protocol that is sent
 * @prober: of which family
 * @l4_proto: IPPROTO_UDP or IPPROTO_ICMP
 *
 * Return: bytes from the IP header on.
 */
uint16_t probe_min_len(const struct prober *prober, uint8_t l4_proto)
{
	return packet_ip_header_len(prober->ip_version) +
	       (l4_proto == IPPROTO_UDP ? sizeof(struct udphdr) : ECHO_BYTES);
}

/**
 * probe_arrived() - Whether a packet has come to its destination, by the answer
 */
bool probe_arrived(const struct probe_answer *answer)
{
	return answer->end == PROBE_ANSWERED || answer->end == PROBE_CLOSED;
}

/* ---- sending ---- */

/* Have a socket's packets neither fragmented nor held back, and errors kept. */
static int set_options(const struct flight *flight)
{
	int fd = flight->fd, one = 1, ttl = flight->probe->ttl, probe4 = IP_PMTUDISC_PROBE,
	    probe6 = IPV6_PMTUDISC_PROBE;

	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, flight->prober->ifname,
		       (socklen_t)strlen(flight->prober->ifname)))
		return -errno;
	if (is4(flight->prober)) {
		setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &probe4, sizeof(probe4));
		setsockopt(fd, IPPROTO_IP, IP_RECVERR, &one, sizeof(one));
		if (ttl)
			setsockopt(fd, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl));
		return 0;
	}
	setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &probe6, sizeof(probe6));
	setsockopt(fd, IPPROTO_IPV6, IPV6_DONTFRAG, &one, sizeof(one));
	setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &one, sizeof(one));
	if (ttl)
		setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &ttl, sizeof(ttl));
	return 0;
}

/* Have a raw socket get echo replies alone. */
static void set_filter(const struct flight *flight)
{
	struct icmp_filter filter4 = {~(1u << ICMP_ECHOREPLY)};
	struct icmp6_filter filter6;

	if (is4(flight->prober)) {
		setsockopt(flight->fd, SOL_RAW, ICMP_FILTER, &filter4, sizeof(filter4));
		return;
	}
	ICMP6_FILTER_SETBLOCKALL(&filter6);
	ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter6);
	setsockopt(flight->fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter6, sizeof(filter6));
}

/* Open a socket for the protocol of the packet. */
static int open_socket(struct flight *flight)
{
	int icmp = packet_icmp_proto(flight->prober->ip_version);
	int type = flight->probe->l4_proto == IPPROTO_TCP   ? SOCK_STREAM
		   : flight->probe->l4_proto == IPPROTO_UDP ? SOCK_DGRAM
							    : SOCK_RAW;

	flight->fd = socket(is4(flight->prober) ? AF_INET : AF_INET6,
			    type | SOCK_CLOEXEC | SOCK_NONBLOCK, type == SOCK_RAW ? icmp : 0);
	if (flight->fd < 0)
		return -errno;
	if (type == SOCK_RAW)
		set_filter(flight);
	return set_options(flight);
}

/* Send headers that are ours to make, if any, and as many zeros as make the packet large enough. */
static int send_bytes(const struct flight *flight, const struct echo *echo)
{
	static uint8_t zeros[PACKET_MAX_LEN];
	uint16_t min = probe_min_len(flight->prober, flight->probe->l4_proto);
	struct iovec parts[] = {
		{(void *)echo, echo ? sizeof(*echo) : 0},
		{zeros, flight->probe->len > min ? flight->probe->len - min : 0},
	};
	const struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};

	return sendmsg(flight->fd, &message, 0) < 0 ? -errno : 0;
}

/* Send an echo request; the zeros behind its header are nothing to a checksum. */
static int send_echo(struct flight *flight)
{
	struct echo *echo = &flight->echo;
	uint32_t sum;

	echo->type = is4(flight->prober) ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
	echo->id = htons((uint16_t)getpid());
	echo->sequence = htons(flight->prober->sequence);
	sum = ((uint32_t)echo->type << 8) + ntohs(echo->id) + ntohs(echo->sequence);
	sum = (sum & 0xffff) + (sum >> 16);
	echo->checksum = htons((uint16_t) ~(sum + (sum >> 16)));
	flight->answer->port = ntohs(echo->id);
	return send_bytes(flight, echo);
}

/* Note the packet's own address and, unless it has none, port. */
static void note_source(struct flight *flight)
{
	struct sockaddr_storage own = {};
	socklen_t len = sizeof(own);
	uint16_t port = 0;

	if (getsockname(flight->fd, (struct sockaddr *)&own, &len))
		return;
	sockaddr_get(&own, &flight->answer->source, &port);
	flight->answer->port = ntohs(port);
}

/* Send the packet; -errno: the host did not let it out. */
static int launch(struct flight *flight)
{
	const struct prober *prober = flight->prober;
	uint8_t l4_proto = flight->probe->l4_proto;
	struct sockaddr_storage to;
	uint16_t port = l4_proto == IPPROTO_ICMP ? 0 : htons(prober->port);
	socklen_t len = sockaddr_set(&to, prober->ip_version, &prober->addr, port);
	int err = open_socket(flight);

	if (err)
		return err;
	flight->sent_ns = clock_ns(CLOCK_MONOTONIC);
	err = connect(flight->fd, (struct sockaddr *)&to, len) ? -errno : 0;
	note_source(flight);
	if (l4_proto == IPPROTO_TCP)
		return err == -EINPROGRESS ? 0 : err;
	if (err)
		return err;
	return l4_proto == IPPROTO_ICMP ? send_echo(flight) : send_bytes(flight, NULL);
}

/* ---- answers ---- */

/* What an ICMP error means. */
static enum probe_end end_of_error(const struct flight *flight,
				   const struct sock_extended_err *about)
{
	bool of4 = about->ee_origin == SO_EE_ORIGIN_ICMP;
	const struct probe_answer *answer = flight->answer;
	bool from_destination = !memcmp(&answer->from, &flight->prober->addr, sizeof(answer->from));
	uint8_t type = about->ee_type, code = about->ee_code;

	if (type == (of4 ? ICMP_TIME_EXCEEDED : ICMP6_TIME_EXCEEDED))
		return PROBE_EXPIRED;
	if (of4 ? type == ICMP_DEST_UNREACH && code == ICMP_FRAG_NEEDED
		: type == ICMP6_PACKET_TOO_BIG)
		return PROBE_TOO_BIG;
	if (from_destination &&
	    (of4 ? type == ICMP_DEST_UNREACH && code == ICMP_PORT_UNREACH
		 : type == ICMP6_DST_UNREACH && code == ICMP6_DST_UNREACH_NOPORT))
		return PROBE_CLOSED;
	return PROBE_REFUSED;
}

/* Take what an entry of the error queue says; false: it is about something else. */
static bool take_error(struct flight *flight, struct cmsghdr *control)
{
	struct probe_answer *answer = flight->answer;
	size_t len = control->cmsg_len - CMSG_LEN(0);
	struct sock_extended_err about;
	struct sockaddr_storage from = {};
	uint16_t port;

	if (!(control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_RECVERR) &&
	    !(control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_RECVERR))
		return false;
	if (len < sizeof(about))
		return false;
	memcpy(&about, CMSG_DATA(control), sizeof(about));
	len -= sizeof(about);
	memcpy(&from, CMSG_DATA(control) + sizeof(about), len < sizeof(from) ? len : sizeof(from));
	answer->is_local = about.ee_origin == SO_EE_ORIGIN_LOCAL;
	answer->mtu = about.ee_info;
	if (answer->is_local) {
		answer->end = about.ee_errno == EMSGSIZE ? PROBE_TOO_BIG : PROBE_NOT_SENT;
		answer->error = (int)about.ee_errno;
		return true;
	}
	if (about.ee_origin != SO_EE_ORIGIN_ICMP && about.ee_origin != SO_EE_ORIGIN_ICMP6)
		return false;
	sockaddr_get(&from, &answer->from, &port);
	answer->type = about.ee_type;
	answer->code = about.ee_code;
	answer->end = end_of_error(flight, &about);
	return true;
}

/* Read the error queue; whether the packet has ended by it. */
static bool read_errors(struct flight *flight)
{
	union {
		char bytes[512];
		struct cmsghdr align;
	} control;
	uint8_t quote[QUOTE_BYTES];
	struct iovec part = {quote, sizeof(quote)};
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t len = recvmsg(flight->fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT);

	if (len < 0)
		return false;
	if (flight->probe->l4_proto == IPPROTO_ICMP && len >= ECHO_BYTES &&
	    memcmp(quote + 4, &flight->echo.id, 4)) /* identifier and sequence number */
		return false;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c))
		if (take_error(flight, c))
			return true;
	return false;
}

/* Note that the destination has answered. */
static bool arrived(struct flight *flight, enum probe_end end)
{
	flight->answer->end = end;
	flight->answer->from = flight->prober->addr;
	return true;
}

/* Read what has come to a raw or UDP socket; whether it is the answer. */
static bool read_data(struct flight *flight)
{
	uint8_t bytes[QUOTE_BYTES + ECHO_BYTES];
	ssize_t len = recv(flight->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	size_t off = is4(flight->prober) ? (size_t)(bytes[0] & 0x0f) * 4 : 0;

	if (len < 0)
		return false;
	if (flight->probe->l4_proto == IPPROTO_UDP)
		return arrived(flight, PROBE_ANSWERED);
	if ((size_t)len < off + ECHO_BYTES || memcmp(bytes + off + 4, &flight->echo.id, 4))
		return false;
	return arrived(flight, PROBE_ANSWERED);
}

/* What a TCP socket that has become ready says; whether that is an end. */
static bool read_connection(struct flight *flight)
{
	socklen_t len = sizeof(int);
	int err = 0;

	if (getsockopt(flight->fd, SOL_SOCKET, SO_ERROR, &err, &len))
		return false;
	if (!err)
		return arrived(flight, PROBE_ANSWERED);
	if (err == ECONNREFUSED)
		return arrived(flight, PROBE_CLOSED);
	flight->answer->end = PROBE_NOT_SENT;
	flight->answer->error = err;
	return true;
}

/* Wait for an answer until patience ends. */
static int await(struct flight *flight, struct error *error)
{
	bool is_tcp = flight->probe->l4_proto == IPPROTO_TCP;
	uint64_t end_ns = flight->sent_ns + PROBE_PATIENCE_NS, now_ns;
	struct pollfd ready = {.fd = flight->fd, .events = is_tcp ? POLLOUT : POLLIN};

	while ((now_ns = clock_ns(CLOCK_MONOTONIC)) < end_ns) {
		int n = poll(&ready, 1, (int)((end_ns - now_ns) / NS_PER_MS) + 1);
		bool is_over = false;

		if (n < 0 && errno != EINTR)
			return error_set(error, errno, "cannot wait for answers: %s",
					 strerror(errno));
		if (n > 0 && ready.revents & POLLERR)
			is_over = read_errors(flight);
		if (n > 0 && !is_over)
			is_over = is_tcp ? read_connection(flight) : read_data(flight);
		if (is_over) {
			flight->answer->rtt_ns = clock_ns(CLOCK_MONOTONIC) - flight->sent_ns;
			return 0;
		}
	}
	return 0;
}

/* Keep the distance between packets. */
static void keep_pace(struct prober *prober)
{
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
	struct timespec due = {
		.tv_sec = (time_t)(prober->due_ns / NS_PER_S),
		.tv_nsec = (long)(prober->due_ns % NS_PER_S),
	};

	while (now_ns < prober->due_ns &&
	       clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR)
		;
	prober->due_ns = clock_ns(CLOCK_MONOTONIC) + PROBE_GAP_NS;
	prober->sequence++;
}

/* End a connection at once: a reset is what nobody has to answer. */
static void close_socket(const struct flight *flight)
{
	const struct linger linger = {.l_onoff = 1};

	if (flight->fd < 0)
		return;
	if (flight->probe->l4_proto == IPPROTO_TCP)
		setsockopt(flight->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(flight->fd);
}

/**
 * probe_send() - Send a packet, and wait for what becomes of it
 * @prober: to whom; when the last one was sent
 * @probe: the packet
 * @answer: is filled
 * @error: set on failure
 *
 * Takes at most PROBE_GAP_NS and PROBE_PATIENCE_NS.
 *
 * Return: 0 or -errno: nothing was learnt.
 */
int probe_send(struct prober *prober, const struct probe *probe, struct probe_answer *answer,
	       struct error *error)
{
	struct flight flight = {.prober = prober, .probe = probe, .answer = answer, .fd = -1};
	int err;

	keep_pace(prober);
	*answer = (struct probe_answer){.end = PROBE_SILENT};
	err = launch(&flight);
	if (err == -EMSGSIZE) {
		answer->end = PROBE_TOO_BIG;
		answer->is_local = true;
		err = 0;
	} else if (err && flight.fd < 0) {
		return error_set(error, -err, "cannot open a socket: %s", strerror(-err));
	} else if (err) {
		answer->end = PROBE_NOT_SENT;
		answer->error = -err;
		err = 0;
	} else {
		err = await(&flight, error);
	}
	close_socket(&flight);
	return err;
}
