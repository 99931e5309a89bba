/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One end of a connection as text.
 */
#ifndef SHRIKE_CONNTRACK_ENDPOINT_H
#define SHRIKE_CONNTRACK_ENDPOINT_H

#include <stdint.h>

#include "abi.h"
#include "policy/names.h"

#define ENDPOINT_MAX (NAME_MAX_BYTES + 9) /* "[A]:65535" */

/*
 * struct endpoint - one end
 * @addr: IPv4 v4-mapped
 * @port: host byte order; not looked at where @l4_proto has none
 */
struct endpoint {
	const union addr *addr;
	uint16_t port;
	uint8_t ip_version;
	uint8_t l4_proto;
};

const char *endpoint_text(const struct endpoint *end, const struct names *names,
			  char text[ENDPOINT_MAX]);

#endif /* SHRIKE_CONNTRACK_ENDPOINT_H */
