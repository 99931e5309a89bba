/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Messages of Protocol Buffers, field by field.
 *
 * Any bytes at all are safe: nothing outside of the message is read, nothing is allocated.
 */
#ifndef SHRIKE_FOLLOW_PROTOBUF_H
#define SHRIKE_FOLLOW_PROTOBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How a field is encoded. */
enum protobuf_wire {
	PROTOBUF_VARINT = 0,
	PROTOBUF_FIXED64 = 1,
	PROTOBUF_BYTES = 2,
	PROTOBUF_FIXED32 = 5,
};

/*
 * struct protobuf_reader - what is left of a message
 * @malformed: it ends within a field, or holds a kind of field that there is not
 */
struct protobuf_reader {
	const uint8_t *next;
	const uint8_t *end;
	bool malformed;
};

/*
 * struct protobuf_field - one field
 * @value: of PROTOBUF_VARINT
 * @data, @len: of the others
 */
struct protobuf_field {
	uint32_t number;
	enum protobuf_wire wire;
	uint64_t value;
	const uint8_t *data;
	size_t len;
};

void protobuf_begin(struct protobuf_reader *reader, const uint8_t *message, size_t len);
bool protobuf_next(struct protobuf_reader *reader, struct protobuf_field *field);
int protobuf_text(const struct protobuf_field *field, char *text, size_t size);
bool protobuf_is_text(const struct protobuf_field *field, uint32_t number, const char *text);
size_t protobuf_put_text(uint8_t *message, size_t size, uint32_t number, const char *text);

#endif /* SHRIKE_FOLLOW_PROTOBUF_H */
