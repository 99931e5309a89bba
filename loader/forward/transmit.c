/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Out of the interface: an AF_PACKET socket with virtio headers, so that GSO packets leave whole
 * and checksums are finished by the kernel.  Everything passes TC egress, where the flow's entry
 * is found.  (The AF_XDP transmit ring is no way out of WireGuard, which refuses it.)
 */
#include "forward/transmit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#include "forward/flows.h"
#include "forward/path.h"
#include "forward/watch.h"
#include "icmp_limit.h"

#define SEND_BUFFER_BYTES (4 << 20)
#define PARTS_MAX	  4

static void tun_events(struct worker *w, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = &w->tun_watch};

	epoll_ctl(w->epoll_fd, EPOLL_CTL_MOD, w->tun_fd, &event);
}

static void packet_ready(struct worker *w, struct watch *watch, uint32_t events)
{
	(void)watch;
	(void)events;
	if (!w->tx_blocked)
		return;
	w->tx_blocked = false;
	tun_events(w, EPOLLIN);
}

/**
 * transmit_wait() - The socket has no room: let the TUN wait until it has
 */
void transmit_wait(struct worker *w)
{
	w->tx_blocked = true;
	tun_events(w, 0);
}

/**
 * transmit_open() - Open the way out
 *
 * Return: 0 or -errno.
 */
int transmit_open(struct worker *w, struct error *error)
{
	int one = 1, bytes = SEND_BUFFER_BYTES, mark = FORWARDER_MARK;

	/* protocol 0: receives nothing */
	w->packet_fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (w->packet_fd < 0 ||
	    setsockopt(w->packet_fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) ||
	    setsockopt(w->packet_fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)))
		return error_set(error, errno, "cannot open a packet socket: %s", strerror(errno));
	if (setsockopt(w->packet_fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)))
		setsockopt(w->packet_fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	w->packet_watch.ready = packet_ready;
	if (watch_add(w, w->packet_fd, &w->packet_watch, EPOLLOUT | EPOLLET))
		return error_set(error, errno, "cannot wait for events: %s", strerror(errno));
	return 0;
}

/**
 * transmit() - Send one IP packet to a peer
 * @mac: the peer's link address; not looked at on links without
 * @header: offsets count from the IP header
 * @parts: the packet, at most 2 of them
 * @version: of the packet
 *
 * Return: false where the socket has no room; other failures count and are forgotten, as on any
 * wire.
 */
bool transmit(struct worker *w, const uint8_t *mac, struct virtio_net_hdr *header,
	      const struct iovec *parts, int n, uint8_t version)
{
	uint16_t ethertype = htons(version == IP_VERSION_4 ? ETH_P_IP : ETH_P_IPV6);
	uint8_t l2_len = w->order.config.l2_len;
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET,
		.sll_protocol = ethertype,
		.sll_ifindex = w->order.config.ifindex,
	};
	struct virtio_net_hdr virtio = *header;
	struct iovec all[PARTS_MAX] = {{&virtio, sizeof(virtio)}};
	struct msghdr message = {.msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = all};
	uint8_t link[ETHERNET_LEN];

	memcpy(link, mac, LINK_ADDR_LEN);
	memcpy(link + LINK_ADDR_LEN, w->order.mac, LINK_ADDR_LEN);
	memcpy(link + 2 * LINK_ADDR_LEN, &ethertype, 2);
	all[1] = (struct iovec){link, l2_len};
	memcpy(all + 2, parts, n * sizeof(*parts));
	message.msg_iovlen = 2 + n;
	virtio.csum_start += l2_len;
	virtio.hdr_len = virtio.gso_type ? virtio.hdr_len + l2_len : 0;
	if (sendmsg(w->packet_fd, &message, MSG_DONTWAIT) < 0) {
		if (errno == EAGAIN || errno == EWOULDBLOCK) {
			w->status->tx_full++;
			return false;
		}
		w->status->tx_failed++;
	}
	w->status->tx_packets++;
	return true;
}

static void fragment_header6(uint8_t to[8], uint8_t l4_proto, uint32_t id, size_t off, bool more)
{
	uint16_t field = htons(off | more);

	to[0] = l4_proto;
	to[1] = 0;
	memcpy(to + 2, &field, 2);
	memcpy(to + 4, &id, 4);
}

/* Send a packet that we made (no options, no extension headers) in fragments. */
static void transmit_fragments(struct worker *w, const struct peer *peer, const uint8_t *packet,
			       size_t len)
{
	bool is4 = peer->version == IP_VERSION_4;
	size_t header_len = ip_header_len(peer->version), payload_len = len - header_len;
	size_t fragment_header_len = is4 ? 0 : sizeof(struct ip6_frag);
	size_t step = (path_mtu(w, peer) - header_len - fragment_header_len) & ~7ul;
	uint8_t l4_proto = is4 ? packet[9] : packet[6];
	struct virtio_net_hdr none = {};
	struct ip_packet whole;
	uint32_t id;

	if (ip_parse((uint8_t *)packet, len, &whole) || getrandom(&id, sizeof(id), 0) < 0)
		return;
	for (size_t off = 0; off < payload_len; off += step) {
		size_t size = payload_len - off < step ? payload_len - off : step;
		uint8_t headers[IP_HEADER_MAX + sizeof(struct ip6_frag)];
		struct iovec parts[2] = {
			{headers, header_len + fragment_header_len},
			{(void *)(packet + header_len + off), size},
		};
		bool more = off + size < payload_len;

		ip_header_write(headers, &whole.ends, is4 ? l4_proto : IPPROTO_FRAGMENT, whole.ttl,
				fragment_header_len + size);
		ip_tos_set(headers, peer->version, whole.tos);
		if (is4) {
			uint16_t field = htons(off / 8 | (more ? IP_MF : 0));

			memcpy(headers + 4, &id, 2);
			memcpy(headers + 6, &field, 2);
			ip_length_set(headers, peer->version, header_len, header_len + size);
		} else {
			fragment_header6(headers + header_len, l4_proto, id, off, more);
		}
		transmit(w, peer->mac, &none, parts, 2, peer->version);
	}
}

/* Finish a checksum that a virtio header would have left to the kernel. */
static void finish_sum(uint8_t *packet, size_t len, struct virtio_net_hdr *header)
{
	uint16_t sum;

	if (!(header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		return;
	sum = ~ip_fold(ip_sum(packet + header->csum_start, len - header->csum_start, 0));
	if (!sum)
		sum = 0xffff;
	memcpy(packet + header->csum_start + header->csum_offset, &sum, 2);
}

/**
 * transmit_identify() - Give a packet that we made its identification
 * @packet: of either family, without "don't fragment"
 * @n: packets that the kernel divides it into, which count on from there
 *
 * A router behind the interface may fragment it, and fragments of several packets with one
 * identification would be taken for those of one (RFC 6864, section 4.1).
 */
void transmit_identify(struct worker *w, uint8_t *packet, uint8_t version, size_t n)
{
	if (version == IP_VERSION_4)
		ip_id_set(packet, w->next_ip_id);
	w->next_ip_id += n;
}

/**
 * transmit_ip() - Send a packet that we made, in fragments where it exceeds the MTU
 * @packet: without options or extension headers
 * @header: its virtio header
 */
void transmit_ip(struct worker *w, const struct peer *peer, uint8_t *packet, size_t len,
		 struct virtio_net_hdr *header)
{
	struct iovec part = {packet, len};

	if (len <= path_mtu(w, peer)) {
		transmit_identify(w, packet, peer->version, 1);
		transmit(w, peer->mac, header, &part, 1, peer->version);
		return;
	}
	finish_sum(packet, len, header);
	transmit_fragments(w, peer, packet, len);
}

static bool is_icmp_error(const struct ip_packet *p)
{
	uint8_t type = p->len > p->l4_off ? p->data[p->l4_off] : 0;

	if (p->l4_proto == IPPROTO_ICMP)
		return type != 8 && type != 0;
	return p->l4_proto == IPPROTO_ICMPV6 && type < 128;
}

static bool bucket_has(struct bucket *bucket, uint64_t now_ns, uint64_t cost_ns, unsigned int burst)
{
	bucket->credit_ns += now_ns - bucket->filled_ns;
	bucket->filled_ns = now_ns;
	if (bucket->credit_ns > burst * cost_ns)
		bucket->credit_ns = burst * cost_ns;
	return bucket->credit_ns >= cost_ns;
}

/* Whether the limits of icmp_limit.h let an error through. */
static bool may_report(struct worker *w, struct peer *peer, enum icmp_error kind)
{
	if (kind == ICMP_ERROR_TOO_BIG)
		return true;
	if (!bucket_has(&peer->errors, w->now_ns, ERROR_OF_PEER_NS, ERRORS_OF_PEER) ||
	    !bucket_has(&w->errors, w->now_ns, ERROR_NS, ERRORS)) {
		w->status->errors_limited++;
		return false;
	}
	peer->errors.credit_ns -= ERROR_OF_PEER_NS;
	w->errors.credit_ns -= ERROR_NS;
	return true;
}

/**
 * transmit_error() - Tell a peer that its packet could not be delivered
 * @about: the packet, as it came
 * @info: as in icmp_error_build()
 *
 * The error comes from this host's overlay address, as a router's; where there is none, from the
 * destination.  Errors are never answered by errors (RFC 1122, section 3.2.2).
 */
void transmit_error(struct worker *w, const struct ip_packet *about, enum icmp_error kind,
		    uint32_t info)
{
	const union addr *own = &w->order.own[about->ends.version == IP_VERSION_6];
	struct peer *peer = peer_find(w, &about->ends.saddr, about->ends.version);
	struct virtio_net_hdr none = {};
	uint8_t packet[ICMP_ERROR_MAX], type, code;
	struct ip_ends ends;
	size_t len;

	if (!peer || is_icmp_error(about) || (about->is_fragment && about->frag_off) ||
	    !may_report(w, peer, kind))
		return;
	ip_ends_swap(&about->ends, &ends);
	if (own->half[0] || own->half[1])
		ends.saddr = *own;
	icmp_error_numbers(kind, ends.version, &type, &code);
	len = icmp_error_build(packet, &ends, type, code, info, about->data, about->len);
	transmit_ip(w, peer, packet, len, &none);
}
