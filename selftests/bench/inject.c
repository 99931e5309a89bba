/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sends UDP packets out of a device as fast as its other end may want them.
 *
 *	inject DEVICE MAC SOURCE DESTINATION PORT FLOWS MILLISECONDS
 *
 * FLOWS source ports from 1024 on take turns.  Frames go out in bulk and without socket or socket
 * buffer, as a driver has them when they come from a wire (BPF_F_TEST_XDP_LIVE_FRAMES).  What does
 * not fit into the other end's queue is lost, so it is for the receiver to count.  Prints how many
 * were made.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inject.h"
#include "inject.skel.h"
#include "samples.h"

#define BULK  64
#define CHUNK 65536 /* packets between looks at the clock */

struct frame {
	struct ether_header eth;
	struct iphdr ip;
	struct udphdr udp;
	uint8_t data[INJECT_FRAME - sizeof(struct ether_header) - sizeof(struct iphdr) -
		     sizeof(struct udphdr)];
} __attribute__((packed));
_Static_assert(sizeof(struct frame) == INJECT_FRAME, "a frame has the size of the program's");

static uint16_t checksum(const void *header, size_t len)
{
	const uint8_t *bytes = header;
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i += 2)
		sum += bytes[i] << 8 | bytes[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	return htons(~(sum + (sum >> 16)));
}

static void make_frame(struct frame *frame, char **arguments)
{
	struct ether_addr *mac = ether_aton(arguments[0]);

	if (!mac || inet_pton(AF_INET, arguments[1], &frame->ip.saddr) != 1 ||
	    inet_pton(AF_INET, arguments[2], &frame->ip.daddr) != 1)
		die("not a MAC and two IPv4 addresses: %s %s %s", arguments[0], arguments[1],
		    arguments[2]);
	memcpy(frame->eth.ether_dhost, mac, sizeof(frame->eth.ether_dhost));
	frame->eth.ether_shost[0] = 2;
	frame->eth.ether_type = htons(ETHERTYPE_IP);
	frame->ip.version = 4;
	frame->ip.ihl = 5;
	frame->ip.tot_len = htons(sizeof(*frame) - sizeof(frame->eth));
	frame->ip.ttl = 64;
	frame->ip.protocol = IPPROTO_UDP;
	frame->ip.check = checksum(&frame->ip, sizeof(frame->ip));
	frame->udp.dest = htons(strtoul(arguments[3], NULL, 10));
	frame->udp.len = htons(sizeof(frame->udp) + sizeof(frame->data));
}

static unsigned long long send_for(const struct inject_bpf *skeleton, const struct frame *frame,
				   double ns)
{
	struct xdp_md ctx = {.data_end = sizeof(*frame)};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = sizeof(*frame),
		    .ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .repeat = CHUNK,
		    .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = BULK);
	double end = wall_time_ns() + ns;
	unsigned long long sent = 0;

	while (wall_time_ns() < end) {
		int err = bpf_prog_test_run_opts(bpf_program__fd(skeleton->progs.inject_xdp),
						 &opts);

		if (err)
			die("cannot send: %s", strerror(-err));
		sent += CHUNK;
	}
	return sent;
}

int main(int argc, char **argv)
{
	struct frame frame = {};
	struct inject_bpf *skeleton;

	if (argc != 8)
		die("usage: inject DEVICE MAC SOURCE DESTINATION PORT FLOWS MILLISECONDS");
	make_frame(&frame, argv + 2);
	skeleton = inject_bpf__open_and_load();
	if (!skeleton)
		die("cannot load the injector: %s", strerror(errno));
	memcpy(skeleton->bss->injection.word, &frame, sizeof(frame));
	skeleton->bss->injection.ifindex = if_nametoindex(argv[1]);
	skeleton->bss->injection.flows = strtoul(argv[6], NULL, 10);
	if (!skeleton->bss->injection.ifindex || !skeleton->bss->injection.flows)
		die("no device %s, or no flows", argv[1]);
	printf("%llu\n", send_for(skeleton, &frame, strtod(argv[7], NULL) * 1e6));
	inject_bpf__destroy(skeleton);
	return 0;
}
