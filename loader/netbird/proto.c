/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "netbird/proto.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/value.h"

/**
 * proto_is_name() - Whether two names are of the same field, whatever their convention
 * @a, @b: names; address_v6 is addressV6
 */
bool proto_is_name(const char *a, const char *b)
{
	for (;;) {
		while (*a == '_')
			a++;
		while (*b == '_')
			b++;
		if (tolower((unsigned char)*a) != tolower((unsigned char)*b))
			return false;
		if (!*a)
			return true;
		a++;
		b++;
	}
}

/**
 * proto_get() - A field of a message
 * @object: the message, or NULL
 * @name: of the field
 *
 * Return: its value, NULL where it is missing or null.
 */
json_t *proto_get(const json_t *object, const char *name)
{
	json_t *found = json_object_get(object, name), *value;
	const char *key;

	if (!found)
		json_object_foreach ((json_t *)object, key, value)
			if (proto_is_name(key, name))
				found = value;
	return json_is_null(found) ? NULL : found;
}

/**
 * proto_string() - The text of a value
 *
 * Return: its text; NULL: it is no string, or has a NUL, behind which anything might be hidden.
 */
const char *proto_string(const json_t *value)
{
	const char *text = json_string_value(value);

	return text && strlen(text) == json_string_length(value) ? text : NULL;
}

/**
 * proto_text() - A string field
 *
 * Return: its text, "" where it is missing or proto_string() has none.
 */
const char *proto_text(const json_t *object, const char *name)
{
	const char *text = proto_string(proto_get(object, name));

	return text ? text : "";
}

/**
 * proto_enum() - An enum field
 * @object: the message
 * @name: of the field
 * @words: the names of its values from 0 on
 * @n_words: their number
 *
 * Return: the value, 0 where the field is missing, -1 where it is none of them.
 */
int proto_enum(const json_t *object, const char *name, const char *const *words, size_t n_words)
{
	const json_t *value = proto_get(object, name);
	json_int_t number = json_integer_value(value);
	const char *word = proto_string(value);

	if (!value)
		return 0;
	if (json_is_integer(value))
		return number >= 0 && (size_t)number < n_words ? number : -1;
	for (size_t i = 0; i < n_words; i++)
		if (word && !strcmp(word, words[i]))
			return i;
	return -1;
}

static int base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '-')
		return 62;
	return c == '/' || c == '_' ? 63 : -1;
}

/**
 * proto_bytes() - A value of type bytes
 * @value: the value, or NULL
 * @bytes: receives them
 * @size: at most so many
 *
 * Return: how many they are; -EINVAL: no base64 (RFC 4648, either alphabet, padded or not), or more
 * than @size bytes.
 */
ssize_t proto_bytes(const json_t *value, uint8_t *bytes, size_t size)
{
	const char *text = proto_string(value);
	size_t len = text ? strlen(text) : 0, n = 0;
	unsigned int bits = 0, held = 0;

	if (value && !text)
		return -EINVAL;
	for (int padding = 0; padding < 2 && len && text[len - 1] == '='; padding++)
		len--;
	if (len % 4 == 1)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		int digit = base64_digit(text[i]);

		if (digit < 0)
			return -EINVAL;
		bits = (bits << 6 | digit) & 0xffff;
		held += 6;
		if (held < 8)
			continue;
		held -= 8;
		if (n == size)
			return -EINVAL;
		bytes[n++] = bits >> held;
	}
	return n;
}

static int read_port(const json_t *value, uint16_t *port)
{
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value) || number < 0 || number > UINT16_MAX)
		return -EINVAL;
	*port = number;
	return 0;
}

/**
 * proto_ports() - A PortInfo message
 * @info: the message, or NULL
 * @ports: receives the ports
 *
 * Return: 1; 0: it names no port, so it means any; -EINVAL: it names no ports that exist.
 */
int proto_ports(const json_t *info, struct port_range *ports)
{
	const json_t *port = proto_get(info, "port"), *range = proto_get(info, "range");
	const json_t *start = proto_get(range, "start"), *end = proto_get(range, "end");
	struct port_range read = {};

	if (info && !json_is_object(info))
		return -EINVAL;
	if (port) {
		if (read_port(port, &read.first))
			return -EINVAL;
		read.last = read.first;
	} else if (range) {
		if ((start && read_port(start, &read.first)) || (end && read_port(end, &read.last)))
			return -EINVAL;
	}
	if (read.first > read.last)
		return -EINVAL;
	if (!read.last)
		return 0;
	*ports = read;
	return 1;
}

/**
 * proto_prefix() - An address, or a prefix, whose host bits do not count
 *
 * Return: 0 or -EINVAL.
 */
int proto_prefix(const char *text, struct prefix *prefix)
{
	const char *slash = strchr(text, '/');
	char address[ADDR_TEXT_MAX];
	struct prefix read;
	struct error ignored;
	uint64_t len;
	int n = snprintf(address, sizeof(address), "%.*s",
			 slash ? (int)(slash - text) : (int)strlen(text), text);

	if (n < 0 || (size_t)n >= sizeof(address) ||
	    addr_parse(address, &read.addr, &read.ip_version, &ignored))
		return -EINVAL;
	read.len = prefix_bits(read.ip_version);
	len = read.len;
	if (slash && number_parse(slash + 1, 0, len, &len, &ignored))
		return -EINVAL;
	prefix_truncate(&read, len);
	*prefix = read;
	return 0;
}

/**
 * proto_compact_prefix() - A prefix as bytes: the address, then its length in one byte
 * @bytes: 4 or 16 of an address, and the length, which may be missing
 * @n: how many
 * @prefix: is filled
 *
 * Return: 0 or -EINVAL.
 */
int proto_compact_prefix(const uint8_t *bytes, size_t n, struct prefix *prefix)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	bool is_v4 = n == 4 || n == 5;
	unsigned int bits = is_v4 ? 32 : 128, len = n % 2 ? bytes[n - 1] : bits;
	struct prefix read = {.ip_version = is_v4 ? IP_VERSION_4 : IP_VERSION_6, .len = bits};

	if ((!is_v4 && n != 16 && n != 17) || len > bits)
		return -EINVAL;
	if (is_v4)
		memcpy(read.addr.bytes, mapped, sizeof(mapped));
	memcpy(read.addr.bytes + 16 - bits / 8, bytes, bits / 8);
	if (!is_v4 && !memcmp(bytes, mapped, sizeof(mapped))) {
		if (len > 32 && len != 128)
			return -EINVAL;
		read.ip_version = IP_VERSION_4;
		read.len = 32;
		len = len > 32 ? 32 : len;
	}
	prefix_truncate(&read, len);
	*prefix = read;
	return 0;
}
