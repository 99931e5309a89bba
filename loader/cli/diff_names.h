/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Names of addresses in what `policy diff` shows, as far as both policies mean the same by them.
 */
#ifndef SHRIKE_CLI_DIFF_NAMES_H
#define SHRIKE_CLI_DIFF_NAMES_H

#include <jansson.h>

#include "policy/policy.h"

const char *diff_name(struct policy *const policies[2], const union addr *addr, uint8_t ip_version);
void diff_use_names(struct policy *const policies[2], json_t *diff);

#endif /* SHRIKE_CLI_DIFF_NAMES_H */
