/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What commands say of a policy that they have put into force.
 */
#ifndef SHRIKE_CLI_CHANGE_PRINT_H
#define SHRIKE_CLI_CHANGE_PRINT_H

#include <stdbool.h>

#include "base/error.h"
#include "dataplane/dataplane.h"

int change_apply(struct dataplane_request *request, bool json, struct dataplane **dataplane,
		 struct error *error);

#endif /* SHRIKE_CLI_CHANGE_PRINT_H */
