/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "stand.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "conntrack/tables.h"
#include "counter.h"
#include "dataplane/generation_build.h"
#include "dataplane/local_addresses.h"
#include "dataplane/mode.h"
#include "maps.h"
#include "policy/parse.h"
#include "rotate.skel.h"
#include "samples.h"

#define SELF4 "100.127.0.1"
#define SELF6 "fd00:127::1"
#define PEER4 "100.64.0.0" /* the low half is the flow's */
#define PEER6 "fd00:64::"

#define BATCH 16384 /* flows that are opened at once: half of the unconfirmed tier */

const char *const stand_path_names[PATHS] = {
	[PATH_XDP_IN] = "xdp in",
	[PATH_TC_IN] = "tc in",
	[PATH_TC_OUT] = "tc out",
};

static union addr address(const char *text)
{
	union addr addr = {};

	if (inet_pton(AF_INET6, text, &addr) == 1)
		return addr;
	addr.word[2] = htonl(0xffff);
	if (inet_pton(AF_INET, text, &addr.word[3]) != 1)
		die("%s is no address", text);
	return addr;
}

static struct generation *build(const struct policy *policy, enum hook hook,
				const struct generation *previous)
{
	const struct mode mode = {.routing = ROUTING_NATIVE, .hook = hook};
	struct instance instance = {};
	struct generation_spec spec = {
		.policy = policy,
		.mode = &mode,
		.mtu = 1280,
		.l2_len = ETH_HLEN,
	};
	struct generation *generation;
	struct error error = {};

	if (previous) { /* the same number again: both judge the same flows */
		instance = previous->instance;
		instance.config.generation--;
		spec.previous = &previous->maps;
		spec.instance_previous = &instance;
	}
	if (generation_build(&spec, &generation, &error))
		die("%s", error.text);
	return generation;
}

static void fill_addresses(const struct generation *generation)
{
	const struct local_maps maps = {
		.filter_fd = map_set_fd(&generation->maps, MAP_LOCAL_FILTER),
		.addr_fd = map_set_fd(&generation->maps, MAP_LOCAL_ADDR),
		.prefix_fd = map_set_fd(&generation->maps, MAP_LOCAL_PREFIX),
		.epoch_fd = map_set_fd(&generation->maps, MAP_CT_EPOCH),
	};
	const struct local_address list[] = {
		{{address(SELF4), IP_VERSION_4, 32}, LOCAL_OVERLAY},
		{{address(SELF6), IP_VERSION_6, 128}, LOCAL_OVERLAY},
	};
	struct error error = {};

	if (addresses_sync_list(&maps, list, 2, NULL, &error))
		die("%s", error.text);
}

static void set_targets(struct rotate_bpf *rotate, int program_fd, bool is_xdp)
{
	uint32_t empty = ROTATE_EMPTY, measured = ROTATE_MEASURED;
	int map_fd = bpf_map__fd(is_xdp ? rotate->maps.rotate_xdp_to : rotate->maps.rotate_tc_to);
	int empty_fd = bpf_program__fd(is_xdp ? rotate->progs.empty_xdp : rotate->progs.empty_tc);

	if (bpf_map_update_elem(map_fd, &empty, &empty_fd, BPF_ANY) ||
	    bpf_map_update_elem(map_fd, &measured, &program_fd, BPF_ANY))
		die("cannot prepare a tail call: %s", strerror(errno));
}

static struct rotate_bpf *open_rotation(int program_fd, bool is_xdp)
{
	struct rotate_bpf *rotate = rotate_bpf__open_and_load();

	if (!rotate)
		die("cannot load the rotating programs: %s", strerror(errno));
	set_targets(rotate, program_fd, is_xdp);
	return rotate;
}

static void open_rotations(struct stand *stand)
{
	stand->rotate[PATH_XDP_IN] = open_rotation(stand->generations[HOOK_XDP]->ingress_fd, true);
	stand->rotate[PATH_TC_IN] = open_rotation(stand->generations[HOOK_TC]->ingress_fd, false);
	stand->rotate[PATH_TC_OUT] = open_rotation(stand->generations[HOOK_TC]->egress_fd, false);
	memset(stand->n_ordered, 0, sizeof(stand->n_ordered));
}

/**
 * stand_open() - Load the programs of a policy for both hooks
 * @stand: to fill; stand_close() frees it
 * @policy_text: YAML
 */
void stand_open(struct stand *stand, const char *policy_text)
{
	struct error error = {};

	if (policy_parse("bench", policy_text, strlen(policy_text), &stand->policy, &error))
		die("%s", error.text);
	stand->generations[HOOK_XDP] = build(stand->policy, HOOK_XDP, NULL);
	stand->generations[HOOK_TC] = build(stand->policy, HOOK_TC, stand->generations[HOOK_XDP]);
	fill_addresses(stand->generations[HOOK_XDP]);
	open_rotations(stand);
}

/**
 * stand_open_clone() - Another way to run packets through the programs of a stand, at the same time
 * @clone: to fill; shares tables, counters and programs; stand_close_clone() frees it
 * @stand: outlives the clone
 */
void stand_open_clone(struct stand *clone, const struct stand *stand)
{
	*clone = *stand;
	open_rotations(clone);
}

/**
 * stand_open_floor() - A stand with nothing but one look-up, on PATH_XDP_IN for TCP over IPv4
 * @stand: to fill; stand_close() frees it
 * @entries: of the table
 */
void stand_open_floor(struct stand *stand, uint32_t entries)
{
	struct rotate_bpf *rotate = rotate_bpf__open();

	if (!rotate || bpf_map__set_max_entries(rotate->maps.floor_table, entries) ||
	    rotate_bpf__load(rotate))
		die("cannot load the rotating programs: %s", strerror(errno));
	set_targets(rotate, bpf_program__fd(rotate->progs.floor_xdp), true);
	stand->rotate[PATH_XDP_IN] = rotate;
}

/**
 * stand_set_program() - Run another program on a path from now on
 * @stand: whose maps of state the program has
 * @program_fd: for the hook of @path
 */
void stand_set_program(struct stand *stand, enum stand_path path, int program_fd)
{
	set_targets(stand->rotate[path], program_fd, path == PATH_XDP_IN);
}

/**
 * stand_close_clone() - Free what stand_open_clone() made
 */
void stand_close_clone(struct stand *clone)
{
	for (int i = 0; i < PATHS; i++)
		rotate_bpf__destroy(clone->rotate[i]);
}

/**
 * stand_close() - Free what stand_open() made
 */
void stand_close(struct stand *stand)
{
	stand_close_clone(stand);
	for (int i = 0; i < 2; i++)
		generation_free(stand->generations[i]);
	policy_free(stand->policy);
}

/**
 * stand_map_fd() - A map of the policy's programs by its name
 */
int stand_map_fd(const struct stand *stand, const char *name)
{
	int fd = map_set_fd(&stand->generations[HOOK_XDP]->maps, name);

	if (fd < 0)
		die("no map %s", name);
	return fd;
}

/**
 * stand_count() - Packets that ended with a reason so far, on all CPUs
 */
uint64_t stand_count(const struct stand *stand, enum direction direction, enum reason reason)
{
	int n_cpus = libbpf_num_possible_cpus();
	uint32_t key = direction;
	struct counters counters[n_cpus > 0 ? n_cpus : 1];
	uint64_t count = 0;

	if (bpf_map_lookup_elem(stand_map_fd(stand, MAP_COUNTERS), &key, counters))
		die("cannot read the counters: %s", strerror(errno));
	for (int i = 0; i < n_cpus; i++)
		count += counters[i].reason[reason].packets;
	return count;
}

/**
 * stand_forget_unconfirmed() - Empty the tables of half-open and unanswered flows
 *
 * Return: how many there were.
 */
uint64_t stand_forget_unconfirmed(const struct stand *stand)
{
	const struct flow_clock clock = {};
	struct conntrack conntrack = {};
	struct error error = {};
	uint64_t flushed;

	for (int i = 0; i < CONNTRACK_TABLES; i++) {
		const struct conntrack_map *map = &conntrack_maps[i];

		if (!map->confirmed)
			conntrack_table_init(&conntrack.tables[conntrack.n++], map,
					     stand_map_fd(stand, map->name), 0);
	}
	if (conntrack_flush(&conntrack, &clock, NULL, &flushed, &error))
		die("%s", error.text);
	return flushed;
}

#define PAYLOAD	 64
#define SELF_SEQ 5000 /* numbers of the SYNs */
#define PEER_SEQ 1000

/* The frame of flow 0; returns its length. */
static uint32_t make_frame(const struct traffic *traffic, uint8_t *frame, struct rotation *rotation)
{
	bool is_v4 = traffic->ip_version == IP_VERSION_4, out = traffic->path == PATH_TC_OUT;
	const union addr self = address(is_v4 ? SELF4 : SELF6);
	const union addr peer = address(is_v4 ? PEER4 : PEER6);
	struct ethhdr link = {.h_proto = htons(is_v4 ? ETH_P_IP : ETH_P_IPV6)};
	uint32_t l4_off = ETH_HLEN + (is_v4 ? 20 : 40), addr_len = is_v4 ? 4 : 16;
	struct error error = {};
	struct packet_spec spec;
	size_t len;

	packet_spec_init(&spec);
	spec.saddr = out ? self : peer;
	spec.daddr = out ? peer : self;
	spec.sport = out ? traffic->service : ROTATE_PORT_FIRST;
	spec.dport = out ? ROTATE_PORT_FIRST : traffic->service;
	spec.ip_version = traffic->ip_version;
	spec.l4_proto = traffic->l4_proto;
	spec.tcp_flags = traffic->tcp_flags;
	spec.payload_len = PAYLOAD;
	/* data behind the handshake, again and again; SYNs have data, too */
	spec.seq = (out ? SELF_SEQ : PEER_SEQ) +
		   (traffic->tcp_flags & PACKET_TCP_SYN ? 0 : PAYLOAD + 1);
	spec.ack = (out ? PEER_SEQ : SELF_SEQ) + PAYLOAD + 1;
	spec.has_ack = true;
	memcpy(frame, &link, sizeof(link));
	if (packet_build(&spec, frame + ETH_HLEN, STAND_FRAME_MAX - ETH_HLEN, &len, &error))
		die("%s", error.text);
	rotation->addr_off = l4_off - (out ? 0 : addr_len) - 2;
	rotation->port_off = l4_off + (out ? 2 : 0);
	return ETH_HLEN + len;
}

static uint32_t random_below(uint64_t *state, uint32_t below)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (*state * 0x2545f4914f6cdd1dull >> 32) % below;
}

/* Put flows 0 to @n - 1 in a random order, the same each time. */
static void set_order(int fd, uint32_t n)
{
	size_t size = ROTATE_FLOWS_MAX * sizeof(uint32_t);
	uint32_t *order = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	uint64_t state = 0x9e3779b97f4a7c15ull;

	if (order == MAP_FAILED)
		die("cannot map the order of flows: %s", strerror(errno));
	for (uint32_t i = 0; i < n; i++) {
		uint32_t j = random_below(&state, i + 1);

		order[i] = order[j];
		order[j] = i;
	}
	munmap(order, size);
}

static int program_of(const struct stand *stand, enum stand_path path, bool empty)
{
	const struct rotate_bpf *rotate = stand->rotate[path];

	if (path == PATH_XDP_IN)
		return bpf_program__fd(empty ? rotate->progs.rotate_xdp_empty
					     : rotate->progs.rotate_xdp);
	return bpf_program__fd(empty ? rotate->progs.rotate_tc_empty : rotate->progs.rotate_tc);
}

/**
 * stand_run_blind() - As stand_run(), for packets whose end the caller checks
 */
double stand_run_blind(struct stand *stand, const struct traffic *traffic, uint32_t packets,
		       bool empty)
{
	struct rotation *rotation = &stand->rotate[traffic->path]->bss->rotation;
	uint8_t frame[STAND_FRAME_MAX], out[STAND_FRAME_MAX];
	uint32_t len = make_frame(traffic, frame, rotation);
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = len, .data_out = out,
		    .data_size_out = sizeof(out), .repeat = packets);
	double begin;
	int err;

	if (stand->n_ordered[traffic->path] != traffic->flows) {
		set_order(bpf_map__fd(stand->rotate[traffic->path]->maps.rotate_order),
			  traffic->flows);
		stand->n_ordered[traffic->path] = traffic->flows;
		rotation->next = 0;
	}
	rotation->count = traffic->flows;
	rotation->advance = traffic->fresh ? traffic->flows : 0;
	if (!traffic->fresh || rotation->base < traffic->first)
		rotation->base = traffic->first;
	begin = cpu_time_ns();
	err = bpf_prog_test_run_opts(program_of(stand, traffic->path, empty), &opts);
	if (err)
		die("test run of a BPF program: %s", strerror(-err));
	return (cpu_time_ns() - begin) / packets;
}

/**
 * stand_run() - Run packets through a program
 * @stand: the programs
 * @traffic: the packets
 * @packets: how many
 * @empty: through a program that does nothing instead
 *
 * Return: CPU time of a packet in nanoseconds.  The time of a thread is counted, so that what else
 * runs on the machine disturbs caches, but is not part of the figure.
 */
double stand_run(struct stand *stand, const struct traffic *traffic, uint32_t packets, bool empty)
{
	enum direction direction = traffic->path == PATH_TC_OUT ? DIR_EGRESS : DIR_INGRESS;
	uint64_t before, after;
	double ns;

	if (empty || !stand->policy)
		return stand_run_blind(stand, traffic, packets, empty);
	before = stand_count(stand, direction, traffic->reason);
	ns = stand_run_blind(stand, traffic, packets, false);
	after = stand_count(stand, direction, traffic->reason);
	if (after - before != packets)
		die("%s, IPv%u, protocol %u: only %llu of %u packets ended as they should",
		    stand_path_names[traffic->path], traffic->ip_version, traffic->l4_proto,
		    (unsigned long long)(after - before), packets);
	return ns;
}

/**
 * stand_establish() - Have flows opened by peers and confirmed, by their first packets
 * @stand: whose tables are to hold them
 * @ip_version, @l4_proto: TCP or UDP, to the port that rules allow
 * @first: number of the first of them
 * @flows: how many
 */
void stand_establish(struct stand *stand, uint8_t ip_version, uint8_t l4_proto, uint32_t first,
		     uint32_t flows)
{
	const struct {
		enum stand_path path;
		enum reason reason;
		uint8_t tcp_flags;
	} steps[] = {
		{PATH_XDP_IN, REASON_PEER_ACL_ALLOWED, PACKET_TCP_SYN},
		{PATH_TC_OUT, REASON_OUTBOUND, PACKET_TCP_SYN | PACKET_TCP_ACK},
		{PATH_XDP_IN, REASON_ESTABLISHED, PACKET_TCP_ACK},
	};

	for (uint32_t done = 0; done < flows; done += BATCH) {
		uint32_t batch = flows - done < BATCH ? flows - done : BATCH;

		for (int i = 0; i < 3; i++) {
			const struct traffic traffic = {
				.path = steps[i].path,
				.flows = batch,
				.first = first + done,
				.reason = steps[i].reason,
				.service = STAND_PORT,
				.ip_version = ip_version,
				.l4_proto = l4_proto,
				.tcp_flags = steps[i].tcp_flags,
			};

			stand_run(stand, &traffic, batch, false);
		}
	}
}
