/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a policy would become on an interface, without putting it into force.
 */
#ifndef SHRIKE_DATAPLANE_PREVIEW_H
#define SHRIKE_DATAPLANE_PREVIEW_H

#include "dataplane/dataplane.h"
#include "dataplane/mode.h"

int dataplane_plan(const struct dataplane_request *request, const struct link_info *link,
		   struct mode *mode, struct policy **policy, struct error *error);
int dataplane_clone(const struct dataplane_request *request, const struct link_info *link,
		    struct policy **policy, struct generation **clone, struct error *error);
int dataplane_choose(const struct dataplane_request *request, const struct link_info *link,
		     struct mode *mode, struct error *error);
bool dataplane_is_outdated(const struct attached *attached, const struct link_info *link);

#endif /* SHRIKE_DATAPLANE_PREVIEW_H */
