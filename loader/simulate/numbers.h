/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sequence numbers for the TCP packets of a scenario, as two end hosts would give them.
 *
 * An end host counts what it has sent on a connection and what has reached it from the other end
 * in order.  A packet moves these counts only when it reaches the other end, so each packet is
 * numbered before it is judged, and what became of it is noted before the next one is numbered:
 *
 *	numbers_assign(numbers, step, bytes, &error);
 *	... judge the bytes ...
 *	numbers_settle(numbers, step, verdict, bytes as they left, &error);
 *
 * Steps without a TCP header to be numbered (scenario_step.tcp_off) may be given as well.
 */
#ifndef SHRIKE_SIMULATE_NUMBERS_H
#define SHRIKE_SIMULATE_NUMBERS_H

#include <stdint.h>

#include "base/error.h"
#include "simulate/scenario.h"

struct numbers;

int numbers_new(struct numbers **numbers, struct error *error);
int numbers_assign(struct numbers *numbers, const struct scenario_step *step, uint8_t *bytes,
		   struct error *error);
int numbers_settle(struct numbers *numbers, const struct scenario_step *step, enum verdict verdict,
		   const uint8_t *left, struct error *error);
void numbers_free(struct numbers *numbers);

#endif /* SHRIKE_SIMULATE_NUMBERS_H */
