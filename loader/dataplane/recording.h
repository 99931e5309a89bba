/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How much a generation records (recorder.h).
 */
#ifndef SHRIKE_DATAPLANE_RECORDING_H
#define SHRIKE_DATAPLANE_RECORDING_H

#include "dataplane/generation.h"
#include "recorder.h"

uint32_t recording_entries(const struct generation_spec *spec);
void recording_layout(const struct generation_spec *spec, struct recorder_layout *layout);

#endif /* SHRIKE_DATAPLANE_RECORDING_H */
