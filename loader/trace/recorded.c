/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "trace/recorded.h"

#include <arpa/inet.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "counter.h"
#include "local.h"
#include "maps.h"
#include "packet/build.h"

#define READ_TRIES 8 /* of a record that is being written */

static int by_time(const void *a, const void *b)
{
	const struct record *x = a, *y = b;

	return (x->time_ns > y->time_ns) - (x->time_ns < y->time_ns);
}

/* Copy a record that a program may be writing; false: it is empty, or is written again and again. */
static bool copy(const volatile struct record *from, struct record *to)
{
	for (int i = 0; i < READ_TRIES; i++) {
		uint64_t time_ns = __atomic_load_n(&from->time_ns, __ATOMIC_ACQUIRE);
		uint32_t count = __atomic_load_n(&from->count, __ATOMIC_ACQUIRE);

		*to = *(const struct record *)from;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (!count)
			return false;
		if (from->time_ns == time_ns && from->count >= count && to->count >= count)
			return true;
	}
	return false;
}

/* The map of records, of which each CPU has a region. */
struct recorder_memory {
	const union recorder_slot *slots;
	size_t n_slots;
	uint32_t cpu_slots;
};

/* Map it; -ENODATA: the recorder is off. */
static int memory_open(const struct map_set *maps, struct recorder_memory *memory,
		       struct error *error)
{
	const struct map_entry *map = map_set_require(maps, MAP_RECORDER,
						      sizeof(union recorder_slot), error);
	int cpus = libbpf_num_possible_cpus();
	void *slots;

	/* which has the same reasons as the records */
	if (!map || !map_set_require(maps, MAP_COUNTERS, sizeof(struct counters), error))
		return -error->code;
	if (map->max_entries == 1 || cpus <= 0)
		return error_set(error, ENODATA, "nothing is recorded: limits.recorder is 0");
	slots = mmap(NULL, map->max_entries * sizeof(*memory->slots), PROT_READ, MAP_SHARED,
		     map->fd, 0);
	if (slots == MAP_FAILED)
		return error_set(error, errno, "cannot map %s: %s", map->name, strerror(errno));
	*memory = (struct recorder_memory){slots, map->max_entries,
					   map->max_entries / (uint32_t)cpus};
	return 0;
}

static void memory_close(const struct recorder_memory *memory)
{
	munmap((void *)memory->slots, memory->n_slots * sizeof(*memory->slots));
}

/* The records of all CPUs, in no order; returns how many. */
static size_t collect(const struct recorder_memory *memory, struct record *records)
{
	const struct recorder_layout layout = recorder_layout(memory->cpu_slots);
	uint32_t end = layout.rings + layout.unit * RECORDER_UNITS;
	const union recorder_slot *region = memory->slots;
	size_t n = 0;

	for (; region + memory->cpu_slots <= memory->slots + memory->n_slots;
	     region += memory->cpu_slots)
		for (uint32_t i = layout.rings; i < end; i++)
			n += copy(&region[i].record, &records[n]);
	return n;
}

/**
 * recorded_read() - Read all records of an interface
 * @maps: of the generation in force
 * @records: set to them, by the time of their first packet; the caller frees it
 * @n: set to how many
 * @error: set on failure
 *
 * Return: 0; -ENODATA: the policy in force has switched the recorder off; or another -errno.
 */
int recorded_read(const struct map_set *maps, struct record **records, size_t *n,
		  struct error *error)
{
	struct recorder_memory memory;
	int err = memory_open(maps, &memory, error);

	if (err)
		return err;
	*records = malloc(memory.n_slots * sizeof(**records));
	if (*records) {
		*n = collect(&memory, *records);
		qsort(*records, *n, sizeof(**records), by_time);
	} else {
		err = error_no_memory(error);
	}
	memory_close(&memory);
	return err;
}

/**
 * recorded_totals_read() - Read what has come to the recorder since it is there
 * @maps: of the generation in force
 * @totals: is filled
 * @error: set on failure
 *
 * Return: 0; -ENODATA: the policy in force has switched the recorder off; or another -errno.
 */
int recorded_totals_read(const struct map_set *maps, struct recorded_totals *totals,
			 struct error *error)
{
	struct recorder_memory memory;
	int err = memory_open(maps, &memory, error);

	if (err)
		return err;
	*totals = (struct recorded_totals){.bytes = memory.n_slots * sizeof(*memory.slots)};
	for (size_t i = 0; i + memory.cpu_slots <= memory.n_slots; i += memory.cpu_slots)
		for (size_t share = 0; share < RECORDER_SHARES; share++) {
			const struct recorder_head *head = &memory.slots[i + share].head;

			totals->records += head->records;
			totals->beyond += head->beyond;
			totals->forgotten += head->forgotten;
		}
	memory_close(&memory);
	return 0;
}

/**
 * recorded_last_ns() - When the last packet of a record came, CLOCK_MONOTONIC
 */
uint64_t recorded_last_ns(const struct record *record)
{
	return record->time_ns + ((uint64_t)record->last << RECORDER_TICK_SHIFT);
}

static uint8_t record_direction(const struct record *record)
{
	if (record->flags & RECORD_UPLINK)
		return DIR_UPLINK;
	return record->flags & RECORD_EGRESS ? DIR_EGRESS : DIR_INGRESS;
}

static uint8_t record_verdict(const struct record *record)
{
	if (record->flags & RECORD_DROP)
		return VERDICT_DROP;
	return record->flags & RECORD_FORWARD ? VERDICT_FORWARD : VERDICT_PASS;
}

/**
 * recorded_event() - The trace record that the first packet of a record would have had
 * @record: not of RECORD_REST
 * @event: is filled, but for the stages and what translation has made of the packet
 */
void recorded_event(const struct record *record, struct trace_event *event)
{
	bool is_ip = record->reason != REASON_NOT_IP;

	*event = (struct trace_event){
		.time_ns = record->time_ns,
		.saddr = record->saddr,
		.daddr = record->daddr,
		.nat_addr = record->saddr,
		.rule = record->rule,
		.ip_len = record->ip_len,
		.sport = record->sport,
		.dport = record->dport,
		.nat_port = record->dport,
		.ip_version = record->flags & RECORD_IP6 ? IP_VERSION_6
			      : is_ip			 ? IP_VERSION_4
							 : 0,
		.l4_proto = record->l4_proto,
		.tcp_flags = record->tcp_flags,
		.direction = record_direction(record),
		.verdict = record_verdict(record),
		.reason = record->reason,
		.fragment = (record->flags & RECORD_FRAGMENT) != 0,
		.local_kind = record->flags & RECORD_BROADCAST ? LOCAL_BROADCAST : LOCAL_NONE,
		.wire_len = record->ip_len,
	};
	if (event->ip_version && event->l4_proto == packet_icmp_proto(event->ip_version)) {
		event->icmp_type = ntohs(record->dport) >> 8;
		event->icmp_code = ntohs(record->dport) & 0xff;
		event->dport = event->nat_port = 0;
	}
}

/**
 * recorded_headers() - The headers of a record's first packet, made from its addresses and ports
 * @record: the record
 * @bytes: is filled, from the IP header on
 * @len: set to their length
 *
 * Return: false where there are none to be made.
 */
bool recorded_headers(const struct record *record, uint8_t bytes[RECORDED_HEADERS_MAX], size_t *len)
{
	struct packet_spec spec;
	struct trace_event event;
	struct error ignored;

	recorded_event(record, &event);
	if (!event.ip_version)
		return false;
	packet_spec_init(&spec);
	spec.saddr = event.saddr;
	spec.daddr = event.daddr;
	spec.ip_version = event.ip_version;
	spec.l4_proto = event.l4_proto;
	spec.sport = ntohs(event.sport);
	spec.dport = ntohs(event.dport);
	spec.tcp_flags = event.tcp_flags;
	spec.icmp_type = event.icmp_type;
	spec.icmp_code = event.icmp_code;
	spec.icmp_id = ntohs(event.sport);
	return !packet_build(&spec, bytes, RECORDED_HEADERS_MAX, len, &ignored);
}
