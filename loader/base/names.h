/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The words that users see for numbers of the dataplane: in text, JSON, filters, policies and
 * scenarios alike.  Lists live beside their enums, so that no value is without a name.
 *
 * Numbers may come from the kernel and be any: what is out of range is called "unknown".
 */
#ifndef SHRIKE_BASE_NAMES_H
#define SHRIKE_BASE_NAMES_H

#include <stdint.h>

#define FLOW_PROTOCOL_NUMBER 4 /* bytes of a protocol's number as text */

/* The names of an enum, and what a message calls one of them. */
struct name_list {
	const char *what;
	const char *(*name)(unsigned int id);
	unsigned int n;
};

const char *acl_name(unsigned int acl);
const char *direction_name(unsigned int direction);
const char *flow_protocol_name(uint8_t l4_proto, uint8_t ip_version,
			       char number[FLOW_PROTOCOL_NUMBER]);
const char *flow_state_name(unsigned int state);
const char *forwarder_input_name(unsigned int input);
const char *hook_name(unsigned int hook);
const char *native_acl_name(unsigned int enforced);
const char *port_protocol_name(unsigned int l4_proto);
const char *reason_help(unsigned int reason);
const char *reason_name(unsigned int reason);
const char *routing_name(unsigned int routing);
const char *verdict_name(unsigned int verdict);

#endif /* SHRIKE_BASE_NAMES_H */
