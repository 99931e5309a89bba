/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a packet costs on each path through the programs.
 *
 *	packet [ROUNDS [small|medium|large]]
 *
 * Writes a line of JSON per case: samples in nanoseconds of CPU time, and beside each of them one
 * of the empty program, taken just before it.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "samples.h"
#include "stand.h"

#define SAMPLE	     131072 /* packets */
#define SAMPLE_OPEN  8192   /* packets that open flows */
#define FLOOD_TUPLES (1u << 24)
#define FLOOR_BATCH  16384
#define MANY	     1000000
#define POLICY_RULES                                                                               \
	"peer_acl:\n"                                                                              \
	"  - {id: web, action: allow, source: [100.64.0.0/10, 'fd00:64::/32'],\n"                  \
	"     protocol: tcp, destination_ports: [443]}\n"                                          \
	"  - {id: quic, action: allow, source: [100.64.0.0/10, 'fd00:64::/32'],\n"                 \
	"     protocol: udp, destination_ports: [443]}\n"                                          \
	"  - {id: ssh, action: allow, source: [100.64.7.0/24], protocol: tcp,\n"                   \
	"     destination_ports: [22]}\n"

static const char policy_small[] = "version: 1\n" POLICY_RULES;
static const char policy_medium[] = "version: 1\n"
				    "limits: {tcp: 131072, udp: 131072}\n"
				    "timeouts: {udp: 3h, tcp_handshake: 3h}\n" POLICY_RULES;
static const char policy_large[] = "version: 1\n"
				   "limits: {tcp: 1048576, udp: 1048576}\n"
				   "timeouts: {udp: 3h, tcp_handshake: 3h}\n" POLICY_RULES;

static const uint8_t versions[] = {IP_VERSION_4, IP_VERSION_6};

static unsigned int rounds = 9;

static void report(const char *name, const struct traffic *traffic, const struct samples *samples)
{
	samples_report(samples,
		       "\"part\":\"packet\",\"case\":\"%s\",\"path\":\"%s\",\"l4\":\"%s\","
		       "\"ip\":%u,\"flows\":%u,\"unit\":\"ns\"",
		       name, stand_path_names[traffic->path],
		       traffic->l4_proto == IPPROTO_TCP ? "tcp" : "udp", traffic->ip_version,
		       traffic->flows);
}

static enum reason reason_of(enum stand_path path, enum reason inbound)
{
	return path == PATH_TC_OUT ? REASON_OUTBOUND : inbound;
}

static void measure(struct stand *stand, const char *name, const struct traffic *traffic)
{
	struct samples samples = {.has_empty = true};

	if (traffic->flows > SAMPLE)
		stand_run(stand, traffic, traffic->flows, false); /* every flow once: warm, as far
								     as caches go */
	for (samples.n = 0; samples.n < rounds; samples.n++) {
		samples.empty[samples.n] = stand_run(stand, traffic, SAMPLE, true);
		samples.measured[samples.n] = stand_run(stand, traffic, SAMPLE, false);
	}
	report(name, traffic, &samples);
}

/* Flows that peers opened, with packets of both directions. */
static void measure_established(struct stand *stand, uint8_t ip_version, uint8_t l4_proto,
				uint32_t flows)
{
	for (int path = 0; path < PATHS; path++) {
		const struct traffic traffic = {
			.path = path,
			.flows = flows,
			.reason = reason_of(path, REASON_ESTABLISHED),
			.service = STAND_PORT,
			.ip_version = ip_version,
			.l4_proto = l4_proto,
			.tcp_flags = PACKET_TCP_ACK | PACKET_TCP_PSH,
		};

		measure(stand, "established", &traffic);
	}
}

/*
 * What one look-up in a table of that size costs, and nothing else.  It is filled by half at least,
 * and in an order other than that of the packets, as memory would be read from front to back
 * otherwise.
 */
static void measure_floor(uint32_t entries, uint32_t flows)
{
	uint32_t filled = flows > entries / 2 ? flows : entries / 2;
	struct traffic traffic = {
		.path = PATH_XDP_IN,
		.flows = FLOOR_BATCH,
		.service = STAND_PORT,
		.ip_version = IP_VERSION_4,
		.l4_proto = IPPROTO_TCP,
		.tcp_flags = PACKET_TCP_ACK,
	};
	struct stand stand = {};

	stand_open_floor(&stand, entries);
	for (; traffic.first < filled; traffic.first += FLOOR_BATCH)
		stand_run(&stand, &traffic, FLOOR_BATCH, false);
	traffic.first = 0;
	traffic.flows = flows;
	measure(&stand, "one look-up in a BPF hash, no more", &traffic);
	stand_close(&stand);
}

/* Every packet opens a flow, and between the samples all are forgotten, unless it is a flood. */
static void measure_opening(struct stand *stand, const char *name, uint8_t ip_version,
			    enum stand_path path, bool flood)
{
	struct traffic traffic = {
		.path = path,
		.flows = ROTATE_FLOWS_MAX,
		.fresh = true,
		.reason = reason_of(path, REASON_PEER_ACL_ALLOWED),
		.first = MANY, /* behind those that are established */
		.service = STAND_PORT,
		.ip_version = ip_version,
		.l4_proto = IPPROTO_TCP,
		.tcp_flags = PACKET_TCP_SYN,
	};
	uint32_t packets = flood ? SAMPLE : SAMPLE_OPEN;
	struct samples samples = {.has_empty = true};

	if (flood)
		stand_run(stand, &traffic, 4 * SAMPLE, false); /* more than the table holds */
	for (samples.n = 0; samples.n < rounds; samples.n++) {
		if (!flood)
			stand_forget_unconfirmed(stand);
		samples.empty[samples.n] = stand_run(stand, &traffic, packets, true);
		samples.measured[samples.n] = stand_run(stand, &traffic, packets, false);
	}
	report(name, &traffic, &samples);
	stand_forget_unconfirmed(stand);
}

static void measure_denied(struct stand *stand, uint8_t ip_version, enum stand_path path)
{
	static const uint32_t flows[] = {1, 65536};

	for (int i = 0; i < 2; i++) {
		const struct traffic traffic = {
			.path = path,
			.flows = flows[i],
			.reason = REASON_PEER_ACL_DEFAULT,
			.service = STAND_CLOSED,
			.ip_version = ip_version,
			.l4_proto = IPPROTO_TCP,
			.tcp_flags = PACKET_TCP_SYN,
		};

		measure(stand, "default deny", &traffic);
	}
}

static void measure_small(void)
{
	struct stand stand = {};

	stand_open(&stand, policy_small);
	for (int v = 0; v < 2; v++) {
		for (int path = PATH_XDP_IN; path <= PATH_TC_IN; path++)
			measure_denied(&stand, versions[v], path);
		for (int path = 0; path < PATHS; path++) {
			measure_opening(&stand, "new", versions[v], path, false);
			measure_opening(&stand, "new in a flood", versions[v], path, true);
		}
	}
	stand_close(&stand);
}

/* 65,536 flows in tables of twice the size; one flow alone is as well off anywhere. */
static void measure_medium(void)
{
	static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP};
	struct stand stand = {};

	measure_floor(131072, 1);
	measure_floor(131072, 1024);
	measure_floor(131072, 16384);
	measure_floor(131072, 65536);
	stand_open(&stand, policy_medium);
	for (int i = 0; i < 4; i++) {
		stand_establish(&stand, versions[i / 2], protocols[i % 2], 0, 65536);
		measure_established(&stand, versions[i / 2], protocols[i % 2], 1);
		if (protocols[i % 2] == IPPROTO_TCP) { /* how the cost grows on the way */
			measure_established(&stand, versions[i / 2], IPPROTO_TCP, 1024);
			measure_established(&stand, versions[i / 2], IPPROTO_TCP, 16384);
		}
		measure_established(&stand, versions[i / 2], protocols[i % 2], 65536);
	}
	stand_close(&stand);
}

static void measure_large(void)
{
	static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP};
	struct stand stand = {};

	measure_floor(1048576, MANY);
	stand_open(&stand, policy_large);
	for (int i = 0; i < 4; i++) {
		stand_establish(&stand, versions[i / 2], protocols[i % 2], 0, MANY);
		measure_established(&stand, versions[i / 2], protocols[i % 2], MANY);
	}
	for (int v = 0; v < 2; v++) {
		measure_opening(&stand, "new among 1,000,000", versions[v], PATH_XDP_IN, false);
		measure_opening(&stand, "new in a flood among 1,000,000", versions[v], PATH_XDP_IN,
				true);
	}
	stand_close(&stand);
}

static const struct {
	const char *name;
	void (*measure)(void);
} sizes[] = {
	{"small", measure_small},
	{"medium", measure_medium},
	{"large", measure_large},
};

int main(int argc, char **argv)
{
	if (argc > 1)
		rounds = strtoul(argv[1], NULL, 10);
	if (argc > 3 || !rounds || rounds > SAMPLES_MAX)
		die("usage: packet [ROUNDS [SIZE]], at most %d rounds", SAMPLES_MAX);
	generation_verbose(false);
	for (int i = 0; i < 3; i++)
		if (argc < 3 || !strcmp(argv[2], sizes[i].name))
			sizes[i].measure();
	return 0;
}
