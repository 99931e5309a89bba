/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "dataplane/recording.h"

#include <bpf/libbpf.h>

/* Slots of a CPU.  Where there are so many CPUs that each would have next to none, the limit gives way. */
static uint32_t cpu_slots(const struct generation_spec *spec)
{
	int cpus = libbpf_num_possible_cpus();
	uint32_t slots;

	if (spec->dry_run || !spec->policy->limits.recorder || cpus <= 0)
		return 0;
	if (spec->virtual_clock)
		return RECORDER_SLOTS_MIN;
	slots = spec->policy->limits.recorder / sizeof(union recorder_slot) / (uint32_t)cpus;
	return slots > RECORDER_SLOTS_MIN ? slots : RECORDER_SLOTS_MIN;
}

/**
 * recording_entries() - The size of the map of records
 * @spec: what the generation is built for
 *
 * Return: entries; 1 where nothing is recorded.
 */
uint32_t recording_entries(const struct generation_spec *spec)
{
	uint32_t slots = cpu_slots(spec);

	return slots ? slots * (uint32_t)libbpf_num_possible_cpus() : 1;
}

/**
 * recording_layout() - Where records are in that map
 * @spec: what the generation is built for
 * @layout: is filled, for the programs
 */
void recording_layout(const struct generation_spec *spec, struct recorder_layout *layout)
{
	uint32_t slots = cpu_slots(spec);

	*layout = slots ? recorder_layout(slots) : (struct recorder_layout){.cpu_slots = 0};
}
