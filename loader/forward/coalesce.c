/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "forward/coalesce.h"

#include <arpa/inet.h>
#include <string.h>

#define PACKET_MAX 65500 /* of the packet put together, bytes */

/* The fields that may differ within a run are left out of comparisons. */
static const struct tcphdr *tcp_of(const struct ip_packet *p)
{
	return (const struct tcphdr *)(p->data + p->l4_off);
}

/**
 * coalesce_init() - An empty coalescer
 * @write: takes the packets
 */
void coalesce_init(struct coalescer *c, coalesce_write write, void *arg)
{
	c->write = write;
	c->arg = arg;
	c->n = 0;
}

static void run_flush(struct coalescer *c, struct coalesce_run *run)
{
	struct ip_packet *p = &run->first;
	bool is4 = p->ends.version == IP_VERSION_4;
	struct virtio_net_hdr header = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.csum_start = p->l4_off,
		.csum_offset = offsetof(struct tcphdr, th_sum),
	};
	uint16_t sum;

	if (!run->n)
		return;
	if (run->len > run->header_len + run->mss) {
		header.gso_type = is4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
		header.gso_size = run->mss;
		header.hdr_len = run->header_len;
		ip_length_set(p->data, p->ends.version, p->l4_off, run->len);
	}
	sum = ip_fold(ip_pseudo_sum(&p->ends, IPPROTO_TCP, run->len - p->l4_off));
	memcpy(p->data + p->l4_off + offsetof(struct tcphdr, th_sum), &sum, 2);
	run->parts[0] = (struct iovec){&header, sizeof(header)};
	c->write(c->arg, run->parts, run->n + 1);
	run->n = 0;
}

/**
 * coalesce_flush() - Write everything that waits
 */
void coalesce_flush(struct coalescer *c)
{
	for (int i = 0; i < c->n; i++)
		run_flush(c, &c->runs[i]);
	c->n = 0;
}

static bool same_connection(const struct ip_packet *a, const struct ip_packet *b)
{
	return a->ends.version == b->ends.version &&
	       !memcmp(a->data + a->l4_off, b->data + b->l4_off, 4) &&
	       !memcmp(&a->ends.saddr, &b->ends.saddr, 16) &&
	       !memcmp(&a->ends.daddr, &b->ends.daddr, 16);
}

/* Everything of the headers that one packet can have only once. */
static bool same_headers(const struct ip_packet *a, const struct ip_packet *b, uint32_t header_len)
{
	const struct tcphdr *x = tcp_of(a), *y = tcp_of(b);

	if (a->ttl != b->ttl || a->dont_fragment != b->dont_fragment)
		return false;
	if (a->ends.version == IP_VERSION_4 ? a->data[1] != b->data[1]
					    : memcmp(a->data, b->data, 4) != 0)
		return false;
	return x->th_ack == y->th_ack && x->th_win == y->th_win &&
	       !memcmp(x + 1, y + 1, header_len - a->l4_off - sizeof(*x));
}

/* Data of each segment of a packet but the last. */
static uint32_t segment_of(const struct ip_packet *p, uint32_t payload_len)
{
	return p->segment_len && p->segment_len < payload_len ? p->segment_len : payload_len;
}

/* Only the last segment of a packet may be a small one. */
static bool fits_segments(const struct coalesce_run *run, const struct ip_packet *p,
			  uint32_t payload_len)
{
	uint32_t segment = segment_of(p, payload_len);

	return segment < payload_len ? segment == run->mss : segment <= run->mss;
}

static bool run_takes(const struct coalesce_run *run, const struct ip_packet *p, uint32_t seq,
		      uint32_t header_len, uint32_t payload_len)
{
	return run->n && !run->closed && run->next_seq == seq &&
	       fits_segments(run, p, payload_len) && run->header_len == header_len &&
	       run->first.l4_off == p->l4_off && run->n < COALESCE_SEGMENTS &&
	       run->len + payload_len <= PACKET_MAX && same_headers(&run->first, p, header_len);
}

static struct coalesce_run *run_of(struct coalescer *c, const struct ip_packet *p)
{
	for (int i = 0; i < c->n; i++)
		if (c->runs[i].n && same_connection(&c->runs[i].first, p))
			return &c->runs[i];
	return NULL;
}

static struct coalesce_run *free_run(struct coalescer *c)
{
	for (int i = 0; i < c->n; i++)
		if (!c->runs[i].n)
			return &c->runs[i];
	if (c->n == COALESCE_RUNS)
		coalesce_flush(c);
	return &c->runs[c->n++];
}

static void run_begin(struct coalesce_run *run, const struct ip_packet *p, uint32_t seq,
		      uint32_t header_len, bool closed)
{
	uint32_t payload_len = p->len - header_len;

	run->first = *p;
	run->header_len = header_len;
	run->mss = segment_of(p, payload_len);
	run->next_seq = seq + payload_len;
	run->len = p->len;
	run->n = 1;
	run->closed = closed || payload_len % run->mss;
	run->parts[1] = (struct iovec){p->data, p->len};
}

/**
 * coalesce_add() - Add a TCP packet
 * @packet: not a fragment; tcp_parse() accepted it
 *
 * Return: whether a run begins with it, of which the others will have the same IP header.
 */
bool coalesce_add(struct coalescer *c, const struct ip_packet *packet)
{
	const struct tcphdr *tcp = tcp_of(packet);
	uint32_t header_len = packet->l4_off + tcp->th_off * 4, seq = ntohl(tcp->th_seq);
	struct coalesce_run *run = run_of(c, packet);
	uint32_t payload_len = packet->len - header_len;
	/* plain data: only ACK, perhaps PSH */
	bool is_plain = (tcp->th_flags & ~TH_PUSH) == TH_ACK && payload_len;

	if (run && is_plain && run_takes(run, packet, seq, header_len, payload_len)) {
		struct tcphdr *first = (struct tcphdr *)(run->first.data + run->first.l4_off);

		run->n++;
		run->parts[run->n] = (struct iovec){packet->data + header_len, payload_len};
		run->len += payload_len;
		run->next_seq += payload_len;
		first->th_flags |= tcp->th_flags & TH_PUSH;
		run->closed = payload_len % run->mss || (tcp->th_flags & TH_PUSH);
		return false;
	}
	if (run)
		run_flush(c, run);
	run = free_run(c);
	run_begin(run, packet, seq, header_len, !is_plain || (tcp->th_flags & TH_PUSH));
	if (!is_plain)
		run_flush(c, run);
	return true;
}
