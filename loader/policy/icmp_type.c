/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "policy/icmp_type.h"

#include <stdio.h>
#include <string.h>

#include "base/value.h"

struct icmp_name {
	const char *name;
	struct icmp_type type;
};

#define BOTH(type4, type6)                                                                         \
	{                                                                                          \
		FAMILY_BOTH, {type4, type6}, true, 0                                               \
	}
#define ONLY4(type)                                                                                \
	{                                                                                          \
		FAMILY_4, {type, 0}, true, 0                                                       \
	}
#define ONLY6(type)                                                                                \
	{                                                                                          \
		FAMILY_6, {0, type}, true, 0                                                       \
	}

/*
 * The IANA's registries under the names of nftables and ip6tables.  Of names that mean the same the
 * first is the one that is printed.
 */
static const struct icmp_name names[] = {
	{"echo-request", BOTH(8, 128)},
	{"echo-reply", BOTH(0, 129)},
	{"destination-unreachable", BOTH(3, 1)},
	{"time-exceeded", BOTH(11, 3)},
	{"ttl-exceeded", BOTH(11, 3)},
	{"parameter-problem", BOTH(12, 4)},
	{"router-solicitation", BOTH(10, 133)},
	{"router-advertisement", BOTH(9, 134)},
	{"redirect", BOTH(5, 137)},
	{"source-quench", ONLY4(4)},
	{"timestamp-request", ONLY4(13)},
	{"timestamp-reply", ONLY4(14)},
	{"info-request", ONLY4(15)},
	{"info-reply", ONLY4(16)},
	{"address-mask-request", ONLY4(17)},
	{"address-mask-reply", ONLY4(18)},
	{"fragmentation-needed", {FAMILY_4, {3, 0}, false, 4}},
	{"packet-too-big", ONLY6(2)},
	{"mld-listener-query", ONLY6(130)},
	{"mld-listener-report", ONLY6(131)},
	{"mld-listener-done", ONLY6(132)},
	{"mld-listener-reduction", ONLY6(132)},
	{"nd-router-solicit", ONLY6(133)},
	{"nd-router-advert", ONLY6(134)},
	{"nd-neighbor-solicit", ONLY6(135)},
	{"neighbor-solicitation", ONLY6(135)},
	{"neighbour-solicitation", ONLY6(135)},
	{"nd-neighbor-advert", ONLY6(136)},
	{"neighbor-advertisement", ONLY6(136)},
	{"neighbour-advertisement", ONLY6(136)},
	{"nd-redirect", ONLY6(137)},
	{"router-renumbering", ONLY6(138)},
	{"ind-neighbor-solicit", ONLY6(141)},
	{"ind-neighbor-advert", ONLY6(142)},
	{"mld2-listener-report", ONLY6(143)},
};

#define NAMES (sizeof(names) / sizeof(names[0]))

/* Reads a number of one byte. */
static bool read_byte(const char *text, size_t len, uint8_t *value)
{
	struct error unused;
	char digits[4];
	uint64_t number;

	if (len >= sizeof(digits))
		return false;
	memcpy(digits, text, len);
	digits[len] = '\0';
	if (number_parse(digits, 0, UINT8_MAX, &number, &unused))
		return false;
	*value = (uint8_t)number;
	return true;
}

static bool read_name(const char *text, size_t len, struct icmp_type *type)
{
	for (size_t i = 0; i < NAMES; i++) {
		if (strlen(names[i].name) == len && !strncmp(names[i].name, text, len)) {
			*type = names[i].type;
			return true;
		}
	}
	return false;
}

/**
 * icmp_type_parse() - ICMP type of a rule
 * @text: a name, which means the number of it that each family has, or a number, which means
 *	itself in both; with /CODE for one code alone
 * @type: result
 * @error: what is wrong
 *
 * Return: 0 or -EINVAL.
 */
int icmp_type_parse(const char *text, struct icmp_type *type, struct error *error)
{
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	struct icmp_type found = {.families = FAMILY_BOTH, .any_code = true};
	bool valid = read_byte(text, len, &found.number[0]);

	found.number[1] = found.number[0];
	if (!valid)
		valid = read_name(text, len, &found);
	if (valid && slash) {
		valid = found.any_code && read_byte(slash + 1, strlen(slash + 1), &found.code);
		found.any_code = false;
	}
	if (!valid)
		return error_input(
			error,
			"'%.80s' is not an ICMP type: a name such as echo-request, TYPE or "
			"TYPE/CODE (0-255)",
			text);
	*type = found;
	return 0;
}

/* The name of a type, with its code or without. */
static const char *name_of(const struct icmp_type *type, bool with_code)
{
	for (size_t i = 0; i < NAMES; i++) {
		const struct icmp_type *named = &names[i].type;
		bool any_code = !with_code || type->any_code;

		if (named->families == type->families && named->any_code == any_code &&
		    (any_code || named->code == type->code) &&
		    (!(type->families & FAMILY_4) || named->number[0] == type->number[0]) &&
		    (!(type->families & FAMILY_6) || named->number[1] == type->number[1]))
			return names[i].name;
	}
	return NULL;
}

/**
 * icmp_type_format() - An ICMP type as icmp_type_parse() reads it
 * @type: from there
 * @text: ICMP_TYPE_TEXT_MAX bytes
 * @size: of @text
 *
 * Return: @text.
 */
const char *icmp_type_format(const struct icmp_type *type, char *text, size_t size)
{
	const char *name = name_of(type, true);
	bool with_code = !type->any_code && !name;
	int len;

	if (!name)
		name = name_of(type, false);
	len = name ? snprintf(text, size, "%s", name) : snprintf(text, size, "%u", type->number[0]);
	if (with_code)
		snprintf(text + len, size - (size_t)len, "/%u", type->code);
	return text;
}

/**
 * icmp_type_range() - What an ICMP type matches in a family
 * @type: the type
 * @ip_version: the family
 * @range: result: type << 8 | code, both ends inclusive
 *
 * Return: false where the family has no such type.
 */
bool icmp_type_range(const struct icmp_type *type, uint8_t ip_version, struct port_range *range)
{
	bool ipv6 = ip_version == IP_VERSION_6;
	uint16_t first = (uint16_t)(type->number[ipv6] << 8);

	if (!(type->families & (ipv6 ? FAMILY_6 : FAMILY_4)))
		return false;
	range->first = type->any_code ? first : first | type->code;
	range->last = type->any_code ? first | UINT8_MAX : range->first;
	return true;
}
