/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The status of an interface as `status -j` prints it; its text and metrics are made from the same.
 */
#ifndef SHRIKE_CLI_STATUS_JSON_H
#define SHRIKE_CLI_STATUS_JSON_H

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"
#include "kernel/netlink.h"

json_t *status_json_run(const char *ifname);
json_t *status_json(const struct link_info *link, bool with_rules, struct error *error);
json_t *status_unattached_json(const struct link_info *link);

#endif /* SHRIKE_CLI_STATUS_JSON_H */
