/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Writing captures of one interface as pcapng (draft-ietf-opsawg-pcapng), with a comment on each
 * packet.
 */
#ifndef SHRIKE_PACKET_PCAPNG_H
#define SHRIKE_PACKET_PCAPNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Types of blocks. */
enum pcapng_block {
	PCAPNG_SECTION = 0x0a0d0d0a,
	PCAPNG_INTERFACE = 1,
	PCAPNG_OLD_PACKET = 2,
	PCAPNG_SIMPLE_PACKET = 3,
	PCAPNG_STATISTICS = 5,
	PCAPNG_PACKET = 6, /* enhanced packet block */
};

/* Options of an interface. */
enum pcapng_interface_option {
	PCAPNG_NAME = 2,
	PCAPNG_TIME_RESOLUTION = 9,
	PCAPNG_TIME_OFFSET = 14,
};

#define PCAPNG_BYTE_ORDER_MAGIC 0x1a2b3c4du

#define PCAPNG_LINK_ETHERNET 1
#define PCAPNG_LINK_RAW	     101 /* begins with the IP header */

/*
 * struct pcapng_packet - one packet
 * @time_ns: CLOCK_REALTIME
 * @bytes: what was captured of it
 * @captured: of @bytes
 * @len: on the wire, at least @captured
 * @inbound: it arrived on the interface, else it left
 * @comment: UTF-8, NULL: none; what is beyond 65,535 bytes is cut off
 */
struct pcapng_packet {
	uint64_t time_ns;
	const void *bytes;
	uint32_t captured;
	uint32_t len;
	bool inbound;
	const char *comment;
};

void pcapng_begin(FILE *file, const char *application, const char *interface, uint16_t link_type,
		  uint32_t snap_len);
void pcapng_packet(FILE *file, const struct pcapng_packet *packet);
void pcapng_statistics(FILE *file, uint64_t time_ns, uint64_t received, uint64_t lost);

#endif /* SHRIKE_PACKET_PCAPNG_H */
