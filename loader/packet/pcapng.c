/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Blocks are written in host byte order, which the magic number shows; each is padded to 32 bits
 * and bears its length at both ends.  Errors stay in the stream.
 */
#include "packet/pcapng.h"

#include <string.h>

enum option_code {
	OPTION_END = 0,
	OPTION_COMMENT = 1,
	OPTION_APPLICATION = 4, /* section */
	OPTION_FLAGS = 2,	/* packet */
	OPTION_RECEIVED = 4,	/* statistics */
	OPTION_LOST = 5,	/* statistics */
};

#define LENGTH_UNKNOWN	  UINT64_MAX
#define NANOSECONDS	  9 /* time stamps count 10^-9 s */
#define DIRECTION_INBOUND 1u
#define DIRECTION_OUT	  2u
#define OPTION_MAX	  UINT16_MAX

struct option {
	uint16_t code;
	uint16_t len;
	const void *value;
};

struct part {
	const void *bytes;
	uint32_t len;
};

static uint32_t padded(uint32_t len)
{
	return (len + 3) & ~UINT32_C(3);
}

static void write_padded(FILE *file, const void *bytes, uint32_t len)
{
	static const uint8_t zero[3];

	fwrite_unlocked(bytes, 1, len, file);
	if (padded(len) != len)
		fwrite_unlocked(zero, 1, padded(len) - len, file);
}

/* A block of a fixed head, data that may be empty, and options. */
struct block {
	uint32_t type;
	struct part head;
	struct part data;
	const struct option *options;
	size_t n_options;
};

static void write_block(FILE *file, const struct block *block)
{
	const struct part *head = &block->head, *data = &block->data;
	const struct option *options = block->options;
	uint32_t end = OPTION_END, len = 12 + head->len + padded(data->len) + sizeof(end);
	uint32_t start[2];

	for (size_t i = 0; i < block->n_options; i++)
		len += 4 + padded(options[i].len);
	start[0] = block->type;
	start[1] = len;
	fwrite_unlocked(start, 1, sizeof(start), file);
	fwrite_unlocked(head->bytes, 1, head->len, file);
	write_padded(file, data->bytes, data->len);
	for (size_t i = 0; i < block->n_options; i++) {
		fwrite_unlocked(&options[i].code, 1, 2, file);
		fwrite_unlocked(&options[i].len, 1, 2, file);
		write_padded(file, options[i].value, options[i].len);
	}
	fwrite_unlocked(&end, 1, sizeof(end), file);
	fwrite_unlocked(&len, 1, sizeof(len), file);
}

static struct option text_option(uint16_t code, const char *text)
{
	size_t len = strlen(text);

	return (struct option){code, len > OPTION_MAX ? OPTION_MAX : len, text};
}

/**
 * pcapng_begin() - Write what stands before the packets
 * @file: where to, as for the others
 * @application: who writes it
 * @interface: its name
 * @link_type: PCAPNG_LINK_*
 * @snap_len: bytes that are captured of a packet, at most
 */
void pcapng_begin(FILE *file, const char *application, const char *interface, uint16_t link_type,
		  uint32_t snap_len)
{
	struct {
		uint32_t magic;
		uint16_t major;
		uint16_t minor;
		uint64_t len;
	} section = {PCAPNG_BYTE_ORDER_MAGIC, 1, 0, LENGTH_UNKNOWN};
	struct {
		uint16_t link_type;
		uint16_t reserved;
		uint32_t snap_len;
	} description = {link_type, 0, snap_len};
	const uint8_t resolution = NANOSECONDS;
	const struct part none = {"", 0};
	const struct option of_section = text_option(OPTION_APPLICATION, application);
	const struct option of_interface[] = {
		text_option(PCAPNG_NAME, interface),
		{PCAPNG_TIME_RESOLUTION, sizeof(resolution), &resolution},
	};

	write_block(file, &(struct block){.type = PCAPNG_SECTION,
					  .head = {&section, sizeof(section)},
					  .data = none,
					  .options = &of_section,
					  .n_options = 1});
	write_block(file, &(struct block){.type = PCAPNG_INTERFACE,
					  .head = {&description, sizeof(description)},
					  .data = none,
					  .options = of_interface,
					  .n_options = 2});
}

/**
 * pcapng_packet() - Write a packet
 * @packet: the packet
 */
void pcapng_packet(FILE *file, const struct pcapng_packet *packet)
{
	const uint32_t head[] = {0, packet->time_ns >> 32, (uint32_t)packet->time_ns,
				 packet->captured, packet->len};
	const uint32_t flags = packet->inbound ? DIRECTION_INBOUND : DIRECTION_OUT;
	struct option options[2] = {{OPTION_FLAGS, sizeof(flags), &flags}};
	size_t n = 1;

	if (packet->comment)
		options[n++] = text_option(OPTION_COMMENT, packet->comment);
	write_block(file, &(struct block){.type = PCAPNG_PACKET,
					  .head = {head, sizeof(head)},
					  .data = {packet->bytes, packet->captured},
					  .options = options,
					  .n_options = n});
}

/**
 * pcapng_statistics() - Write how many packets there were
 * @time_ns: now, CLOCK_REALTIME
 * @received: packets, lost ones included
 * @lost: packets that are missing from the capture
 */
void pcapng_statistics(FILE *file, uint64_t time_ns, uint64_t received, uint64_t lost)
{
	const uint32_t head[] = {0, time_ns >> 32, (uint32_t)time_ns};
	const struct option options[] = {
		{OPTION_RECEIVED, sizeof(received), &received},
		{OPTION_LOST, sizeof(lost), &lost},
	};

	write_block(file, &(struct block){.type = PCAPNG_STATISTICS,
					  .head = {head, sizeof(head)},
					  .data = {"", 0},
					  .options = options,
					  .n_options = 2});
}
