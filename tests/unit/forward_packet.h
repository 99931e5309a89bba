/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Packets for the tests of the forwarder's modules, and the receiver's rule for checksums.
 */
#ifndef SHRIKE_TESTS_UNIT_FORWARD_PACKET_H
#define SHRIKE_TESTS_UNIT_FORWARD_PACKET_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "packet/build.h"

extern uint8_t made[PACKET_MAX_LEN]; /* the packet that was made last */

size_t make_packet(bool is6, const struct packet_spec *fields);
size_t make_tcp(bool is6, uint32_t seq, size_t payload_len, uint8_t flags);
uint32_t read32(const uint8_t *from);
void assert_sums_are_right(const uint8_t *packet, size_t len);

#endif /* SHRIKE_TESTS_UNIT_FORWARD_PACKET_H */
