/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Scenarios and simulations for tests, which fail where there is none.
 */
#ifndef SHRIKE_TESTS_UNIT_SIMULATION_H
#define SHRIKE_TESTS_UNIT_SIMULATION_H

#include "simulate/simulate.h"

void need_programs(void);
struct scenario *scenario_of(const char *text);
struct simulation *simulation_of(const struct scenario *scenario,
				 const struct environment *environment);
struct simulation_result simulation_put(struct simulation *simulation,
					const struct scenario_step *step);

#endif /* SHRIKE_TESTS_UNIT_SIMULATION_H */
