/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Leaves over options: those of IPv4 (RFC 791, section 3.1) and TCP (RFC 9293, section 3.1) have
 * the same form.
 */
#ifndef SHRIKE_OPTIONS_H
#define SHRIKE_OPTIONS_H

#include "packet.h"

#define OPTION_EOL  0
#define OPTION_NOP  1
#define OPTIONS_MAX 40 /* bytes, in either header */

#define IPOPT_LSRR 131 /* loose source and record route */
#define IPOPT_SSRR 137 /* strict */

#define TCPOPT_MSS     2
#define TCPOLEN_MSS    4
#define TCPOPT_WINDOW  3
#define TCPOLEN_WINDOW 3

struct options {
	__u8 bytes[64]; /* a power of two, so that a mask bounds every index */
	__u32 len;
	__u32 off;
	__u32 value_off; /* of the option that is looked for, 0: not found */
	__u8 kind[2];	 /* either is looked for */
	__u8 option_len; /* that it must have, 0: any */
};

/* bpf_loop() takes pointers into the stack alone, where a pointer may lie */
struct options_walk {
	struct options *options;
};

static long option_next(__u32 i, struct options_walk *walk)
{
	struct options *options = walk->options;
	__u32 off = options->off & 63;
	__u8 kind = options->bytes[off], len = options->bytes[(off + 1) & 63];

	if (options->off >= options->len || kind == OPTION_EOL)
		return 1;
	if (kind == OPTION_NOP) {
		options->off++;
		return 0;
	}
	if (len < 2 || options->off + len > options->len)
		return 1;
	if ((kind == options->kind[0] || kind == options->kind[1]) &&
	    (!options->option_len || len == options->option_len)) {
		options->value_off = off + 2;
		return 1;
	}
	options->off += len;
	return 0;
}

/**
 * options_walk() - Leaf over options until the one that is looked for
 * @options: what is looked for, and where; its @value_off becomes where it was found
 *
 * Global, so that the verifier walks it once, and not for each way of a packet that leads here; weak, as
 * each object that includes this has it.
 *
 * Return: 0; nothing where @options is NULL, which nobody passes.
 */
__weak __noinline int options_walk(struct options *options)
{
	struct options_walk walk = {options};

	if (options)
		bpf_loop(OPTIONS_MAX, option_next, &walk, 0);
	return 0;
}

/* Bytes of the frame before its IP header: an uplink may have another link than the protected interface. */
static __always_inline __u32 option_link_len(const struct frame *f, bool tc)
{
	struct __sk_buff *skb = f->ctx;
	__u64 len;

	if (!tc)
		return config.l2_len;
	len = f->data - (void *)(long)skb->data;
	asm volatile("" : "+r"(len)); /* or clang subtracts halves: "32-bit pointer arithmetic" */
	return len;
}

/**
 * option_find() - Find an option
 * @f: the packet
 * @off: of the first option, bytes from the IP header
 * @len: of all options, bytes
 * @options: what is looked for; becomes the options
 * @tc: in a TC program
 *
 * Return: offset of the option's value in @options->bytes, 0 where there is no such option.
 */
static __always_inline __u32 option_find(const struct frame *f, __u32 off, __u32 len,
					 struct options *options, bool tc)
{
	long err;

	/*
	 * Linux 6.1 keeps a range per register, which a comparison with zero does not narrow
	 * ("invalid zero-sized read"): check the length less one, and keep clang from undoing it.
	 */
	len--;
	asm volatile("" : "+r"(len));
	if (len >= OPTIONS_MAX)
		return 0;
	len++;
	off += option_link_len(f, tc);
	err = tc ? bpf_skb_load_bytes(f->ctx, off, options->bytes, len)
		 : bpf_xdp_load_bytes(f->ctx, off, options->bytes, len);
	if (err)
		return 0;
	options->len = len;
	options_walk(options);
	return options->value_off & 63;
}

#endif /* SHRIKE_OPTIONS_H */
