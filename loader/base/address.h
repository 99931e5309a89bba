/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Addresses and prefixes: text to value and back, and what contains what.
 *
 * Values are always canonical: IPv4 is v4-mapped with ip_version 4, host bits are zero, and an
 * IPv6 value never lies in ::ffff:0:0/96.
 */
#ifndef SHRIKE_BASE_ADDRESS_H
#define SHRIKE_BASE_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"
#include "base/error.h"

#define ADDR_TEXT_MAX	46 /* bytes of an address as text with its NUL */
#define PREFIX_TEXT_MAX (ADDR_TEXT_MAX + 4)

/* A prefix of either family; IPv4 is v4-mapped, and len counts the bits of its own family. */
struct prefix {
	union addr addr;
	uint8_t ip_version; /* enum ip_version */
	uint8_t len;	    /* 0-32 or 0-128 */
};

int addr_parse(const char *text, union addr *addr, uint8_t *ip_version, struct error *error);
int prefix_compare(const void *a, const void *b);
int prefix_parse(const char *text, struct prefix *prefix, struct error *error);
const char *addr_format(const union addr *addr, uint8_t ip_version, char *text, size_t size);
const char *prefix_format(const struct prefix *prefix, char *text, size_t size);
unsigned int prefix_bits(uint8_t ip_version);
void prefix_truncate(struct prefix *prefix, uint8_t len);
bool prefix_contains_addr(const struct prefix *prefix, const union addr *addr, uint8_t ip_version);
bool prefix_contains(const struct prefix *outer, const struct prefix *inner);
bool prefix_equal(const struct prefix *a, const struct prefix *b);

#endif /* SHRIKE_BASE_ADDRESS_H */
