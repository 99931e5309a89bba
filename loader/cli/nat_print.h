/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What `shrike status` says of routing by NAT.
 */
#ifndef SHRIKE_CLI_NAT_PRINT_H
#define SHRIKE_CLI_NAT_PRINT_H

#include <jansson.h>

#include "counter.h"
#include "dataplane/attached.h"

json_t *nat_json(const struct attached *attached, const struct counters counters[DIR_MAX]);
void nat_print(const json_t *nat);

#endif /* SHRIKE_CLI_NAT_PRINT_H */
