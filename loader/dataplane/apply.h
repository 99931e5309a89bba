/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Putting policies into force on an interface.
 *
 * The order is what keeps packets safe: a generation is complete before it is attached, egress
 * is tracked before ingress is judged, and one replaced ingress program switches the policy.
 */
#ifndef SHRIKE_DATAPLANE_APPLY_H
#define SHRIKE_DATAPLANE_APPLY_H

#include "dataplane/dataplane.h"

int dataplane_apply(const struct dataplane_request *request, struct dataplane **dataplane,
		    struct error *error);

#endif /* SHRIKE_DATAPLANE_APPLY_H */
