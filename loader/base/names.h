/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Names of what the programs have numbers for, as users see and write them: verdicts, reasons,
 * connection states, protocols.  Any number is safe; those beyond a list are "unknown".
 */
#ifndef SHRIKE_BASE_NAMES_H
#define SHRIKE_BASE_NAMES_H

#include <stdint.h>

#define FLOW_PROTOCOL_NUMBER 4 /* bytes of a protocol's number as text */

const char *verdict_name(unsigned int verdict);
const char *reason_name(unsigned int reason);
const char *reason_help(unsigned int reason);
const char *flow_state_name(unsigned int state);
const char *flow_protocol_name(uint8_t l4_proto, uint8_t ip_version,
			       char number[FLOW_PROTOCOL_NUMBER]);

#endif /* SHRIKE_BASE_NAMES_H */
