/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a change of policy has changed, in figures: rules, and connections that ended with it.
 *
 * Connections are judged again by their next packet, so those of before are noted before the
 * change, and clones of both generations are asked about them after it: protection does not wait.
 */
#ifndef SHRIKE_REVIEW_CHANGE_COUNT_H
#define SHRIKE_REVIEW_CHANGE_COUNT_H

#include <stdbool.h>

#include "dataplane/change.h"
#include "dataplane/dataplane.h"

int change_count_apply(const struct dataplane_request *request, bool with_flows,
		       struct dataplane **dataplane, struct change *change, struct error *error);

#endif /* SHRIKE_REVIEW_CHANGE_COUNT_H */
