/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "follow/protobuf.h"

#include <errno.h>
#include <string.h>

#define VARINT_BITS	64
#define VARINT_BYTE_MAX 0x7f

/**
 * protobuf_begin() - Read a message from its first field on
 * @reader: becomes the reader of it
 * @message: any bytes; stays where it is while it is read
 * @len: in bytes
 */
void protobuf_begin(struct protobuf_reader *reader, const uint8_t *message, size_t len)
{
	*reader = (struct protobuf_reader){.next = message, .end = message + len};
}

static bool read_varint(struct protobuf_reader *reader, uint64_t *value)
{
	*value = 0;
	for (unsigned int shift = 0; reader->next < reader->end && shift < VARINT_BITS;
	     shift += 7) {
		uint8_t byte = *reader->next++;

		*value |= (uint64_t)(byte & VARINT_BYTE_MAX) << shift;
		if (byte <= VARINT_BYTE_MAX)
			return true;
	}
	return false;
}

/* Read what follows the tag of a field. */
static bool read_value(struct protobuf_reader *reader, struct protobuf_field *field)
{
	uint64_t len;

	switch (field->wire) {
	case PROTOBUF_VARINT:
		return read_varint(reader, &field->value);
	case PROTOBUF_FIXED64:
		len = sizeof(uint64_t);
		break;
	case PROTOBUF_FIXED32:
		len = sizeof(uint32_t);
		break;
	case PROTOBUF_BYTES:
		if (!read_varint(reader, &len))
			return false;
		break;
	default: /* groups, which proto3 does not have */
		return false;
	}
	if (len > (uint64_t)(reader->end - reader->next))
		return false;
	field->data = reader->next;
	field->len = len;
	reader->next += len;
	return true;
}

/**
 * protobuf_next() - The next field
 * @reader: the reader
 * @field: becomes it
 *
 * Return: whether there is one; @reader->malformed tells the end from a fault.
 */
bool protobuf_next(struct protobuf_reader *reader, struct protobuf_field *field)
{
	struct protobuf_field found = {};
	uint64_t tag;

	if (reader->malformed || reader->next == reader->end)
		return false;
	reader->malformed = true;
	if (!read_varint(reader, &tag) || !(tag >> 3) || tag >> 3 > UINT32_MAX >> 3)
		return false;
	found.number = tag >> 3;
	found.wire = tag & 7;
	if (!read_value(reader, &found))
		return false;
	reader->malformed = false;
	*field = found;
	return true;
}

/**
 * protobuf_text() - The text of a field
 * @field: the field
 * @text: becomes it, with a NUL
 * @size: room in @text
 *
 * Return: 0, or -EINVAL: it is no text, holds a NUL, or has no room.
 */
int protobuf_text(const struct protobuf_field *field, char *text, size_t size)
{
	if (field->wire != PROTOBUF_BYTES || field->len >= size ||
	    memchr(field->data, '\0', field->len))
		return -EINVAL;
	memcpy(text, field->data, field->len);
	text[field->len] = '\0';
	return 0;
}

/**
 * protobuf_is_text() - Whether a field is of that number, and holds that text
 */
bool protobuf_is_text(const struct protobuf_field *field, uint32_t number, const char *text)
{
	return field->number == number && field->wire == PROTOBUF_BYTES &&
	       field->len == strlen(text) && !memcmp(field->data, text, field->len);
}

/**
 * protobuf_put_text() - Write a field with a text
 * @message: where to
 * @size: room there
 * @number: of the field, at most 15
 * @text: shorter than 128 bytes
 *
 * Return: bytes written; 0: it does not fit.
 */
size_t protobuf_put_text(uint8_t *message, size_t size, uint32_t number, const char *text)
{
	size_t len = strlen(text);

	if (len > VARINT_BYTE_MAX || len + 2 > size)
		return 0;
	message[0] = number << 3 | PROTOBUF_BYTES;
	message[1] = len;
	memcpy(message + 2, text, len);
	return len + 2;
}
