/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What names a flow, and the key that the connection tables have it under (see flow.h).
 */
#ifndef SHRIKE_FLOW_KEY_H
#define SHRIKE_FLOW_KEY_H

#include "flow.h"

/*
 * struct tuple - what names a flow: of a packet, or of the packet that an ICMP error quotes
 */
struct tuple {
	union addr saddr;
	union addr daddr;
	__be16 sport; /* ICMP echo: the identifier */
	__be16 dport; /* ICMP echo: not looked at */
	__u8 ip_version;
	__u8 l4_proto;
	__u8 is_echo_reply; /* ICMP: sent by the end that did not open the flow */
	__u8 pad;
};

/* The key comes first, so that this is a key of either kind of table. */
struct flow_key {
	union {
		struct flow_key4 v4;
		struct flow_key6 v6;
	};
	__u8 ip_version;
	__u8 l4_proto;
	__u8 source; /* the end, 0 or 1, that sent the packet */
};

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define FLOW_KEY_SWAP(bits, value) __builtin_bswap##bits(value)
#else
#define FLOW_KEY_SWAP(bits, value) (value)
#endif

/* The end of the key that the sender is: 1 if it comes after the receiver. */
static inline __attribute__((always_inline)) __u8 flow_key_source(const struct tuple *t,
								  _Bool has_ports)
{
	__u64 s, d;

	s = FLOW_KEY_SWAP(64, t->saddr.half[0]);
	d = FLOW_KEY_SWAP(64, t->daddr.half[0]);
	if (s != d)
		return s > d;
	s = FLOW_KEY_SWAP(64, t->saddr.half[1]);
	d = FLOW_KEY_SWAP(64, t->daddr.half[1]);
	if (s != d)
		return s > d;
	return has_ports && FLOW_KEY_SWAP(16, t->sport) > FLOW_KEY_SWAP(16, t->dport);
}

/*
 * Two fields of a key, in their order in memory.  The hash reads keys word by word, and a word that
 * was written in parts would have to wait until these have reached the cache.
 */
static inline __attribute__((always_inline)) __u32 flow_key_word(__u16 first, __u16 second)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return first | (__u32)second << 16;
#else
	return (__u32)first << 16 | second;
#endif
}

/**
 * flow_key_of() - The key of a packet's flow, and which of its ends sent the packet
 * @key: is filled
 * @t: what names the flow
 */
static inline __attribute__((always_inline)) void flow_key_of(struct flow_key *key,
							      const struct tuple *t)
{
	_Bool has_ports = l4_has_ports(t->l4_proto);
	__u8 source = flow_key_source(t, has_ports);
	__be16 first = source ? t->dport : t->sport, second = source ? t->sport : t->dport;
	__u32 port, l4_proto = flow_key_word(FLOW_KEY_SWAP(16, (__u16)(t->l4_proto << 8)), 0);

	if (!has_ports) {
		_Bool is_icmp = l4_is_icmp(t->l4_proto, t->ip_version);

		first = is_icmp ? t->sport : 0;
		second = is_icmp ? FLOW_KEY_SWAP(16, t->is_echo_reply ? !source : source) : 0;
	}
	port = flow_key_word(first, second);
	__builtin_memset(key, 0, sizeof(*key)); /* padding too: global functions take the whole */
	if (t->ip_version == IP_VERSION_4) {
		key->v4.addr[0] = source ? t->daddr.word[3] : t->saddr.word[3];
		key->v4.addr[1] = source ? t->saddr.word[3] : t->daddr.word[3];
		__builtin_memcpy(key->v4.port, &port, sizeof(port));
		__builtin_memcpy(&key->v4.l4_proto, &l4_proto, sizeof(l4_proto));
	} else {
		key->v6.addr[0] = source ? t->daddr : t->saddr;
		key->v6.addr[1] = source ? t->saddr : t->daddr;
		__builtin_memcpy(key->v6.port, &port, sizeof(port));
		__builtin_memcpy(&key->v6.l4_proto, &l4_proto, sizeof(l4_proto));
	}
	key->ip_version = t->ip_version;
	key->l4_proto = t->l4_proto;
	key->source = source;
}

#endif /* SHRIKE_FLOW_KEY_H */
