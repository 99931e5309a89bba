/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Loading the programs and tables of a policy, or of a clone, without attaching them.
 */
#ifndef SHRIKE_DATAPLANE_GENERATION_BUILD_H
#define SHRIKE_DATAPLANE_GENERATION_BUILD_H

#include "dataplane/generation.h"

int generation_build(const struct generation_spec *spec, struct generation **generation,
		     struct error *error);

#endif /* SHRIKE_DATAPLANE_GENERATION_BUILD_H */
