/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a generation's maps hold when it comes into force: rules, translations, texts, who is blocked.
 */
#ifndef SHRIKE_DATAPLANE_GENERATION_FILL_H
#define SHRIKE_DATAPLANE_GENERATION_FILL_H

#include "dataplane/generation.h"

int generation_fill(const struct generation_spec *spec, struct generation *generation,
		    struct error *error);

#endif /* SHRIKE_DATAPLANE_GENERATION_FILL_H */
