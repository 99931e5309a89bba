/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "dataplane/test_run.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <endian.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/perf_event.h>
#include <linux/pkt_cls.h>
#include <string.h>

#include "classify.h"
#include "maps.h"
#include "masquerade.h"
#include "recorder.h"
#include "shrike.skel.h"

#define FRAME_MIN    64u /* the kernel refuses some IPv4 packets below 34 bytes */
#define RECORD_PAGES 4	 /* for one record at a time; a power of two */

/* struct perf_event_header, then this: PERF_SAMPLE_RAW of perf_event_open(2). */
struct raw_sample {
	struct perf_event_header header;
	uint32_t size;
	uint8_t data[];
};

static enum bpf_perf_event_ret take_record(void *arg, int cpu, struct perf_event_header *header)
{
	const struct raw_sample *sample = (const struct raw_sample *)header;
	struct testrun *testrun = arg;

	(void)cpu;
	if (header->type != PERF_RECORD_SAMPLE || sample->size < sizeof(testrun->event))
		return LIBBPF_PERF_EVENT_CONT;
	memcpy(&testrun->event, sample->data, sizeof(testrun->event));
	testrun->n_records++;
	return LIBBPF_PERF_EVENT_CONT;
}

/**
 * testrun_begin() - Keep the calling thread on the CPU where it is
 * @testrun: to fill
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int testrun_begin(struct testrun *testrun, struct error *error)
{
	cpu_set_t one;

	testrun->is_pinned = false;
	testrun->cpu = sched_getcpu();
	if (testrun->cpu < 0 || sched_getaffinity(0, sizeof(testrun->affinity), &testrun->affinity))
		return error_set(error, errno, "cannot tell the CPU of this thread: %s",
				 strerror(errno));
	CPU_ZERO(&one);
	CPU_SET(testrun->cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		return error_set(error, errno, "cannot stay on CPU %d: %s", testrun->cpu,
				 strerror(errno));
	testrun->is_pinned = true;
	return 0;
}

/**
 * testrun_open_records() - Open the buffer into which a generation writes its records
 * @testrun: the thread that will read them; outlives the buffer
 * @generation: one that traces; its clones that share trace_v1 write there too
 * @records: set to the buffer, for perf_buffer__free()
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int testrun_open_records(struct testrun *testrun, const struct generation *generation,
			 struct perf_buffer **records, struct error *error)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_BPF_OUTPUT,
		.sample_type = PERF_SAMPLE_RAW,
		.sample_period = 1,
		.wakeup_events = 0, /* nobody waits, and an interrupt takes longer than the rest */
	};
	LIBBPF_OPTS(perf_buffer_raw_opts, opts, .cpu_cnt = 1, .cpus = &testrun->cpu,
		    .map_keys = &testrun->cpu);
	struct perf_buffer *buffer;

	buffer = perf_buffer__new_raw(map_set_fd(&generation->maps, MAP_TRACE), RECORD_PAGES, &attr,
				      take_record, testrun, &opts);
	if (!buffer)
		return error_set(error, errno, "cannot open a buffer for trace records: %s",
				 strerror(errno));
	*records = buffer;
	return 0;
}

/* Write the frame of a packet; returns how many bytes of it there are to give to the programs. */
static uint32_t make_frame(struct testrun *testrun, const struct testrun_packet *packet,
			   uint8_t off)
{
	struct ethhdr link = {
		.h_dest = {2, 0, 0, 0, 0, 1},
		.h_source = {2, 0, 0, 0, 0, 2},
		.h_proto = htobe16(packet->ethertype),
	};
	uint32_t given = packet->captured;

	if (packet->direction == DIR_UPLINK) /* that of the device on which test runs are */
		memset(link.h_dest, 0, sizeof(link.h_dest));

	if (given > TESTRUN_FRAME_MAX - off)
		given = TESTRUN_FRAME_MAX - off;
	memset(testrun->frame, 0, FRAME_MIN);
	memcpy(testrun->frame, &link, off);
	memcpy(testrun->frame + off, packet->bytes, given);
	return off + given > FRAME_MIN ? off + given : FRAME_MIN;
}

/**
 * testrun_packet() - Put one packet through a generation
 * @testrun: set to the record and the frame as it left
 * @generation: with a virtual clock, which the caller has set, or a dry run
 * @records: where its record comes out; NULL: there is none, as the generation does not trace
 * @packet: the packet
 * @error: set on failure
 *
 * Return: 0 or -errno; -EIO where not exactly one record came back.
 */
int testrun_packet(struct testrun *testrun, const struct generation *generation,
		   struct perf_buffer *records, const struct testrun_packet *packet,
		   struct error *error)
{
	const int fds[] = {
		[DIR_INGRESS] = generation->ingress_fd,
		[DIR_EGRESS] = generation->egress_fd,
		[DIR_UPLINK] = generation->uplink_fds[0],
	};
	bool is_uplink = packet->direction == DIR_UPLINK;
	uint8_t off = is_uplink ? ETH_HLEN : generation->instance.config.l2_len;
	struct __sk_buff in = {.mark = packet->mark}, out = {};
	uint32_t len = make_frame(testrun, packet, off);
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = testrun->frame, .data_size_in = len,
		    .data_out = testrun->frame, .data_size_out = sizeof(testrun->frame));
	int err;

	if (packet->direction != DIR_INGRESS) { /* XDP has another context */
		opts.ctx_in = &in;
		opts.ctx_out = &out;
		opts.ctx_size_in = opts.ctx_size_out = sizeof(in);
	}
	generation->skeleton->bss->virtual_frame_len = off + packet->len;
	testrun->n_records = 0;
	testrun->l2_len = off;
	err = bpf_prog_test_run_opts(fds[packet->direction], &opts);
	if (err)
		return error_set(error, -err, "test run of a BPF program: %s", strerror(-err));
	testrun->drops = packet->direction == DIR_INGRESS &&
					 generation->instance.config.hook == HOOK_XDP
				 ? opts.retval == XDP_DROP
				 : opts.retval == TC_ACT_SHOT;
	err = records ? perf_buffer__consume(records) : 0;
	if (err < 0)
		return error_set(error, -err, "cannot read trace records: %s", strerror(-err));
	if (testrun->n_records != !!records || opts.data_size_out != len)
		return error_set(error, EIO,
				 "%zu records and %u bytes came back for one packet of %u",
				 testrun->n_records, opts.data_size_out, len);
	testrun->mark = out.mark;
	return 0;
}

/**
 * testrun_end() - Let the thread run on any of its CPUs again
 * @testrun: begun, or all zero
 */
void testrun_end(struct testrun *testrun)
{
	if (testrun->is_pinned)
		sched_setaffinity(0, sizeof(testrun->affinity), &testrun->affinity);
	testrun->is_pinned = false;
}
