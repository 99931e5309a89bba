/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From a policy to the read-only settings of its programs.
 */
#ifndef SHRIKE_DATAPLANE_GENERATION_CONFIG_H
#define SHRIKE_DATAPLANE_GENERATION_CONFIG_H

#include "dataplane/generation.h"

void generation_config(const struct generation_spec *spec, uint32_t number, struct config *config);

#endif /* SHRIKE_DATAPLANE_GENERATION_CONFIG_H */
