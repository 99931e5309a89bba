/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One packet through the programs of a generation by BPF_PROG_TEST_RUN, and the record of it.
 *
 * A test run takes neither less than a link header nor more than a page.  So the frame that the
 * programs are given is padded or cut, and they get its true length: padding is behind the
 * end that they check against, and no header reaches to the cut.
 */
#ifndef SHRIKE_DATAPLANE_TEST_RUN_H
#define SHRIKE_DATAPLANE_TEST_RUN_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "dataplane/generation.h"
#include "trace_event.h"

#define TESTRUN_FRAME_MAX 2048u /* beyond every header that the programs read */

struct perf_buffer;

/*
 * struct testrun - a thread that stays on one CPU, where test runs and their records meet
 * @event: the record of the last packet
 * @frame: the last packet as it left; from it on padded or cut
 * @l2_len: bytes of link header in it
 * @mark: that the last packet left with; not of DIR_INGRESS
 * @drops: whether the program dropped the last packet
 */
struct testrun {
	struct trace_event event;
	uint8_t frame[TESTRUN_FRAME_MAX];
	uint8_t l2_len;
	uint32_t mark;
	bool drops;

	/* private to test_run.c */
	cpu_set_t affinity; /* of the thread before */
	bool is_pinned;
	int cpu;
	size_t n_records; /* since the last run began */
};

/*
 * struct testrun_packet - what is put through the programs
 * @bytes: from the IP header on
 * @len: of the packet, whether all of it is in @bytes or not
 * @captured: of @bytes
 * @ethertype: for the link header that is put before it, if the generation has one
 */
struct testrun_packet {
	const uint8_t *bytes;
	uint32_t len;
	uint32_t captured;
	uint16_t ethertype;
	uint8_t direction; /* enum direction; DIR_UPLINK: with a link header, whatever the generation has */
	uint32_t mark; /* where the TC hook reads it: not of DIR_INGRESS */
};

int testrun_begin(struct testrun *testrun, struct error *error);
int testrun_open_records(struct testrun *testrun, const struct generation *generation,
			 struct perf_buffer **records, struct error *error);
int testrun_packet(struct testrun *testrun, const struct generation *generation,
		   struct perf_buffer *records, const struct testrun_packet *packet,
		   struct error *error);
void testrun_end(struct testrun *testrun);

#endif /* SHRIKE_DATAPLANE_TEST_RUN_H */
