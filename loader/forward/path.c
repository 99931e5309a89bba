/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "forward/path.h"

#include <arpa/inet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip6.h>
#include <string.h>

#include "forward/flows.h"

#define PATH_MTU_NS  (600 * NS_PER_S) /* until larger packets are tried again (RFC 8201, 4) */
#define PATH_MTU_MIN 1280

/**
 * path_too_big() - Take note of an ICMPv6 "packet too big"
 * @p: an ICMP packet of a peer's side, which the dataplane has found to be about a flow
 *
 * Return: whether it is one.
 */
bool path_too_big(struct worker *w, const struct ip_packet *p)
{
	const uint8_t *icmp = p->data + p->l4_off;
	struct ip6_hdr quoted;
	struct peer *peer;
	uint32_t mtu;
	union addr to;

	if (p->ends.version != IP_VERSION_6 ||
	    p->len < p->l4_off + ICMP_HEADER_LEN + sizeof(quoted) ||
	    icmp[0] != ICMP6_PACKET_TOO_BIG)
		return false;
	memcpy(&mtu, icmp + 4, sizeof(mtu));
	memcpy(&quoted, icmp + ICMP_HEADER_LEN, sizeof(quoted));
	memcpy(&to, &quoted.ip6_dst, sizeof(to));
	mtu = ntohl(mtu);
	peer = peer_find(w, &to, IP_VERSION_6);
	if (!peer || mtu >= w->order.mtu)
		return true;
	peer->path_mtu = mtu < PATH_MTU_MIN ? PATH_MTU_MIN : mtu;
	peer->path_mtu_until_ns = w->now_ns + PATH_MTU_NS;
	return true;
}

/**
 * path_mtu() - Bytes of the largest IP packet that reaches a peer
 */
uint32_t path_mtu(const struct worker *w, const struct peer *peer)
{
	if (w->now_ns < peer->path_mtu_until_ns && peer->path_mtu < w->order.mtu)
		return peer->path_mtu;
	return w->order.mtu;
}
