/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One step of a scenario: a packet, or another policy.
 */
#ifndef SHRIKE_SIMULATE_STEP_H
#define SHRIKE_SIMULATE_STEP_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/policy.h"
#include "simulate/expectation.h"

enum scenario_kind {
	SCENARIO_PACKET,
	SCENARIO_TRACE, /* a packet that is judged and changes nothing */
	SCENARIO_APPLY,
};

struct scenario_step {
	struct expectation expect; /* of a packet or trace */
	uint8_t *bytes;		   /* the packet from the IP header on; len 0: none */
	struct policy *policy;	   /* of an apply */
	uint64_t at_ns;		   /* virtual time since the start; never decreases */
	struct position position;  /* in the scenario file */
	uint32_t len;		   /* at most PACKET_MAX_LEN */
	uint32_t missing;   /* bytes at its end that @bytes has not: a capture cut them off */
	uint16_t ethertype; /* host byte order; on L3 links that of the IP version */
	uint16_t tcp_off;   /* where the TCP header is that numbers.h numbers; 0: none */
	uint8_t direction;  /* enum direction */
	uint8_t kind;	    /* enum scenario_kind */
	bool has_seq;	    /* the scenario gives the sequence number of the TCP header */
	bool has_ack;
};

#endif /* SHRIKE_SIMULATE_STEP_H */
