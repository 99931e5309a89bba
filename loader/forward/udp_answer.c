/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "forward/udp_answer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>

#include "forward/path.h"
#include "forward/route.h"
#include "forward/transmit.h"

/*
 * An answer to the peer, from the flow's destination.
 * @segment: where it is not 0, the answer is datagrams of that size, the last perhaps smaller
 *
 * Return: false where the kernel does not divide packets on that way out.
 */
static bool send_one(struct worker *w, const struct udp_flow *flow, const struct udp_answer *answer,
		     size_t segment)
{
	uint8_t version = flow->entry.name.ends.version;
	size_t header_len = ip_header_len(version) + UDP_HEADER_LEN, len = answer->len;
	uint8_t *packet = answer->data - header_len; /* the caller has left room */
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
	uint64_t failed = w->status->tx_failed;
	struct iovec part = {packet, header_len + len};
	struct ip_ends ends;

	ip_ends_swap(&flow->entry.name.ends, &ends);
	udp.uh_sum = ip_fold(ip_pseudo_sum(&ends, IPPROTO_UDP, UDP_HEADER_LEN + len));
	ip_header_write(packet, &ends, IPPROTO_UDP, route_ttl(answer->ttl, flow->is_local),
			UDP_HEADER_LEN + len);
	ip_tos_set(packet, version, answer->tos);
	memcpy(packet + ip_header_len(version), &udp, sizeof(udp));
	if (segment) {
		header.gso_type = VIRTIO_NET_HDR_GSO_UDP_L4;
		header.gso_size = segment;
		header.hdr_len = header_len;
		transmit_identify(w, packet, version, (len + segment - 1) / segment);
		transmit(w, flow->entry.peer->mac, &header, &part, 1, version);
		/* a full queue and a device that is down lose it as any wire does */
		if (w->status->tx_failed != failed && errno != ENOBUFS && errno != ENETDOWN &&
		    errno != ENXIO) {
			/* it is about to be sent one by one */
			w->status->tx_failed = failed;
			w->status->tx_packets--;
			return false;
		}
	} else {
		transmit_ip(w, flow->entry.peer, packet, header_len + len, &header);
	}
	w->status->bytes_down += len;
	return true;
}

/**
 * udp_answer_send() - Send what a message of a flow's destination holds to the peer
 *
 * What the kernel has put together goes whole where that is possible, else one by one.
 */
void udp_answer_send(struct worker *w, const struct udp_flow *flow, const struct udp_answer *all)
{
	size_t header_len = ip_header_len(flow->entry.name.ends.version) + UDP_HEADER_LEN;
	size_t segment = all->segment, len = all->len;
	struct udp_answer one = *all;

	if (!segment || segment >= len) {
		send_one(w, flow, all, 0);
		return;
	}
	if (!w->udp_undivided && header_len + segment <= path_mtu(w, flow->entry.peer) &&
	    header_len + len <= SEGMENTED_MAX) {
		if (send_one(w, flow, all, segment))
			return;
		w->udp_undivided = true; /* before Linux 6.12 */
	}
	/* each header takes the place of bytes that have been sent */
	for (size_t at = 0; at < len; at += segment) {
		one.data = all->data + at;
		one.len = len - at < segment ? len - at : segment;
		send_one(w, flow, &one, 0);
	}
}
