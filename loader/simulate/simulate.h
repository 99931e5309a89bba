/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A simulation: the programs that judge an interface's traffic, on no interface, with maps and a
 * clock of their own.
 *
 * It holds everything it makes by file descriptors alone: nothing is pinned or attached, and the
 * end of the process is the end of it.  Between simulation_new() and simulation_free() the calling
 * thread stays on one CPU.
 */
#ifndef SHRIKE_SIMULATE_SIMULATE_H
#define SHRIKE_SIMULATE_SIMULATE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "counter.h"
#include "policy/environment.h"
#include "simulate/scenario.h"
#include "trace_event.h"

/* Virtual time 0 of a scenario by the clock of the programs, for which 0 is "never". */
#define SIMULATE_START_NS (UINT64_C(3600) * NS_PER_S)

struct simulation;

/*
 * struct simulation_result - what became of a packet
 * @event: its trace record, without frame bytes
 * @rule_id: of the rule with the number event.rule; NULL: none.  Valid until the next apply step
 * @packet: as it left, from the IP header on; valid until the next step
 * @len: of @packet; that of the packet in the scenario
 */
struct simulation_result {
	struct trace_event event;
	const char *rule_id;
	const uint8_t *packet;
	size_t len;
};

int simulation_new(const struct scenario *scenario, const struct environment *environment,
		   warn_fn warn, struct simulation **simulation, struct error *error);
int simulation_step(struct simulation *simulation, const struct scenario_step *step,
		    struct simulation_result *result, struct error *error);
int simulation_counters(const struct simulation *simulation, struct counters totals[DIR_MAX],
			struct error *error);
void simulation_free(struct simulation *simulation);

#endif /* SHRIKE_SIMULATE_SIMULATE_H */
