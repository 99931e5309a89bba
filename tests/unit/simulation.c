/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "unit/simulation.h"

static void ignore_warning(const char *text, void *unused)
{
	(void)text;
	(void)unused;
}

/**
 * need_programs() - Skip the test where BPF programs cannot be loaded
 */
void need_programs(void)
{
	if (geteuid()) {
		print_message("must be root, to load BPF programs\n");
		skip();
	}
}

/**
 * simulation_of() - The simulation of a scenario
 * @scenario: outlives it
 * @environment: NULL: no variable is set
 */
struct simulation *simulation_of(const struct scenario *scenario,
				 const struct environment *environment)
{
	static const struct environment none;
	struct simulation *simulation;
	struct error error;

	if (simulation_new(scenario, environment ? environment : &none, ignore_warning, &simulation,
			   &error))
		fail_msg("%s: %s", scenario->path, error.text);
	return simulation;
}

/**
 * scenario_of() - A scenario from its text
 * @text: a file of this
 */
struct scenario *scenario_of(const char *text)
{
	struct scenario *scenario;
	struct error error;

	if (scenario_parse("test.yaml", text, strlen(text), &scenario, &error))
		fail_msg("%s", error.text);
	return scenario;
}

/**
 * simulation_put() - Run a step, which must be possible
 * @simulation: the simulation
 * @step: a packet, or another policy
 */
struct simulation_result simulation_put(struct simulation *simulation,
					const struct scenario_step *step)
{
	struct simulation_result result;
	struct error error;

	if (simulation_step(simulation, step, &result, &error))
		fail_msg("%s", error.text);
	return result;
}
