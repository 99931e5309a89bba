/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What goes over from the generation in force to the next one: connections, where tables are of
 * another size, and numbers that are never used twice.
 */
#ifndef SHRIKE_DATAPLANE_GENERATION_STATE_H
#define SHRIKE_DATAPLANE_GENERATION_STATE_H

#include "dataplane/generation.h"

bool generation_lost_state(const struct map_set *from, const struct generation *to, char *names,
			   size_t size);
int generation_carry_state(const struct map_set *from, const struct generation *to,
			   struct error *error);
int generation_next_numbers(const struct generation_spec *spec, struct next_numbers *next,
			    struct error *error);
int generation_reserve_numbers(const struct generation *generation, struct error *error);

#endif /* SHRIKE_DATAPLANE_GENERATION_STATE_H */
