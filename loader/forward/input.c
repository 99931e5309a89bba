/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "forward/input.h"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>

#include "forward/echo.h"
#include "forward/flows.h"
#include "forward/path.h"
#include "forward/route.h"
#include "forward/tcp.h"
#include "forward/transmit.h"
#include "forward/udp.h"

/* An error about TCP is for the private namespace, which knows its connections. */
static bool is_tcp_error(const struct ip_packet *p)
{
	uint8_t *icmp = p->data + p->l4_off;
	size_t len = p->len - p->l4_off;
	bool is4 = p->ends.version == IP_VERSION_4;
	size_t at = ICMP_HEADER_LEN + (is4 ? 9 : 6); /* protocol, next header */

	if (len < ICMP_HEADER_LEN + ip_header_len(p->ends.version))
		return false;
	if (is4 ? icmp[0] != ICMP_UNREACH && icmp[0] != ICMP_TIMXCEED
		: icmp[0] == 0 || icmp[0] > ICMP6_PARAM_PROB)
		return false;
	return icmp[at] == IPPROTO_TCP;
}

static void icmp_input(struct worker *w, const struct ip_packet *p, const uint8_t *mac)
{
	struct virtio_net_hdr none = {};
	struct iovec parts[2] = {{&none, sizeof(none)}, {p->data, p->len}};

	if (is_tcp_error(p))
		tcp_write_tun(w, parts, 2);
	else if (path_too_big(w, p))
		w->status->rx_relayed++; /* to whoever sends answers to that peer */
	else
		echo_input(w, p, mac);
}

/* Routers drop what has no time left; what is delivered here has arrived. */
static bool is_out_of_time(struct worker *w, const struct ip_packet *p)
{
	struct flow_name name;
	union addr to;

	if (p->ttl > 1)
		return false;
	flow_name_set(&name, p, 0, 0);
	if (route_find(w, &name, &to) == ROUTE_LOCAL)
		return false;
	w->status->rx_expired++;
	transmit_error(w, p, ICMP_ERROR_TIME, 0);
	return true;
}

_Static_assert(PORT_PROTOCOL_MAX == 2, "packets of each protocol with ports have a way on");

static void packet_input(struct worker *w, const struct ip_packet *p, const uint8_t *mac)
{
	bool is4 = p->ends.version == IP_VERSION_4;

	if (p->ttl <= 1) {
		peer_learn(w, &p->ends.saddr, p->ends.version, mac);
		if (is_out_of_time(w, p))
			return;
	}
	if (p->l4_proto == IPPROTO_TCP)
		tcp_input(w, p, mac);
	else if (p->l4_proto == IPPROTO_UDP)
		udp_input(w, p, mac);
	else if (p->l4_proto == (is4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
		icmp_input(w, p, mac);
	else
		w->status->rx_ignored++;
}

/*
 * What goes on has a checksum of our own making, which would vouch for bytes that were damaged on
 * their way here.
 */
static bool has_right_sums(struct worker *w, const struct ip_packet *p)
{
	if (ip_sums_are_right(p))
		return true;
	w->status->rx_corrupt++;
	return false;
}

static void count_fragments(struct worker *w)
{
	struct reassembly_counts counts = reassembly_count(w->reassembly);

	w->status->fragments = counts.waiting;
	w->status->rx_joined += counts.joined;
	w->status->rx_fragments += counts.lost;
}

/* Datagrams that have come as one packet, one by one. */
static void datagrams_input(struct worker *w, const struct ip_packet *p, const uint8_t *mac)
{
	struct ip_packet datagram;
	uint32_t at = 0, n = 0;

	for (;; n++) {
		if (!split_has_room(&w->splitter, p)) {
			udp_flush(w);
			splitter_reset(&w->splitter);
		}
		if (!split_next(&w->splitter, p, &at, &datagram))
			break;
		packet_input(w, &datagram, mac);
	}
	if (n)
		w->status->rx_divided += n - 1;
	else
		w->status->rx_ignored++;
}

/* Whether the packet is what its virtio header says; then it knows its segments. */
static bool set_segments(struct ip_packet *p, const struct virtio_net_hdr *header)
{
	uint8_t kind = header ? header->gso_type & ~VIRTIO_NET_HDR_GSO_ECN
			      : VIRTIO_NET_HDR_GSO_NONE;

	if (kind == VIRTIO_NET_HDR_GSO_NONE)
		return true;
	p->segment_len = header->gso_size;
	if (!p->segment_len || p->is_fragment)
		return false;
	return kind == VIRTIO_NET_HDR_GSO_UDP_L4
		       ? p->l4_proto == IPPROTO_UDP
		       : p->l4_proto == IPPROTO_TCP && kind != VIRTIO_NET_HDR_GSO_UDP;
}

/**
 * frame_input() - A frame that the dataplane has allowed
 * @frame: lives until frame_input_end()
 * @header: says whether it holds several segments; NULL: it does not
 */
void frame_input(struct worker *w, uint8_t *frame, size_t len, const struct virtio_net_hdr *header)
{
	uint8_t l2_len = w->order.config.l2_len;
	const uint8_t *mac = l2_len ? frame + LINK_ADDR_LEN : NULL;
	struct ip_packet packet, whole;
	bool is_whole;

	w->status->rx_packets++;
	if (len <= l2_len || ip_parse(frame + l2_len, len - l2_len, &packet) ||
	    !set_segments(&packet, header)) {
		w->status->rx_ignored++;
		return;
	}
	if (!has_right_sums(w, &packet))
		return;
	if (packet.segment_len && packet.l4_proto == IPPROTO_UDP) {
		datagrams_input(w, &packet, mac);
		return;
	}
	if (!packet.is_fragment) {
		packet_input(w, &packet, mac);
		return;
	}
	is_whole = reassembly_add(w->reassembly, &packet, w->now_ns,
				  w->order.config.fragment_timeout_ns, &whole);
	count_fragments(w);
	if (!is_whole)
		return;
	if (has_right_sums(w, &whole))
		packet_input(w, &whole, mac);
	coalesce_flush(&w->coalescer);
	udp_flush(w);
}

/**
 * frame_input_end() - The frames so far have been a batch: let go of them
 */
void frame_input_end(struct worker *w)
{
	coalesce_flush(&w->coalescer);
	udp_flush(w);
	splitter_reset(&w->splitter);
}
