/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Packets of a capture file: pcap or pcapng, Ethernet, Linux cooked, raw IP or loopback.  A pcapng
 * file may be of several interfaces.
 */
#ifndef SHRIKE_PACKET_CAPTURE_H
#define SHRIKE_PACKET_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct capture;

/*
 * struct capture_packet - one packet, valid until the next one is read
 * @bytes: from the IP header on, or whatever stands there
 * @len: on the wire, link header excluded
 * @captured: bytes there are; at most @len
 * @time_ns: CLOCK_REALTIME
 * @ethertype: host byte order; 0 where neither the link nor the packet shows it
 * @is_ethernet: it had an Ethernet header
 * @is_outgoing: a cooked capture says that this host sent it
 * @is_incoming: it is known to have arrived; no capture says so
 */
struct capture_packet {
	const uint8_t *bytes;
	uint64_t time_ns;
	uint32_t len;
	uint32_t captured;
	uint16_t ethertype;
	bool is_ethernet;
	bool is_outgoing;
	bool is_incoming;
};

int capture_open(const char *path, struct capture **capture, struct error *error);
int capture_next(struct capture *capture, struct capture_packet *packet, struct error *error);
void capture_close(struct capture *capture);

#endif /* SHRIKE_PACKET_CAPTURE_H */
