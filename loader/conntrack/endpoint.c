/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "conntrack/endpoint.h"

#include <stdio.h>

#include "base/address.h"
#include "protocol.h"

_Static_assert(NAME_MAX_BYTES >= ADDR_TEXT_MAX, "an address is no longer than a name");

/**
 * endpoint_text() - Name or address, and port
 * @end: of an IP packet
 * @names: of addresses, NULL: they stay numbers
 * @text: where to write it
 *
 * Return: @text.
 */
const char *endpoint_text(const struct endpoint *end, const struct names *names,
			  char text[ENDPOINT_MAX])
{
	const char *addr = names ? names_of(names, end->addr, end->ip_version) : NULL;
	bool brackets = !addr && end->ip_version == IP_VERSION_6;
	char digits[ADDR_TEXT_MAX];

	if (!addr)
		addr = addr_format(end->addr, end->ip_version, digits, sizeof(digits));
	if (!l4_has_ports(end->l4_proto))
		snprintf(text, ENDPOINT_MAX, "%s", addr);
	else
		snprintf(text, ENDPOINT_MAX, brackets ? "[%s]:%u" : "%s:%u", addr, end->port);
	return text;
}
