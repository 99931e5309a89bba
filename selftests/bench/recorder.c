/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the flight recorder costs.
 *
 *	recorder [ROUNDS]
 *
 * Two builds of the programs judge the same packets in turn, on the same maps: as they are, and with the
 * recorder off, which the verifier then removes.  Each is loaded several times, as where the kernel puts
 * the code makes more of a difference than the recorder does.  Writes a line of JSON per case; "empty" are
 * the samples without it.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* what the skeleton holds */
#include "blocked.h"
#include "classify.h"
#include "config.h"

#include "maps.h"
#include "masquerade.h"
#include "recorder.h"
#include "samples.h"
#include "shrike.skel.h"
#include "stand.h"

#define MANY 131072 /* packets */
#define FEW  400    /* of new kinds: fewer than a share takes at once from one sender */

#define LOADS 8 /* of each build; a round takes the next ones */

static unsigned int rounds = 12 * LOADS;

struct builds {
	struct shrike_bpf *loads[2][LOADS]; /* without the recorder, and with it */
	union recorder_slot *slots;
	uint32_t n_slots;
};

/* On the maps and with the read-only data of a generation, with its recorder or without one. */
static struct shrike_bpf *load(const struct generation *generation, bool with)
{
	struct shrike_bpf *build = shrike_bpf__open();
	struct bpf_map *map;

	if (!build)
		die("cannot open the programs: %s", strerror(errno));
	bpf_object__for_each_map(map, build->obj)
	{
		if (!bpf_map__is_internal(map) &&
		    bpf_map__reuse_fd(map, map_set_fd(&generation->maps, bpf_map__name(map))))
			die("the generation has no map %s", bpf_map__name(map));
	}
	memcpy((void *)build->rodata, generation->skeleton->rodata, sizeof(*build->rodata));
	if (!with)
		((struct recorder_layout *)&build->rodata->recorder)->cpu_slots = 0;
	bpf_program__set_autoload(build->progs.shrike_event, false);
	bpf_program__set_autoload(build->progs.shrike_ingress, false);
	bpf_program__set_autoload(build->progs.shrike_uplink, false);
	bpf_program__set_autoload(build->progs.shrike_uplinkl3, false);
	if (shrike_bpf__load(build))
		die("cannot load the programs: %s", strerror(errno));
	return build;
}

/* Let each share take as much as at the beginning. */
static void allow_all(const struct builds *builds, uint32_t cpu_slots)
{
	for (uint32_t region = 0; region + cpu_slots <= builds->n_slots; region += cpu_slots)
		for (uint32_t i = 0; i < RECORDER_SHARES; i++)
			builds->slots[region + i].head.due_ns = 0;
}

/* A case: samples with and without the recorder, in turn. */
static void measure(struct stand *stand, const struct builds *builds, struct traffic traffic,
		    const char *name, const char *goal)
{
	const struct generation *generation = stand->generations[HOOK_XDP];
	uint32_t cpu_slots = generation->skeleton->rodata->recorder.cpu_slots;
	uint32_t packets = traffic.fresh ? FEW : MANY;
	struct samples samples = {.has_empty = true};

	for (unsigned int i = 0; i < rounds; i++) {
		for (unsigned int turn = 0; turn < 2; turn++) {
			bool with = (turn + i / LOADS) % 2; /* tables fill up meanwhile */

			allow_all(builds, cpu_slots);
			stand_set_program(
				stand, traffic.path,
				bpf_program__fd(builds->loads[with][i % LOADS]->progs.shrike_xdp));
			(with ? samples.measured : samples.empty)[i] = stand_run(stand, &traffic,
										 packets, false);
			if (traffic.fresh)
				traffic.first += FEW;
		}
		samples.n = i + 1;
	}
	samples_report(&samples, "\"part\":\"recorder\",\"case\":\"%s\",\"unit\":\"ns\"%s%s", name,
		       goal ? ",\"goal\":" : "", goal ? goal : "");
}

static void measure_all(struct stand *stand, const struct builds *builds)
{
	const struct traffic established = {
		.path = PATH_XDP_IN,
		.flows = 1,
		.reason = REASON_ESTABLISHED,
		.service = STAND_PORT,
		.ip_version = IP_VERSION_4,
		.l4_proto = IPPROTO_TCP,
		.tcp_flags = PACKET_TCP_ACK | PACKET_TCP_PSH,
	};
	struct traffic denied = established, opening = established;

	measure(stand, builds, established, "established", NULL);
	denied.reason = REASON_PEER_ACL_DEFAULT;
	denied.service = STAND_CLOSED;
	denied.tcp_flags = PACKET_TCP_SYN;
	measure(stand, builds, denied, "repeated drop", "15");
	denied.flows = FEW;
	denied.fresh = true;
	measure(stand, builds, denied, "first drop", "60");
	denied.fresh = false;
	denied.flows = MANY / 4;
	measure(stand, builds, denied, "drops of 32,768 kinds in turn, beyond the rate", NULL);
	opening.reason = REASON_PEER_ACL_ALLOWED;
	opening.tcp_flags = PACKET_TCP_SYN;
	opening.flows = FEW;
	opening.first = 1 << 20;
	opening.fresh = true;
	measure(stand, builds, opening, "new flow", "60");
}

int main(int argc, char **argv)
{
	struct builds builds = {};
	struct stand stand = {};
	const struct map_entry *map;

	if (argc > 1)
		rounds = strtoul(argv[1], NULL, 10);
	if (argc > 2 || !rounds || rounds > SAMPLES_MAX)
		die("usage: recorder [ROUNDS], at most %d", SAMPLES_MAX);
	generation_verbose(false);
	stand_open(&stand, STAND_POLICY);
	for (int i = 0; i < 2 * LOADS; i++)
		builds.loads[i % 2][i / 2] = load(stand.generations[HOOK_XDP], i % 2);
	map = map_set_find(&stand.generations[HOOK_XDP]->maps, MAP_RECORDER);
	builds.n_slots = map->max_entries;
	builds.slots = mmap(NULL, (size_t)map->max_entries * map->value_size,
			    PROT_READ | PROT_WRITE, MAP_SHARED, map->fd, 0);
	if (builds.slots == MAP_FAILED)
		die("cannot map %s: %s", map->name, strerror(errno));
	stand_establish(&stand, IP_VERSION_4, IPPROTO_TCP, 0, 1);
	measure_all(&stand, &builds);
	for (int i = 0; i < 2 * LOADS; i++)
		shrike_bpf__destroy(builds.loads[i % 2][i / 2]);
	stand_close(&stand);
	return 0;
}
