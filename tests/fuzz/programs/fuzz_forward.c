/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Coverage-guided fuzzing of what the forwarder reads packets of peers with (libFuzzer): headers,
 * fragments, TCP segments to be put together, datagrams to be taken apart.  An input is a batch of
 * frames; each begins with its length, two bytes, low one first.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "forward/coalesce.h"
#include "forward/ip.h"
#include "forward/reassemble.h"
#include "forward/split.h"

#define FRAMES_MAX 256
#define TIMEOUT_NS 1000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every byte of it has to be there. */
static void read_all(void *arg, const struct iovec *parts, int n)
{
	uint64_t *sum = arg;

	for (int i = 0; i < n; i++)
		*sum += ip_sum(parts[i].iov_base, parts[i].iov_len, 0);
}

/* The datagrams of a packet have all of its data. */
static void split(const struct ip_packet *p)
{
	struct splitter splitter;
	struct ip_packet one;
	uint32_t sum = 0;

	if (splitter_init(&splitter))
		abort();
	for (uint32_t at = 0; split_next(&splitter, p, &at, &one); splitter_reset(&splitter))
		sum += one.len - one.l4_off - UDP_HEADER_LEN;
	if (p->len > p->l4_off + UDP_HEADER_LEN && sum != p->len - p->l4_off - UDP_HEADER_LEN)
		abort();
	free(splitter.buffer);
}

static void packet_input(struct coalescer *coalescer, const struct ip_packet *p)
{
	uint8_t reset[IP_HEADER_MAX + TCP_RESET_LEN], error[ICMP_ERROR_MAX];
	struct tcphdr tcp;

	icmp_error_build(error, &p->ends, 3, 0, 0, p->data, p->len);
	if (p->l4_proto == IPPROTO_UDP && p->segment_len)
		split(p);
	if (p->l4_proto != IPPROTO_TCP || tcp_parse(p, &tcp))
		return;
	if (p->l4_off + tcp.th_off * 4u > p->len)
		abort();
	tcp_reset_build(reset, p);
	coalesce_add(coalescer, p);
}

static void frame_input(struct coalescer *coalescer, struct reassembly *reassembly, uint8_t *frame,
			size_t len, uint64_t now_ns)
{
	struct ip_packet p, whole;

	if (ip_parse(frame, len, &p))
		return;
	/* what a virtio header says of a packet goes with it */
	p.segment_len = p.ttl * 8;
	if (p.len > len || p.l4_off > p.len)
		abort();
	if (!p.is_fragment) {
		packet_input(coalescer, &p);
	} else if (reassembly_add(reassembly, &p, now_ns, TIMEOUT_NS, &whole)) {
		packet_input(coalescer, &whole);
		coalesce_flush(coalescer);
	}
}

/**
 * LLVMFuzzerTestOneInput() - Read the frames that libFuzzer has made
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct coalescer coalescer;
	struct reassembly *reassembly = reassembly_new();
	uint8_t *frames[FRAMES_MAX];
	uint64_t sum = 0;
	size_t n = 0;

	if (!reassembly)
		abort();
	coalesce_init(&coalescer, read_all, &sum);
	while (size > 2 && n < FRAMES_MAX) {
		size_t len = data[0] | data[1] << 8;

		data += 2;
		size -= 2;
		if (!len || len > size)
			len = size;
		frames[n] = malloc(len); /* of its own, so that sanitizers see its end */
		if (!frames[n])
			abort();
		memcpy(frames[n], data, len);
		frame_input(&coalescer, reassembly, frames[n], len, n * TIMEOUT_NS / 64);
		data += len;
		size -= len;
		n++;
	}
	coalesce_flush(&coalescer);
	while (n)
		free(frames[--n]);
	reassembly_free(reassembly);
	return 0;
}
