/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A file is a row of blocks, each with its length at both ends.  Nothing of a block is read that
 * its length does not hold, and nothing is kept but one packet and the interfaces of the section.
 */
#include "packet/pcapng_read.h"

#include <byteswap.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "abi.h"
#include "packet/pcapng.h"

#define CAPTURED_MAX   262144 /* bytes of a packet, as in libpcap */
#define FRAME_LEN      12     /* of a block: type, length, and length again */
#define MICROSECONDS   6
#define RESOLUTION_TWO 0x80 /* the resolution is a power of two, not of ten */

/* What the interface of a packet says of it. */
struct interface {
	int64_t offset_s; /* added to time stamps */
	uint32_t snap_len;
	uint16_t link_type;
	uint8_t resolution; /* of time stamps, as in the file */
};

/*
 * struct pcapng_reader - a file that is being read
 * @left: bytes of the body of the block that have not been read
 * @is_swapped: the section is in the other byte order
 * @time_ns: of the last packet
 */
struct pcapng_reader {
	FILE *file;
	struct interface *interfaces;
	size_t n_interfaces;
	uint64_t time_ns;
	uint32_t left;
	bool is_swapped;
	uint8_t bytes[CAPTURED_MAX];
};

static uint16_t in_order16(const struct pcapng_reader *reader, uint16_t value)
{
	return reader->is_swapped ? bswap_16(value) : value;
}

static uint32_t in_order32(const struct pcapng_reader *reader, uint32_t value)
{
	return reader->is_swapped ? bswap_32(value) : value;
}

static int read_bytes(struct pcapng_reader *reader, void *to, size_t len, struct error *error)
{
	if (fread(to, 1, len, reader->file) == len)
		return 0;
	if (ferror(reader->file))
		return error_set(error, errno, "%s", strerror(errno));
	return error_input(error, "the file is cut short");
}

/* Read from the body of the block. */
static int take(struct pcapng_reader *reader, void *to, uint32_t len, struct error *error)
{
	if (len > reader->left)
		return error_input(error, "a block is shorter than what is in it");
	reader->left -= len;
	return read_bytes(reader, to, len, error);
}

static int skip(struct pcapng_reader *reader, uint32_t len, struct error *error)
{
	uint8_t unused[4096];
	int err = 0;

	while (len && !err) {
		uint32_t part = len < sizeof(unused) ? len : sizeof(unused);

		err = take(reader, unused, part, error);
		len -= part;
	}
	return err;
}

/* Read the rest of a block, whose length is @len with its frame. */
static int end_block(struct pcapng_reader *reader, uint32_t len, struct error *error)
{
	uint32_t again;
	int err = skip(reader, reader->left, error);

	if (!err)
		err = read_bytes(reader, &again, sizeof(again), error);
	if (!err && in_order32(reader, again) != len)
		err = error_input(error, "a block has another length at its end");
	return err;
}

/* The start of a section: its magic number shows the byte order of all that follows. */
static int begin_section(struct pcapng_reader *reader, struct error *error)
{
	uint32_t magic;
	int err = read_bytes(reader, &magic, sizeof(magic), error);

	if (err)
		return err;
	reader->is_swapped = magic == bswap_32(PCAPNG_BYTE_ORDER_MAGIC);
	if (!reader->is_swapped && magic != PCAPNG_BYTE_ORDER_MAGIC)
		return error_input(error, "a section has no byte order");
	reader->n_interfaces = 0;
	return 0;
}

static int check_version(struct pcapng_reader *reader, struct error *error)
{
	uint16_t version[2];
	int err = take(reader, version, sizeof(version), error);

	if (!err && in_order16(reader, version[0]) != 1)
		err = error_input(error, "version %u of pcapng is not known",
				  in_order16(reader, version[0]));
	return err;
}

/* What the options of an interface say of its time stamps. */
static int read_option(struct pcapng_reader *reader, struct interface *interface, uint16_t code,
		       uint16_t len, struct error *error)
{
	uint32_t padding = -len & 3;
	uint64_t offset;
	int err;

	if (code == PCAPNG_TIME_RESOLUTION && len == 1) {
		err = take(reader, &interface->resolution, len, error);
	} else if (code == PCAPNG_TIME_OFFSET && len == sizeof(offset)) {
		err = take(reader, &offset, len, error);
		interface->offset_s = reader->is_swapped ? bswap_64(offset) : offset;
	} else {
		err = skip(reader, len, error);
	}
	return err ? err : skip(reader, padding, error);
}

/* Read the description of an interface. */
static int read_interface(struct pcapng_reader *reader, struct interface *interface,
			  struct error *error)
{
	struct {
		uint16_t link_type;
		uint16_t reserved;
		uint32_t snap_len;
	} head;
	uint16_t option[2];
	int err = take(reader, &head, sizeof(head), error);

	if (err)
		return err;
	*interface = (struct interface){
		.link_type = in_order16(reader, head.link_type),
		.snap_len = in_order32(reader, head.snap_len),
		.resolution = MICROSECONDS,
	};
	while (reader->left >= sizeof(option)) {
		err = take(reader, option, sizeof(option), error);
		if (err || !option[0]) /* the end of options */
			return err;
		err = read_option(reader, interface, in_order16(reader, option[0]),
				  in_order16(reader, option[1]), error);
		if (err)
			return err;
	}
	return 0;
}

/* Append an interface to those of the section. */
static int add_interface(struct pcapng_reader *reader, struct error *error)
{
	size_t n = reader->n_interfaces;
	struct interface *interfaces, interface;
	int err = read_interface(reader, &interface, error);

	if (err)
		return err;
	if (!(n & (n - 1))) {
		interfaces = realloc(reader->interfaces, (n ? 2 * n : 1) * sizeof(*interfaces));
		if (!interfaces)
			return error_no_memory(error);
		reader->interfaces = interfaces;
	}
	reader->interfaces[n] = interface;
	reader->n_interfaces = n + 1;
	return 0;
}

/* 64 bits of time and all that a file may say of them fit into 128. */
static uint64_t time_of(const struct interface *interface, uint64_t stamp)
{
	unsigned int exponent = interface->resolution & ~RESOLUTION_TWO;
	__int128 ns = (__int128)stamp * NS_PER_S;

	if (interface->resolution & RESOLUTION_TWO)
		ns >>= exponent;
	else
		for (; exponent && ns; exponent--)
			ns /= 10;
	return ns + (__int128)interface->offset_s * NS_PER_S;
}

/* Set the record from the fields of a packet block. */
static int take_packet(struct pcapng_reader *reader, uint32_t number, uint32_t captured,
		       struct pcapng_record *record, struct error *error)
{
	if (number >= reader->n_interfaces)
		return error_input(error, "a packet is of interface %u, which is not described",
				   number);
	if (captured > CAPTURED_MAX)
		return error_input(error, "a packet has %u bytes, more than %u", captured,
				   CAPTURED_MAX);
	record->bytes = reader->bytes;
	record->captured = captured;
	record->time_ns = reader->time_ns;
	record->link_type = reader->interfaces[number].link_type;
	return take(reader, reader->bytes, captured, error);
}

/* An enhanced packet block or, with half of the first word, the packet block before it. */
static int read_enhanced(struct pcapng_reader *reader, bool is_old, struct pcapng_record *record,
			 struct error *error)
{
	uint32_t head[5], number, captured;
	uint16_t old_number;
	int err = take(reader, head, sizeof(head), error);

	if (err)
		return err;
	memcpy(&old_number, head, sizeof(old_number));
	number = is_old ? in_order16(reader, old_number) : in_order32(reader, head[0]);
	captured = in_order32(reader, head[3]);
	err = take_packet(reader, number, captured, record, error);
	if (err)
		return err;
	record->len = in_order32(reader, head[4]);
	reader->time_ns = record->time_ns = time_of(&reader->interfaces[number],
						    (uint64_t)in_order32(reader, head[1]) << 32 |
							    in_order32(reader, head[2]));
	return 0;
}

/* A packet of the first interface, as long as it captures. */
static int read_simple(struct pcapng_reader *reader, struct pcapng_record *record,
		       struct error *error)
{
	uint32_t len, captured, snap_len;
	int err = take(reader, &len, sizeof(len), error);

	if (err)
		return err;
	captured = record->len = in_order32(reader, len);
	snap_len = reader->n_interfaces ? reader->interfaces[0].snap_len : 0;
	if (snap_len && captured > snap_len)
		captured = snap_len;
	return take_packet(reader, 0, captured, record, error);
}

/* Returns 1 for a block that is a packet, 0 for any other. */
static int read_body(struct pcapng_reader *reader, uint32_t type, struct pcapng_record *record,
		     struct error *error)
{
	int err;

	switch (type) {
	case PCAPNG_SECTION:
		return check_version(reader, error);
	case PCAPNG_INTERFACE:
		return add_interface(reader, error);
	case PCAPNG_PACKET:
	case PCAPNG_OLD_PACKET:
		err = read_enhanced(reader, type == PCAPNG_OLD_PACKET, record, error);
		return err ? err : 1;
	case PCAPNG_SIMPLE_PACKET:
		err = read_simple(reader, record, error);
		return err ? err : 1;
	}
	return 0;
}

/* Returns 1 if the block was a packet, 0 for any other. */
static int read_block(struct pcapng_reader *reader, const uint32_t start[2],
		      struct pcapng_record *record, struct error *error)
{
	bool is_section = start[0] == PCAPNG_SECTION; /* the same in either byte order */
	uint32_t magic = is_section ? sizeof(magic) : 0, len;
	int err, found;

	if (is_section) {
		err = begin_section(reader, error);
		if (err)
			return err;
	}
	len = in_order32(reader, start[1]);
	if (len < FRAME_LEN + magic || len % 4)
		return error_input(error, "a block of %u bytes", len);
	reader->left = len - FRAME_LEN - magic;
	found = read_body(reader, in_order32(reader, start[0]), record, error);
	if (found < 0)
		return found;
	err = end_block(reader, len, error);
	return err ? err : found;
}

/**
 * pcapng_open() - Begin to read a capture
 * @file: at its beginning; stays the caller's
 * @reader: set to the reader, for pcapng_close()
 * @error: set on failure
 *
 * Return: 0, -EINVAL (invalid input) where it is no capture, or another -errno.
 */
int pcapng_open(FILE *file, struct pcapng_reader **reader, struct error *error)
{
	struct pcapng_reader *opened = calloc(1, sizeof(*opened));
	struct pcapng_record none;
	uint32_t start[2];
	int err;

	if (!opened)
		return error_no_memory(error);
	opened->file = file;
	err = read_bytes(opened, start, sizeof(start), error);
	if (!err && start[0] != PCAPNG_SECTION)
		err = error_input(error, "it does not begin with a section");
	if (!err)
		err = read_block(opened, start, &none, error);
	if (err) {
		pcapng_close(opened);
		return err;
	}
	*reader = opened;
	return 0;
}

/**
 * pcapng_next() - Read the next packet
 * @reader: the reader
 * @record: is filled
 * @error: set on failure
 *
 * Return: 1: there is one; 0: that was the last; -EINVAL (invalid input) for a broken file, or
 * another -errno.
 */
int pcapng_next(struct pcapng_reader *reader, struct pcapng_record *record, struct error *error)
{
	uint32_t start[2];
	int found = 0, err, c;

	while (!found) {
		c = getc(reader->file);
		if (c == EOF && !ferror(reader->file))
			return 0;
		ungetc(c, reader->file);
		err = read_bytes(reader, start, sizeof(start), error);
		if (err)
			return err;
		found = read_block(reader, start, record, error);
	}
	return found;
}

/**
 * pcapng_close() - End reading; the file stays open
 * @reader: may be NULL
 */
void pcapng_close(struct pcapng_reader *reader)
{
	if (!reader)
		return;
	free(reader->interfaces);
	free(reader);
}
