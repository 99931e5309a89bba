/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "trace_dry.h"

#include <bpf/libbpf.h>
#include <stdlib.h>
#include <string.h>

static int open_twin(struct trace_dry *dry, struct error *error)
{
	const struct generation_spec spec = {
		.previous = &dry->live.maps,
		.instance_previous = &dry->live.instance,
		.trace = true,
		.dry_run = true,
		.twin = true,
		.own_records = true,
	};
	int err = generation_build(&spec, &dry->twin, error);

	if (!err)
		err = testrun_begin(&dry->testrun, error);
	if (!err)
		err = testrun_open_records(&dry->testrun, dry->twin, &dry->records, error);
	if (!err)
		err = generation_read_rules(&dry->live.maps, &dry->rules, &dry->n_rules, error);
	if (!err)
		generation_sort_rules(dry->rules, dry->n_rules);
	return err;
}

/**
 * trace_dry_open() - Prepare to ask the generation in force on an interface
 * @ifindex: the interface
 * @dry: is filled; for trace_dry_close()
 * @error: why not
 *
 * Return: 0; -ENOENT: nothing is attached; or another -errno.
 */
int trace_dry_open(int ifindex, struct trace_dry *dry, struct error *error)
{
	int err;

	memset(dry, 0, sizeof(*dry));
	err = live_open(ifindex, &dry->live, error);
	if (err)
		return err;
	err = open_twin(dry, error);
	if (err)
		trace_dry_close(dry);
	return err;
}

/**
 * trace_dry_packet() - What would become of a packet?
 * @dry: opened; testrun.event and rule_id are filled
 * @packet: the packet
 * @error: why not
 *
 * Return: 0 or -errno.
 */
int trace_dry_packet(struct trace_dry *dry, const struct testrun_packet *packet,
		     struct error *error)
{
	int err = testrun_packet(&dry->testrun, dry->twin, dry->records, packet, error);

	if (!err)
		dry->rule_id = generation_rule_id(dry->rules, dry->n_rules,
						  dry->testrun.event.rule);
	return err;
}

/**
 * trace_dry_close() - Let go of everything
 */
void trace_dry_close(struct trace_dry *dry)
{
	perf_buffer__free(dry->records);
	generation_free(dry->twin);
	free(dry->rules);
	testrun_end(&dry->testrun);
	live_close(&dry->live);
}
