/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whether an interface is protected as it should be, in one line for whoever watches.
 */
#ifndef SHRIKE_CLI_STATUS_CHECK_H
#define SHRIKE_CLI_STATUS_CHECK_H

#include <jansson.h>
#include <stdbool.h>

bool status_has_residue(const json_t *status);
json_t *status_check(const json_t *status);
void status_check_print(const json_t *status, const json_t *check);

#endif /* SHRIKE_CLI_STATUS_CHECK_H */
