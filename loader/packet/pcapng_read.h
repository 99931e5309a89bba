/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reading captures of any number of interfaces as pcapng (draft-ietf-opsawg-pcapng).
 *
 * libpcap refuses a file whose interfaces differ in their link type or in how much they capture.
 */
#ifndef SHRIKE_PACKET_PCAPNG_READ_H
#define SHRIKE_PACKET_PCAPNG_READ_H

#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

#define PCAPNG_FIRST_BYTE 0x0a /* of a file in either byte order, and of no other capture */

struct pcapng_reader;

/*
 * struct pcapng_record - one packet, valid until the next one is read
 * @bytes: what was captured of it, link header included
 * @time_ns: CLOCK_REALTIME; that of the packet before where it has none
 * @captured: of @bytes
 * @len: on the wire, as the file says
 * @link_type: LINKTYPE_* of its interface
 */
struct pcapng_record {
	const uint8_t *bytes;
	uint64_t time_ns;
	uint32_t captured;
	uint32_t len;
	uint16_t link_type;
};

int pcapng_open(FILE *file, struct pcapng_reader **reader, struct error *error);
int pcapng_next(struct pcapng_reader *reader, struct pcapng_record *record, struct error *error);
void pcapng_close(struct pcapng_reader *reader);

#endif /* SHRIKE_PACKET_PCAPNG_READ_H */
