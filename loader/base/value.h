/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Words of policy and scenario files to values: numbers, ports, protocols, durations.
 *
 * Each function says in its error what is wrong, without a position, and leaves its output
 * untouched then.
 */
#ifndef SHRIKE_BASE_VALUE_H
#define SHRIKE_BASE_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "protocol.h"

struct port_range {
	uint16_t first; /* both inclusive, host byte order */
	uint16_t last;
};

/* Protocols of a rule beyond the numbers 0-255. */
enum {
	PROTOCOL_ALL = 256,
	PROTOCOL_ICMP = 257, /* ICMP over IPv4 and ICMPv6 over IPv6 */
};

/* Whether packets of a rule's protocol may have ports. */
static inline bool protocol_has_ports(uint16_t protocol)
{
	return protocol == PROTOCOL_ALL || l4_has_ports(protocol);
}

int number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *value,
		 struct error *error);
int size_parse(const char *text, uint64_t *bytes, struct error *error);
int port_range_parse(const char *text, struct port_range *range, struct error *error);
int ports_parse(const char *text, struct port_range *range, struct error *error);
int port_parse(const char *text, uint16_t *port, struct error *error);
int protocol_parse(const char *text, uint16_t *protocol, struct error *error);
int duration_parse(const char *text, uint64_t *ns, struct error *error);
int since_parse(const char *text, uint64_t *ns, struct error *error);
int timeout_parse(const char *text, uint64_t *ns, struct error *error);
const char *duration_format(uint64_t ns, char *text, size_t size);
void text_make_printable(char *text);
bool text_is_one_of(const char *text, const char *const *list);

#endif /* SHRIKE_BASE_VALUE_H */
