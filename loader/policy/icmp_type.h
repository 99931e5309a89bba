/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ICMP types of rules: text to value and back.
 */
#ifndef SHRIKE_POLICY_ICMP_TYPE_H
#define SHRIKE_POLICY_ICMP_TYPE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "policy/policy.h"

#define ICMP_TYPE_TEXT_MAX 40 /* bytes of a type as text with its NUL */

int icmp_type_parse(const char *text, struct icmp_type *type, struct error *error);
const char *icmp_type_format(const struct icmp_type *type, char *text, size_t size);
bool icmp_type_range(const struct icmp_type *type, uint8_t ip_version, struct port_range *range);

#endif /* SHRIKE_POLICY_ICMP_TYPE_H */
