/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define V4_OFF 96 /* bits in front of the IPv4 address in its v4-mapped form */

static const union addr v4_mapped = {.bytes = {[10] = 0xff, [11] = 0xff}};

/**
 * prefix_bits() - Bits of a whole address
 * @ip_version: enum ip_version
 *
 * Return: 32 or 128.
 */
unsigned int prefix_bits(uint8_t ip_version)
{
	return ip_version == IP_VERSION_4 ? 32 : 128;
}

/* Clears what follows the first @bits bits, counted in the 128-bit form. */
static void clear_host_bits(union addr *addr, unsigned int bits)
{
	unsigned int whole = bits / 8;

	if (whole >= sizeof(addr->bytes))
		return;
	addr->bytes[whole] &= (uint8_t)(0xff00 >> (bits % 8));
	memset(addr->bytes + whole + 1, 0, sizeof(addr->bytes) - whole - 1);
}

static unsigned int mapped_len(const struct prefix *prefix)
{
	return prefix->len + (prefix->ip_version == IP_VERSION_4 ? V4_OFF : 0);
}

/**
 * prefix_truncate() - Shorten a prefix
 * @prefix: changed in place, host bits are cleared
 * @len: new length in bits of its family; a length that is not shorter changes nothing
 */
void prefix_truncate(struct prefix *prefix, uint8_t len)
{
	if (len >= prefix->len)
		return;
	prefix->len = len;
	clear_host_bits(&prefix->addr, mapped_len(prefix));
}

/* Either family as it stands, v4-mapped included; false where the text is no address. */
static bool addr_scan(const char *text, union addr *addr, uint8_t *ip_version)
{
	*addr = v4_mapped;
	if (inet_pton(AF_INET, text, &addr->word[3]) == 1) {
		*ip_version = IP_VERSION_4;
		return true;
	}
	*ip_version = IP_VERSION_6;
	return inet_pton(AF_INET6, text, addr->bytes) == 1;
}

static bool is_v4_mapped(const union addr *addr)
{
	return memcmp(addr->bytes, v4_mapped.bytes, V4_OFF / 8) == 0;
}

/**
 * addr_parse() - Address from text
 * @text: IPv4 in dotted decimals without leading zeros, or IPv6 (RFC 4291, section 2.2)
 * @addr: result, v4-mapped for IPv4
 * @ip_version: result, enum ip_version
 * @error: what is wrong, without a position
 *
 * A v4-mapped IPv6 address is refused: the wire never carries one (RFC 4942, section 2.2).
 *
 * Return: 0, or -EINVAL with the outputs untouched.
 */
int addr_parse(const char *text, union addr *addr, uint8_t *ip_version, struct error *error)
{
	union addr value;
	uint8_t version;

	if (!addr_scan(text, &value, &version))
		return error_input(error, "'%.80s' is not an address", text);
	if (version == IP_VERSION_6 && is_v4_mapped(&value))
		return error_input(error, "'%.80s' is v4-mapped; write the IPv4 address", text);
	*addr = value;
	*ip_version = version;
	return 0;
}

/* Length after the slash: decimal, no sign, no leading zero; -EINVAL otherwise. */
static int length_scan(const char *text, unsigned int max)
{
	unsigned int value = 0;
	const char *c;

	if (*text == '\0' || strlen(text) > 3 || (text[0] == '0' && text[1] != '\0'))
		return -EINVAL;
	for (c = text; *c; c++) {
		if (*c < '0' || *c > '9')
			return -EINVAL;
		value = value * 10 + (unsigned int)(*c - '0');
	}
	return value <= max ? (int)value : -EINVAL;
}

/**
 * prefix_parse() - Prefix from text
 * @text: "ADDRESS/LEN", or "ADDRESS", which stands for the whole address
 * @prefix: result
 * @error: what is wrong, without a position
 *
 * Return: 0, or -EINVAL with @prefix untouched: no address, a length out of range, host bits
 * set, or v4-mapped IPv6.
 */
int prefix_parse(const char *text, struct prefix *prefix, struct error *error)
{
	const char *slash = strchr(text, '/');
	char addr_text[ADDR_TEXT_MAX];
	struct prefix value = {0};
	char hint[PREFIX_TEXT_MAX];
	union addr whole;
	size_t addr_len;
	int len;

	addr_len = slash ? (size_t)(slash - text) : strlen(text);
	if (addr_len >= sizeof(addr_text))
		return error_input(error, "'%.80s' is not an address or prefix", text);
	memcpy(addr_text, text, addr_len);
	addr_text[addr_len] = '\0';
	if (!addr_scan(addr_text, &value.addr, &value.ip_version))
		return error_input(error, "'%.80s' is not an address or prefix", text);
	len = (int)prefix_bits(value.ip_version);
	if (slash)
		len = length_scan(slash + 1, prefix_bits(value.ip_version));
	if (len < 0)
		return error_input(error, "'%.80s' has a prefix length that is not 0-%u", text,
				   prefix_bits(value.ip_version));
	if (value.ip_version == IP_VERSION_6 && is_v4_mapped(&value.addr) && len >= V4_OFF)
		return error_input(error, "'%.80s' is v4-mapped; write the IPv4 form", text);
	value.len = (uint8_t)len;
	whole = value.addr;
	clear_host_bits(&value.addr, mapped_len(&value));
	if (memcmp(&whole, &value.addr, sizeof(whole)) != 0)
		return error_input(error, "'%.80s' has host bits set; write %s", text,
				   prefix_format(&value, hint, sizeof(hint)));
	*prefix = value;
	return 0;
}

/**
 * addr_format() - Text of an address (IPv6 as in RFC 5952)
 * @addr: the address, v4-mapped for IPv4
 * @ip_version: enum ip_version
 * @text: result
 * @size: of @text in bytes, at least ADDR_TEXT_MAX
 *
 * Return: @text.
 */
const char *addr_format(const union addr *addr, uint8_t ip_version, char *text, size_t size)
{
	const void *bytes = ip_version == IP_VERSION_4 ? addr->bytes + V4_OFF / 8 : addr->bytes;

	if (!inet_ntop(ip_version == IP_VERSION_4 ? AF_INET : AF_INET6, bytes, text,
		       (socklen_t)size) &&
	    size > 0)
		text[0] = '\0';
	return text;
}

/**
 * prefix_format() - Text of a prefix
 * @prefix: the prefix
 * @text: result: "ADDRESS/LEN", or "ADDRESS" where it is a whole address
 * @size: of @text in bytes, at least PREFIX_TEXT_MAX
 *
 * Return: @text.
 */
const char *prefix_format(const struct prefix *prefix, char *text, size_t size)
{
	size_t used;

	addr_format(&prefix->addr, prefix->ip_version, text, size);
	if (prefix->len != prefix_bits(prefix->ip_version)) {
		used = strlen(text);
		snprintf(text + used, size - used, "/%u", prefix->len);
	}
	return text;
}

/* Whether the first @bits bits are the same, counted in the 128-bit form. */
static bool same_bits(const union addr *a, const union addr *b, unsigned int bits)
{
	unsigned int whole = bits / 8;

	if (memcmp(a->bytes, b->bytes, whole) != 0)
		return false;
	return bits % 8 == 0 || ((a->bytes[whole] ^ b->bytes[whole]) >> (8 - bits % 8)) == 0;
}

/**
 * prefix_contains_addr() - Whether an address lies in a prefix
 * @prefix: the prefix; one family's /0 does not contain the other family
 * @addr: the address
 * @ip_version: enum ip_version of @addr
 */
bool prefix_contains_addr(const struct prefix *prefix, const union addr *addr, uint8_t ip_version)
{
	return prefix->ip_version == ip_version &&
	       same_bits(&prefix->addr, addr, mapped_len(prefix));
}

/**
 * prefix_contains() - Whether every address of one prefix lies in another
 * @outer: the prefix that may contain
 * @inner: the prefix that may be contained; equal prefixes contain each other
 */
bool prefix_contains(const struct prefix *outer, const struct prefix *inner)
{
	return outer->len <= inner->len &&
	       prefix_contains_addr(outer, &inner->addr, inner->ip_version);
}

/**
 * prefix_equal() - Whether two prefixes are the same
 */
bool prefix_equal(const struct prefix *a, const struct prefix *b)
{
	return a->len == b->len && prefix_contains(a, b);
}

/**
 * prefix_compare() - The order of prefixes, for qsort() and bsearch(): by family, address and length
 * @a, @b: struct prefix
 */
int prefix_compare(const void *a, const void *b)
{
	const struct prefix *x = a, *y = b;
	int order = (x->ip_version > y->ip_version) - (x->ip_version < y->ip_version);

	if (!order)
		order = memcmp(&x->addr, &y->addr, sizeof(x->addr));
	return order ? order : (x->len > y->len) - (x->len < y->len);
}
