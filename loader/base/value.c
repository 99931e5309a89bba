/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/value.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "abi.h"

#define NS_PER_DAY (24 * 3600 * NS_PER_S)
#define NS_MAX	   (366 * NS_PER_DAY)

/* Reads decimal digits up to the first other byte; false where there are none or too many. */
static bool scan_digits(const char **text, uint64_t *value)
{
	const char *start = *text;
	uint64_t sum = 0;

	for (; **text >= '0' && **text <= '9'; (*text)++) {
		if (*text - start >= 18) /* so that the sum cannot overflow */
			return false;
		sum = sum * 10 + (uint64_t)(**text - '0');
	}
	*value = sum;
	return *text != start;
}

/**
 * number_parse() - Decimal number
 * @text: digits only
 * @min: smallest number accepted
 * @max: largest number accepted, below 10^18
 * @value: result
 * @error: what is wrong
 *
 * Return: 0 or -EINVAL.
 */
int number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *value, struct error *error)
{
	const char *end = text;
	uint64_t number;

	if (!scan_digits(&end, &number) || *end != '\0' || number < min || number > max)
		return error_input(error, "'%.80s' is not a number from %" PRIu64 " to %" PRIu64,
				   text, min, max);
	*value = number;
	return 0;
}

/**
 * size_parse() - Number of bytes
 * @text: digits, and K, M or G for 2^10, 2^20 or 2^30 of them
 * @bytes: result
 * @error: what is wrong
 *
 * Return: 0 or -EINVAL.
 */
int size_parse(const char *text, uint64_t *bytes, struct error *error)
{
	static const char units[] = "KMG";
	const char *end = text, *unit;
	unsigned int shift = 0;
	uint64_t number;

	if (scan_digits(&end, &number)) {
		unit = *end ? strchr(units, *end) : NULL;
		if (unit) {
			shift = 10 * (unit - units + 1);
			end++;
		}
		if (!*end && number <= UINT64_MAX >> shift) {
			*bytes = number << shift;
			return 0;
		}
	}
	return error_input(error, "'%.80s' is not a size such as 1000000, 512K, 64M or 1G", text);
}

/**
 * port_range_parse() - Port or range of ports
 * @text: "80" or "8000-8999", 0-65535
 * @range: result, both ends inclusive
 * @error: what is wrong
 *
 * Return: 0 or -EINVAL.
 */
int port_range_parse(const char *text, struct port_range *range, struct error *error)
{
	const char *end = text;
	uint64_t first, last;
	bool valid;

	valid = scan_digits(&end, &first);
	last = first;
	if (valid && *end == '-') {
		end++;
		valid = scan_digits(&end, &last);
	}
	if (!valid || *end != '\0' || first > UINT16_MAX || last > UINT16_MAX)
		return error_input(error, "'%.80s' is not a port or range of ports (0-65535)",
				   text);
	if (first > last)
		return error_input(error, "port range '%.80s' ends before it begins", text);
	range->first = (uint16_t)first;
	range->last = (uint16_t)last;
	return 0;
}

/**
 * ports_parse() - Ports as users name them
 * @text: as for port_range_parse(), or a service of /etc/services, such as "ssh"
 * @range: result; of a service the port that it has, whatever the protocol
 * @error: what is wrong
 *
 * Return: 0 or -EINVAL.
 */
int ports_parse(const char *text, struct port_range *range, struct error *error)
{
	const struct servent *entry;

	if (!isalpha((unsigned char)*text))
		return port_range_parse(text, range, error);
	entry = getservbyname(text, NULL);
	if (!entry)
		return error_input(error, "'%.80s' is no service of /etc/services", text);
	range->first = range->last = ntohs(entry->s_port);
	return 0;
}

/**
 * port_parse() - One port
 * @text: "80" or a name of /etc/services that has one number
 * @port: result
 * @error: what is wrong
 *
 * Return: 0 or -EINVAL.
 */
int port_parse(const char *text, uint16_t *port, struct error *error)
{
	struct port_range range;
	int err = ports_parse(text, &range, error);

	if (!err && range.first != range.last)
		err = error_input(error, "'%.80s' is more than one port", text);
	if (err)
		return error_prefix(error, "port");
	*port = range.first;
	return 0;
}

/**
 * protocol_parse() - Protocol of a rule
 * @text: tcp, udp, icmp (of either family), icmpv6 (58), all, a number 0-255, or a name of
 *	/etc/protocols
 * @protocol: result: 0-255, PROTOCOL_ALL or PROTOCOL_ICMP; numbers mean exactly themselves
 * @error: what is wrong
 *
 * Return: 0 or -EINVAL.
 */
int protocol_parse(const char *text, uint16_t *protocol, struct error *error)
{
	static const struct {
		const char *name;
		uint16_t protocol;
	} names[] = {
#define PROTOCOL(id, name, number) {#name, number},
		PORT_PROTOCOLS(PROTOCOL)
#undef PROTOCOL
			{"icmp", PROTOCOL_ICMP},
		{"icmpv6", IPPROTO_ICMPV6},
		{"all", PROTOCOL_ALL},
	};
	const struct protoent *entry;
	const char *end = text;
	uint64_t number;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(text, names[i].name) == 0) {
			*protocol = names[i].protocol;
			return 0;
		}
	}
	entry = isalpha((unsigned char)*text) ? getprotobyname(text) : NULL;
	/* "ip" is 0 there, which it does not mean; other spellings are not the file's business */
	if (entry && entry->p_proto && !strcmp(entry->p_name, text)) {
		*protocol = entry->p_proto;
		return 0;
	}
	if (!scan_digits(&end, &number) || *end != '\0' || number > UINT8_MAX)
		return error_input(error,
				   "unknown protocol '%.80s' (" PORT_PROTOCOL_WORDS
				   "icmp, icmpv6, all, 0-255 or a name of /etc/protocols)",
				   text);
	*protocol = (uint16_t)number;
	return 0;
}

#define N_UNITS 4

/* "ms" is found before "m". */
static const struct {
	const char *name;
	uint64_t ns;
} units[N_UNITS] = {
	{"ms", NS_PER_MS},
	{"s", NS_PER_S},
	{"m", 60 * NS_PER_S},
	{"h", 3600 * NS_PER_S},
};

/* Nanoseconds of the unit at @text, which is moved behind it; 0 where there is no unit. */
static uint64_t scan_unit(const char **text)
{
	for (size_t i = 0; i < N_UNITS; i++) {
		size_t len = strlen(units[i].name);

		if (strncmp(*text, units[i].name, len) == 0) {
			*text += len;
			return units[i].ns;
		}
	}
	return 0;
}

/**
 * duration_parse() - Span of time
 * @text: whole numbers with the units h, m, s and ms, larger units first ("1h30m"); a number
 *	  alone counts seconds
 * @ns: result in nanoseconds, 0 to 366 days
 * @error: what is wrong
 *
 * Return: 0 or -EINVAL.
 */
int duration_parse(const char *text, uint64_t *ns, struct error *error)
{
	uint64_t number, unit, before = UINT64_MAX, sum = 0;
	const char *c = text;

	do {
		if (!scan_digits(&c, &number))
			goto bad;
		unit = *c == '\0' && before == UINT64_MAX ? NS_PER_S : scan_unit(&c);
		if (unit == 0 || unit >= before)
			goto bad;
		if (number > (NS_MAX - sum) / unit)
			return error_input(error, "duration '%.80s' is longer than 366 days", text);
		sum += number * unit;
		before = unit;
	} while (*c != '\0');
	*ns = sum;
	return 0;
bad:
	return error_input(error, "'%.80s' is not a duration such as 3h, 1h30m, 60s or 500ms",
			   text);
}

/**
 * since_parse() - How far back a command is to look
 * @text: whole days ("30d"), or as for duration_parse()
 * @ns: result in nanoseconds, more than 0, at most 366 days
 * @error: what is wrong
 *
 * Return: 0 or -EINVAL (invalid input).
 */
int since_parse(const char *text, uint64_t *ns, struct error *error)
{
	struct error ignored;
	const char *end = text;
	uint64_t days, parsed;

	if (scan_digits(&end, &days) && !strcmp(end, "d") && days <= NS_MAX / NS_PER_DAY)
		parsed = days * NS_PER_DAY;
	else if (duration_parse(text, &parsed, &ignored))
		return error_input(
			error,
			"--since: '%.80s' is not a duration such as 30d, 12h or 90m, of at "
			"most 366 days",
			text);
	if (!parsed)
		return error_input(error, "--since: more than nothing is needed");
	*ns = parsed;
	return 0;
}

/**
 * timeout_parse() - Span of time after which something ends
 * @text: as for duration_parse()
 * @ns: result, a second to 366 days
 * @error: what is wrong
 *
 * Return: 0 or -EINVAL (invalid input).
 */
int timeout_parse(const char *text, uint64_t *ns, struct error *error)
{
	uint64_t parsed;
	int err = duration_parse(text, &parsed, error);

	if (!err && parsed < (uint64_t)NS_PER_S)
		err = error_input(error, "'%.80s' is less than a second", text);
	if (!err)
		*ns = parsed;
	return err;
}

/**
 * duration_format() - Span of time, exactly as duration_parse() reads it
 * @ns: the span; what is below a millisecond is cut off
 * @text: where to write it
 * @size: of @text
 *
 * Return: @text.
 */
const char *duration_format(uint64_t ns, char *text, size_t size)
{
	size_t len = 0;

	snprintf(text, size, "0s");
	for (size_t i = N_UNITS; i-- && len < size;) {
		uint64_t number = ns / units[i].ns;

		ns %= units[i].ns;
		if (number)
			len += (size_t)snprintf(text + len, size - len, "%llu%s",
						(unsigned long long)number, units[i].name);
	}
	return text;
}

/**
 * text_make_printable() - Have a text that others have sent fit into a message of one line
 * @text: each byte that is no printable ASCII becomes a question mark
 */
void text_make_printable(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

/**
 * text_is_one_of() - Whether a text is in a list
 * @text: the text
 * @list: texts, and NULL behind the last
 */
bool text_is_one_of(const char *text, const char *const *list)
{
	while (*list && strcmp(*list, text))
		list++;
	return *list;
}
