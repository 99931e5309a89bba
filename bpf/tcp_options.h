/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Leaves over TCP options (RFC 9293, section 3.1): find one of a SYN.
 */
#ifndef SHRIKE_TCP_OPTIONS_H
#define SHRIKE_TCP_OPTIONS_H

#include "packet.h"

#define TCPOPT_EOL	0
#define TCPOPT_NOP	1
#define TCPOPT_MSS	2
#define TCPOLEN_MSS	4
#define TCPOPT_WINDOW	3
#define TCPOLEN_WINDOW	3
#define TCP_OPTIONS_MAX 40 /* bytes */

struct tcp_options {
	__u8 bytes[64]; /* a power of two, so that a mask bounds every index */
	__u32 len;
	__u32 off;
	__u32 value_off; /* of the option that is looked for, 0: not found */
	__u8 kind;
	__u8 option_len;
};

static long tcp_option_next(__u32 i, struct tcp_options *options)
{
	__u32 off = options->off & 63;
	__u8 kind = options->bytes[off], len = options->bytes[(off + 1) & 63];

	if (options->off >= options->len || kind == TCPOPT_EOL)
		return 1;
	if (kind == TCPOPT_NOP) {
		options->off++;
		return 0;
	}
	if (len < 2 || options->off + len > options->len)
		return 1;
	if (kind == options->kind && len == options->option_len) {
		options->value_off = off + 2;
		return 1;
	}
	options->off += len;
	return 0;
}

/**
 * tcp_option_find() - Find an option
 * @f: the packet
 * @off: of the TCP header, bytes
 * @options: its kind, option_len and len (of all options) are set; becomes the options' bytes
 *
 * Options that are not in the linear part are taken for none.
 *
 * Return: offset of the option's value in @options->bytes, 0 where there is no such option.
 */
static __always_inline __u32 tcp_option_find(const struct frame *f, __u32 off,
					     struct tcp_options *options)
{
	__u32 *to = (__u32 *)options->bytes, word;
	const __u32 *from = f->data + off + sizeof(struct tcphdr);

	for (word = 0; word < TCP_OPTIONS_MAX / sizeof(*to); word++) {
		if ((void *)(from + word + 1) > f->data_end || word * sizeof(*to) >= options->len)
			break;
		to[word] = from[word];
	}
	bpf_loop(TCP_OPTIONS_MAX, tcp_option_next, options, 0);
	return options->value_off & 63;
}

#endif /* SHRIKE_TCP_OPTIONS_H */
