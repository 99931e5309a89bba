/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "dataplane/clone.h"

#include <bpf/libbpf.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/generation_build.h"
#include "dataplane/masquerading.h"

/**
 * clone_open() - Prepare to ask a generation that was built for it
 * @generation: a dry run that traces; belongs to the clone from now on, even on failure
 * @testrun: begun, in the thread that asks; outlives the clone
 * @clone: is filled; for clone_close()
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int clone_open(struct generation *generation, struct testrun *testrun, struct clone *clone,
	       struct error *error)
{
	int err;

	*clone = (struct clone){.generation = generation};
	err = testrun_open_records(testrun, generation, &clone->records, error);
	if (!err)
		err = generation_read_rules(&generation->maps, &clone->rules, &clone->n_rules,
					    error);
	if (err)
		clone_close(clone);
	else
		generation_sort_rules(clone->rules, clone->n_rules);
	return err;
}

/* The generation of a clone of what is attached. */
static int build(const struct attached *attached, bool traces, struct generation **generation,
		 struct error *error)
{
	const struct generation_spec spec = {
		.previous = &attached->maps,
		.instance_previous = &attached->instance,
		.trace = traces,
		.dry_run = true,
		.clone = true,
		.own_records = true,
	};
	int err = generation_build(&spec, generation, error);

	if (!err)
		masquerading_carry(&attached->maps, *generation);
	return err;
}

/**
 * clone_open_attached() - Prepare to ask the generation in force on an interface
 * @attached: the generation in force
 * @testrun: begun, in the thread that asks; outlives the clone
 * @clone: is filled; for clone_close()
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int clone_open_attached(const struct attached *attached, struct testrun *testrun,
			struct clone *clone, struct error *error)
{
	struct generation *generation;
	int err = build(attached, true, &generation, error);

	return err ? err : clone_open(generation, testrun, clone, error);
}

/**
 * clone_open_silent() - As clone_open_attached(), but the clone answers with verdicts alone
 * @attached: a generation that is or was in force
 * @clone: is filled; for clone_close()
 * @error: set on failure
 *
 * That takes no right to read what programs record, and no thread that stays on its CPU.
 *
 * Return: 0 or -errno.
 */
int clone_open_silent(const struct attached *attached, struct clone *clone, struct error *error)
{
	struct generation *generation;
	int err = build(attached, false, &generation, error);

	if (!err)
		*clone = (struct clone){.generation = generation};
	return err;
}

/**
 * clone_ask() - What would become of a packet?
 * @clone: opened
 * @testrun: that it was opened for; its event is filled
 * @packet: the packet
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int clone_ask(const struct clone *clone, struct testrun *testrun,
	      const struct testrun_packet *packet, struct error *error)
{
	return testrun_packet(testrun, clone->generation, clone->records, packet, error);
}

/**
 * clone_rule() - A rule of the generation by its number, NULL if it has none of that number
 * @clone: opened
 * @number: as trace records hold it
 */
const struct rule_view *clone_rule(const struct clone *clone, uint32_t number)
{
	return generation_rule(clone->rules, clone->n_rules, number);
}

/**
 * clone_close() - Let go of a clone
 * @clone: opened, or all zero
 */
void clone_close(struct clone *clone)
{
	perf_buffer__free(clone->records);
	generation_free(clone->generation);
	free(clone->rules);
	*clone = (struct clone){};
}
