/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a million tracked connections cost those who look at them: list, count, sweep, flush, and
 * the memory of the tables; and what 65,536 cost `policy diff`, which asks about each of them.
 *
 *	tables [ROUNDS]
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "conntrack/print.h"
#include "conntrack/sweep.h"
#include "conntrack/tables.h"
#include "dataplane/generation_build.h"
#include "dataplane/preview.h"
#include "policy/parse.h"
#include "review/impact.h"
#include "samples.h"
#include "stand.h"

#define FLOWS	   1000000
#define DIFF_FLOWS 65536

/* Room enough that the sweep need not make any. */
#define POLICY                                                                                     \
	"version: 1\n"                                                                             \
	"limits: {tcp: 1200000}\n"                                                                 \
	"peer_acl:\n"                                                                              \
	"  - {id: web, action: allow, source: [100.64.0.0/10], protocol: tcp}\n"

/* Cuts every connection, so that all of them are listed. */
#define OTHER_POLICY                                                                               \
	"version: 1\n"                                                                             \
	"limits: {tcp: 1200000}\n"                                                                 \
	"peer_acl:\n"                                                                              \
	"  - {id: none, action: deny, source: [any]}\n"

static unsigned int rounds = 3;

static void report(const char *name, const char *unit, const char *goal,
		   const struct samples *samples)
{
	samples_report(samples, "\"part\":\"tables\",\"case\":\"%s\",\"unit\":\"%s\"%s%s", name,
		       unit, goal ? ",\"goal\":" : "", goal ? goal : "");
}

static struct conntrack open_tables(const struct stand *stand)
{
	const struct map_set *maps = &stand->generations[HOOK_XDP]->maps;
	struct conntrack conntrack = {};

	for (int i = 0; i < CONNTRACK_TABLES; i++) {
		const struct map_entry *map = map_set_find(maps, conntrack_maps[i].name);

		conntrack_table_init(&conntrack.tables[conntrack.n++], &conntrack_maps[i], map->fd,
				     map->max_entries);
	}
	return conntrack;
}

static struct flow_clock clock_of(const struct stand *stand)
{
	struct flow_clock clock = {.now_ns = wall_time_ns()};

	memcpy(clock.timeout_ns, stand->generations[HOOK_XDP]->instance.config.timeout_ns,
	       sizeof(clock.timeout_ns));
	return clock;
}

static const char *no_rule(void *arg, uint32_t number)
{
	(void)arg;
	(void)number;
	return "web";
}

static void measure_list(const struct conntrack *conntrack, const struct flow_clock *clock)
{
	struct samples samples = {};
	struct error error = {};

	for (unsigned int i = 0; i < rounds; i++) {
		FILE *file = fopen("/dev/null", "w");
		double begin = cpu_time_ns();
		struct flow_printer *printer = flow_printer_new(file, true, "wt0", no_rule, NULL);

		if (!printer ||
		    conntrack_walk(conntrack, clock, NULL, flow_printer_visit, printer, &error) ||
		    flow_printer_end(printer, &error))
			die("list: %s", error.text);
		samples_add(&samples, (cpu_time_ns() - begin) / 1e9);
		flow_printer_free(printer);
		fclose(file);
	}
	report("list -j of 1,000,000", "s", "1", &samples);
}

static void measure_count(const struct conntrack *conntrack, const struct flow_clock *clock)
{
	struct samples samples = {};
	struct error error = {};
	uint64_t count;

	for (unsigned int i = 0; i < rounds; i++) {
		double begin = cpu_time_ns();

		if (conntrack_count(conntrack, clock, NULL, &count, &error))
			die("count: %s", error.text);
		samples_add(&samples, (cpu_time_ns() - begin) / 1e9);
		if (count != FLOWS)
			die("%llu connections instead of %d", (unsigned long long)count, FLOWS);
	}
	report("count of 1,000,000", "s", NULL, &samples);
}

/* The programs of another policy, as dataplane_clone() builds them on an interface. */
static struct generation *build_clone(const struct stand *stand, const struct policy *policy)
{
	const struct generation *in_force = stand->generations[HOOK_XDP];
	const struct mode mode = {.routing = ROUTING_NATIVE, .hook = HOOK_XDP};
	const struct generation_spec spec = {
		.policy = policy,
		.mode = &mode,
		.previous = &in_force->maps,
		.instance_previous = &in_force->instance,
		.mtu = in_force->instance.mtu,
		.l2_len = in_force->instance.config.l2_len,
		.dry_run = true,
		.trace = true,
	};
	struct generation *clone;
	struct error error = {};

	if (generation_build(&spec, &clone, &error))
		die("%s", error.text);
	return clone;
}

/* All that `policy diff` does but printing, from loading the programs on. */
static void measure_diff(const struct stand *stand, const struct conntrack *conntrack,
			 const struct flow_clock *clock)
{
	const struct generation *in_force = stand->generations[HOOK_XDP];
	const struct attached attached = {.maps = in_force->maps, .instance = in_force->instance};
	struct samples samples = {};
	struct error error = {};
	struct policy *policy;

	if (policy_parse("bench", OTHER_POLICY, strlen(OTHER_POLICY), &policy, &error))
		die("%s", error.text);
	for (unsigned int i = 0; i < rounds; i++) {
		double begin = cpu_time_ns();
		struct impacts impacts;

		if (impacts_open(&attached, build_clone(stand, policy), &impacts, &error))
			die("diff: %s", error.text);
		impacts.error = &error;
		if (conntrack_walk(conntrack, clock, NULL, impacts_visit, &impacts, &error))
			die("diff: %s", error.text);
		impacts_sort(&impacts);
		samples_add(&samples, (cpu_time_ns() - begin) / 1e9);
		if (impacts.n_kind[IMPACT_CUT] != DIFF_FLOWS)
			die("%zu connections of %d would be cut", impacts.n_kind[IMPACT_CUT],
			    DIFF_FLOWS);
		impacts_close(&impacts);
	}
	policy_free(policy);
	report("policy diff of 65,536", "s", "2", &samples);
}

/* Steps of a pass over all tables, as `shrike run` makes them; it waits between them. */
static void measure_sweep(const struct conntrack *conntrack, const struct flow_clock *clock)
{
	struct samples share = {}, longest = {};
	struct error error = {};
	struct sweep sweep = {};

	if (sweep_init(&sweep, &error))
		die("sweep: %s", error.text);
	sweep.fragments_fd = -1;
	for (unsigned int i = 0; i < rounds; i++) {
		uint64_t entries = sweep.entries, cost_ns = sweep.cost_ns, waited_ns = 0;
		double worst = 0;

		while (sweep.entries - entries < FLOWS) {
			double begin = cpu_time_ns(), cost;

			if (sweep_step(&sweep, conntrack, clock, REMOVAL_STEP_ENTRIES, &error))
				die("sweep: %s", error.text);
			cost = cpu_time_ns() - begin;
			worst = cost > worst ? cost : worst;
			waited_ns += sweep.wait_ns;
		}
		cost_ns = sweep.cost_ns - cost_ns;
		samples_add(&share, 100.0 * cost_ns / (cost_ns + waited_ns));
		samples_add(&longest, worst / 1e6);
	}
	report("sweep of 1,000,000, share of a core", "%", "2", &share);
	report("sweep, longest step", "ms", NULL, &longest);
	sweep_free(&sweep);
}

static void measure_flush(const struct conntrack *conntrack, const struct flow_clock *clock)
{
	struct samples samples = {};
	struct error error = {};
	double begin = cpu_time_ns();
	uint64_t flushed;

	if (conntrack_flush(conntrack, clock, NULL, &flushed, &error))
		die("flush: %s", error.text);
	if (flushed != FLOWS)
		die("flushed %llu connections of %d", (unsigned long long)flushed, FLOWS);
	samples_add(&samples, (cpu_time_ns() - begin) / 1e9);
	report("flush of 1,000,000", "s", NULL, &samples);
}

/* What the kernel says that a map occupies, in bytes. */
static double map_memory(int fd)
{
	char path[64], line[128];
	double bytes = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "memlock: %lf", &bytes) == 1)
			break;
	if (!file || bytes < 0)
		die("%s tells of no memlock", path);
	fclose(file);
	return bytes;
}

static void measure_memory(const struct conntrack *conntrack)
{
	static const char *const names[] = {[4] = "ipv4", [6] = "ipv6"};

	for (uint8_t version = 4; version <= 6; version += 2) {
		struct samples confirmed = {}, both = {};
		double bytes[2] = {}, entries = 0;
		char name[64];

		for (size_t i = 0; i < conntrack->n; i++) {
			const struct conntrack_table *table = &conntrack->tables[i];

			if (table->ip_version != version || table->l4_proto != IPPROTO_TCP)
				continue;
			bytes[table->confirmed] += map_memory(table->fd);
			if (table->confirmed)
				entries = table->max_entries;
		}
		samples_add(&confirmed, bytes[1] / entries);
		samples_add(&both, (bytes[0] + bytes[1]) / entries);
		snprintf(name, sizeof(name), "memory of a connection, %s", names[version]);
		report(name, "bytes", version == 4 ? "160" : NULL, &confirmed);
		snprintf(name, sizeof(name), "with its share of the unconfirmed tiers, %s",
			 names[version]);
		report(name, "bytes", NULL, &both);
	}
}

int main(int argc, char **argv)
{
	struct stand stand = {};
	struct conntrack conntrack;
	struct flow_clock clock;

	if (argc > 1)
		rounds = strtoul(argv[1], NULL, 10);
	if (argc > 2 || !rounds || rounds > SAMPLES_MAX)
		die("usage: tables [ROUNDS], at most %d", SAMPLES_MAX);
	generation_verbose(false);
	stand_open(&stand, POLICY);
	conntrack = open_tables(&stand);
	stand_establish(&stand, IP_VERSION_4, IPPROTO_TCP, 0, DIFF_FLOWS);
	clock = clock_of(&stand);
	measure_diff(&stand, &conntrack, &clock);
	stand_establish(&stand, IP_VERSION_4, IPPROTO_TCP, DIFF_FLOWS, FLOWS - DIFF_FLOWS);
	clock = clock_of(&stand);
	measure_count(&conntrack, &clock);
	measure_list(&conntrack, &clock);
	measure_sweep(&conntrack, &clock);
	measure_memory(&conntrack);
	measure_flush(&conntrack, &clock);
	stand_close(&stand);
	return 0;
}
