/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which datagram a fragment is of.
 */
#ifndef SHRIKE_FRAGMENT_KEY_H
#define SHRIKE_FRAGMENT_KEY_H

#include "fragment.h"
#include "packet.h"

/**
 * fragment_key_set() - The key of a fragment's datagram, addresses as on the wire
 * @key: is filled
 * @p: the fragment
 */
static __always_inline void fragment_key_set(struct fragment_key *key, const struct packet *p)
{
	__builtin_memset(key, 0, sizeof(*key));
	key->saddr = p->direction == DIR_INGRESS ? p->wire_addr : p->saddr;
	key->daddr = p->direction == DIR_INGRESS ? p->daddr : p->wire_addr;
	key->id = p->frag_id;
	key->l4_proto = p->l4_proto;
	key->ip_version = p->ip_version;
	key->by_uplink = p->direction == DIR_UPLINK;
}

#endif /* SHRIKE_FRAGMENT_KEY_H */
