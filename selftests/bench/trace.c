/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What tracing costs packets that no trace records.
 *
 *	trace [ROUNDS]
 *
 * Three builds of the programs judge the same packets in turn, on the same maps: one without a line
 * of trace code (untraced.h), the one that is attached when nobody traces, and the clone of a live
 * trace whose filter matches nothing.  Writes a line of JSON per case; "empty" are the samples of
 * the programs without trace code.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* what the skeletons hold */
#include "classify.h"
#include "config.h"

#include "dataplane/generation_build.h"
#include "maps.h"
#include "masquerade.h"
#include "recorder.h"
#include "samples.h"
#include "shrike.skel.h"
#include "stand.h"
#include "trace_filter.h"
#include "untraced.skel.h"

#define SAMPLE	   131072 /* packets */
#define GOAL_ON_NS 30
#define PORT_NONE  1 /* no packet has it */

/* Programs of the three builds for one path. */
struct builds {
	int untraced_fd;
	int off_fd;
	int on_fd;
};

static const char policy[] =
	"version: 1\n"
	"timeouts: {tcp_established: 24h}\n"
	"peer_acl:\n"
	"  - {id: web, action: allow, source: [100.64.0.0/10, 'fd00:64::/32'],\n"
	"     protocol: tcp, destination_ports: [443]}\n";

static unsigned int rounds = 15;

static enum hook hook_of(enum stand_path path)
{
	return path == PATH_XDP_IN ? HOOK_XDP : HOOK_TC;
}

/* On the maps and with the read-only data of a generation, as its clone would be. */
static struct untraced_bpf *load_untraced(const struct generation *generation)
{
	struct untraced_bpf *untraced = untraced_bpf__open();
	struct bpf_map *map;

	if (!untraced)
		die("cannot open the programs without trace code: %s", strerror(errno));
	bpf_object__for_each_map(map, untraced->obj)
	{
		if (!bpf_map__is_internal(map) &&
		    bpf_map__reuse_fd(map, map_set_fd(&generation->maps, bpf_map__name(map))))
			die("the generation has no map %s", bpf_map__name(map));
	}
	if (sizeof(*untraced->rodata) != sizeof(*generation->skeleton->rodata))
		die("the read-only data of the two builds are not alike");
	memcpy((void *)untraced->rodata, generation->skeleton->rodata, sizeof(*untraced->rodata));
	bpf_program__set_autoload(untraced->progs.shrike_event, false);
	bpf_program__set_autoload(untraced->progs.shrike_xdp,
				  generation->instance.config.hook == HOOK_XDP);
	bpf_program__set_autoload(untraced->progs.shrike_ingress,
				  generation->instance.config.hook == HOOK_TC);
	if (untraced_bpf__load(untraced))
		die("cannot load the programs without trace code: %s", strerror(errno));
	return untraced;
}

/* Every condition but the last one holds, so all of them are looked at. */
static void set_filter(const struct generation *clone)
{
	const struct trace_filter filter = {
		.port_first[TRACE_EITHER] = PORT_NONE,
		.port_last[TRACE_EITHER] = PORT_NONE,
		.has_port[TRACE_EITHER] = 1,
		.direction = TRACE_FILTER_ANY,
		.rule = RULE_NONE,
		.every = 1,
		.l4_proto = IPPROTO_TCP,
		.ip_version = IP_VERSION_4,
		.verdict = TRACE_FILTER_ANY,
		.reason = TRACE_FILTER_ANY,
		.flow_state = TRACE_FILTER_ANY,
		.active = 1,
	};
	uint32_t zero = 0;

	if (bpf_map_update_elem(map_set_fd(&clone->maps, MAP_TRACE_FILTER), &zero, &filter,
				BPF_ANY))
		die("cannot set the filter: %s", strerror(errno));
}

static struct generation *load_tracing(const struct generation *generation)
{
	const struct generation_spec spec = {
		.previous = &generation->maps,
		.instance_previous = &generation->instance,
		.snap_len = 256,
		.trace = true,
		.clone = true,
		.own_records = true,
	};
	struct generation *clone;
	struct error error = {};

	if (generation_build(&spec, &clone, &error))
		die("%s", error.text);
	set_filter(clone);
	return clone;
}

static void report(const char *name, const char *path, const char *l4, const char *goal,
		   const struct samples *samples)
{
	samples_report(samples,
		       "\"part\":\"trace\",\"case\":\"%s\",\"path\":\"%s\",\"l4\":\"%s\","
		       "\"unit\":\"ns\"%s%s",
		       name, path, l4, goal ? ",\"goal\":" : "", goal ? goal : "");
}

static double run(struct stand *stand, const struct traffic *traffic, int program_fd)
{
	stand_set_program(stand, traffic->path, program_fd);
	return stand_run(stand, traffic, SAMPLE, false);
}

static int ascending(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* How far two samples of one and the same program are apart: the median. */
static double noise_of(const struct samples *same)
{
	double apart[SAMPLES_MAX];

	for (unsigned int i = 0; i < same->n; i++)
		apart[i] = same->measured[i] > same->empty[i] ? same->measured[i] - same->empty[i]
							      : same->empty[i] - same->measured[i];
	qsort(apart, same->n, sizeof(*apart), ascending);
	return apart[same->n / 2];
}

static void measure(struct stand *stand, const struct traffic *traffic, const struct builds *builds,
		    const char *l4)
{
	struct samples off = {.has_empty = true}, on = {.has_empty = true},
		       same = {.has_empty = true};
	const char *path = stand_path_names[traffic->path];
	char noise[32], goal[32];

	for (unsigned int i = 0; i < rounds; i++) {
		double untraced = run(stand, traffic, builds->untraced_fd);

		off.empty[i] = on.empty[i] = same.empty[i] = untraced;
		off.measured[i] = run(stand, traffic, builds->off_fd);
		on.measured[i] = run(stand, traffic, builds->on_fd);
		same.measured[i] = run(stand, traffic, builds->untraced_fd);
		off.n = on.n = same.n = i + 1;
	}
	snprintf(noise, sizeof(noise), "%.3f", noise_of(&same));
	snprintf(goal, sizeof(goal), "%d", GOAL_ON_NS);
	report("no trace code, twice: the noise", path, l4, NULL, &same);
	report("tracing off, more than without trace code", path, l4, noise, &off);
	report("tracing on, nothing matches, more than without", path, l4, goal, &on);
}

static uint32_t instructions(int program_fd)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(program_fd, &info, &len))
		die("cannot ask for a program: %s", strerror(errno));
	return info.xlated_prog_len / sizeof(struct bpf_insn);
}

static void count_instructions(enum stand_path path, const struct builds *builds)
{
	struct samples samples = {.has_empty = true, .n = 1};

	samples.measured[0] = instructions(builds->off_fd);
	samples.empty[0] = instructions(builds->untraced_fd);
	samples_report(&samples,
		       "\"part\":\"trace\",\"case\":\"%s\",\"path\":\"%s\",\"unit\":\"%s\"",
		       "tracing off, more than without trace code", stand_path_names[path],
		       "instructions");
}

static void measure_path(struct stand *stand, enum stand_path path, const struct builds *builds)
{
	struct traffic traffic = {
		.path = path,
		.flows = 1,
		.reason = path == PATH_TC_OUT ? REASON_OUTBOUND : REASON_ESTABLISHED,
		.service = STAND_PORT,
		.ip_version = IP_VERSION_4,
		.l4_proto = IPPROTO_TCP,
		.tcp_flags = PACKET_TCP_ACK | PACKET_TCP_PSH,
	};

	count_instructions(path, builds);
	measure(stand, &traffic, builds, "established");
	if (path == PATH_TC_OUT)
		return;
	traffic.reason = REASON_PEER_ACL_DEFAULT;
	traffic.service = STAND_CLOSED;
	traffic.tcp_flags = PACKET_TCP_SYN;
	measure(stand, &traffic, builds, "denied");
}

int main(int argc, char **argv)
{
	struct untraced_bpf *untraced[2];
	struct generation *clones[2];
	struct stand stand = {};

	if (argc > 1)
		rounds = strtoul(argv[1], NULL, 10);
	if (argc > 2 || !rounds || rounds > SAMPLES_MAX)
		die("usage: trace [ROUNDS], at most %d", SAMPLES_MAX);
	generation_verbose(false);
	stand_open(&stand, policy);
	for (int hook = 0; hook < 2; hook++) {
		untraced[hook] = load_untraced(stand.generations[hook]);
		clones[hook] = load_tracing(stand.generations[hook]);
	}
	stand_establish(&stand, IP_VERSION_4, IPPROTO_TCP, 0, 1);
	for (enum stand_path path = 0; path < PATHS; path++) {
		const struct generation *off = stand.generations[hook_of(path)];
		const struct generation *on = clones[hook_of(path)];
		const struct untraced_bpf *none = untraced[hook_of(path)];
		bool out = path == PATH_TC_OUT;
		const struct builds builds = {
			.untraced_fd = bpf_program__fd(out ? none->progs.shrike_egress
						       : path == PATH_XDP_IN
							       ? none->progs.shrike_xdp
							       : none->progs.shrike_ingress),
			.off_fd = out ? off->egress_fd : off->ingress_fd,
			.on_fd = out ? on->egress_fd : on->ingress_fd,
		};

		measure_path(&stand, path, &builds);
	}
	for (int hook = 0; hook < 2; hook++) {
		untraced_bpf__destroy(untraced[hook]);
		generation_free(clones[hook]);
	}
	stand_close(&stand);
	return 0;
}
