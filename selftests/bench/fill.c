/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What packets cost where the table of confirmed connections fills up, and when it is full.
 *
 *	fill [ROUNDS]
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "samples.h"
#include "stand.h"

#define TABLE	  131072 /* entries */
#define HOT	  32768	 /* flows whose packets are measured, in the nearly empty table too */
#define SAMPLE	  131072 /* packets */
#define HANDSHAKE 1024	 /* connections of a sample: less than the last hundredth of the table */
#define BEHIND	  500000 /* number of the first flow that is not there yet */

static unsigned int rounds = 9;

static struct traffic tcp(enum stand_path path, uint32_t first, uint32_t flows, uint8_t tcp_flags,
			  enum reason reason)
{
	return (struct traffic){
		.path = path,
		.flows = flows,
		.first = first,
		.reason = reason,
		.service = STAND_PORT,
		.ip_version = IP_VERSION_4,
		.l4_proto = IPPROTO_TCP,
		.tcp_flags = tcp_flags,
	};
}

static void report(const char *name, unsigned int percent, const struct samples *samples)
{
	samples_report(samples,
		       "\"part\":\"fill\",\"case\":\"%s\",\"fill\":\"%u %%\",\"unit\":\"ns\"", name,
		       percent);
}

static void measure_established(struct stand *stand, unsigned int percent)
{
	const struct traffic traffic = tcp(PATH_XDP_IN, 0, HOT, PACKET_TCP_ACK, REASON_ESTABLISHED);
	struct samples samples = {.has_empty = true};

	for (samples.n = 0; samples.n < rounds; samples.n++) {
		samples.empty[samples.n] = stand_run(stand, &traffic, SAMPLE, true);
		samples.measured[samples.n] = stand_run(stand, &traffic, SAMPLE, false);
	}
	report("established, 32,768 flows in turn", percent, &samples);
}

/*
 * The three packets that open a connection, together: the last one moves it into the table if
 * there is room.  A reset takes it out again.  In a full table it stays with the half-open ones.
 */
static void measure_handshake(struct stand *stand, unsigned int percent)
{
	const struct traffic steps[] = {
		tcp(PATH_XDP_IN, BEHIND, HANDSHAKE, PACKET_TCP_SYN, REASON_PEER_ACL_ALLOWED),
		tcp(PATH_TC_OUT, BEHIND, HANDSHAKE, PACKET_TCP_SYN | PACKET_TCP_ACK,
		    REASON_OUTBOUND),
		tcp(PATH_XDP_IN, BEHIND, HANDSHAKE, PACKET_TCP_ACK, REASON_ESTABLISHED),
	};
	const struct traffic reset = tcp(PATH_XDP_IN, BEHIND, HANDSHAKE,
					 PACKET_TCP_RST | PACKET_TCP_ACK, REASON_ESTABLISHED);
	struct samples samples = {.has_empty = true};

	for (samples.n = 0; samples.n < rounds; samples.n++) {
		samples.empty[samples.n] = samples.measured[samples.n] = 0;
		for (int i = 0; i < 3; i++) {
			samples.empty[samples.n] += stand_run(stand, &steps[i], HANDSHAKE, true);
			samples.measured[samples.n] += stand_run(stand, &steps[i], HANDSHAKE,
								 false);
		}
		stand_run(stand, &reset, HANDSHAKE, false);
	}
	report("handshake, three packets", percent, &samples);
}

int main(int argc, char **argv)
{
	static const unsigned int percents[] = {25, 80, 99, 100};
	struct stand stand = {};
	uint32_t flows = 0;

	if (argc > 1)
		rounds = strtoul(argv[1], NULL, 10);
	if (argc > 2 || !rounds || rounds > SAMPLES_MAX)
		die("usage: fill [ROUNDS], at most %d", SAMPLES_MAX);
	generation_verbose(false);
	stand_open(&stand, STAND_POLICY);
	for (int i = 0; i < 4; i++) {
		uint32_t want = (uint64_t)TABLE * percents[i] / 100;

		stand_establish(&stand, IP_VERSION_4, IPPROTO_TCP, flows, want - flows);
		flows = want;
		measure_established(&stand, percents[i]);
		measure_handshake(&stand, percents[i]);
	}
	stand_close(&stand);
	return 0;
}
