/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where answers go that come in by an uplink, with `routing: nat`: the maps of masquerade.h.
 *
 * An entry comes with its flow and goes with it, but for the openings that the kernel displaces from
 * LRU tables: what leads to them stays until somebody sweeps, or until there is no room.
 *
 * Included by snat.bpf.c alone, which owns the maps.
 */
#ifndef SHRIKE_SNAT_IN_H
#define SHRIKE_SNAT_IN_H

#include "masquerade.h"
#include "masquerade_maps.h"
#include "packet.h"
#include "table_scan.h"

#define SCAN_ENTRIES 512	/* that are looked at in a full map */
#define SCAN_WAIT_NS 2000000ull /* between two such looks */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct flow_key4);
	__type(value, struct snat_in);
} snat_in4_v1 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct flow_key6);
	__type(value, struct snat_in);
} snat_in6_v1 SEC(".maps");

/*
 * struct snat_full - that a map is full, and the look at some of its entries that makes room
 * @scanned_ns: when that was last
 * @at: how many entries are before those that are looked at next
 * @skip: as many are to be passed over yet
 * @seen, @removed: what has been looked at, and what of that is gone
 * @is_full: an entry has found no room since
 *
 * It is here, not on the stack, as the verifier would follow each number.  Two processors that look at
 * once disturb each other, no more.
 */
static struct snat_full {
	__u64 scanned_ns;
	__u32 at;
	__u32 skip;
	__u32 seen;
	__u32 removed;
	__u32 is_full;
} snat_full[2] = {}; /* by family */

/**
 * snat_in_find() - The peer whom an answer is for, of whichever interface; NULL: it is for this host
 * @key: as in the map
 * @ip_version: of the packet
 */
__hidden struct snat_in *snat_in_find(const struct flow_key6 *key, __u8 ip_version)
{
	if (ip_version == IP_VERSION_4)
		return bpf_map_lookup_elem(&snat_in4_v1, key);
	return bpf_map_lookup_elem(&snat_in6_v1, key);
}

/**
 * snat_in_delete() - A translated flow ends: what answers it is this host's from now on
 * @key: as in the map
 * @ip_version: of the flow
 */
__hidden void snat_in_delete(const struct flow_key6 *key, __u8 ip_version)
{
	if (ip_version == IP_VERSION_4)
		bpf_map_delete_elem(&snat_in4_v1, key);
	else
		bpf_map_delete_elem(&snat_in6_v1, key);
}

/**
 * snat_in_insert() - Lead answers to a peer
 * @key: as in the map
 * @in: the peer
 * @ip_version: of the flow
 *
 * Return: whether nobody else is led to, and there is room.
 */
static __always_inline bool snat_in_insert(const struct flow_key6 *key, const struct snat_in *in,
					   __u8 ip_version)
{
	int err; /* before Linux 6.4 the upper half of the result is not the sign's */

	if (ip_version == IP_VERSION_4)
		err = bpf_map_update_elem(&snat_in4_v1, key, in, BPF_NOEXIST);
	else
		err = bpf_map_update_elem(&snat_in6_v1, key, in, BPF_NOEXIST);
	if (err == -E2BIG)
		snat_full[ip_version == IP_VERSION_6].is_full = true;
	return !err;
}

/* Whether an entry of this interface's leads to no flow; @holder has the remote end's address already. */
static __always_inline bool is_orphan(struct tuple *holder, const struct snat_in *in,
				      const __be16 *port)
{
	holder->saddr = in->peer;
	holder->sport = in->port;
	holder->dport = port[0];
	return in->owner == config.nat_owner && !conntrack_leaves_by(holder, port[1]);
}

static __always_inline bool scan_skips(struct snat_full *full)
{
	if (!full->skip)
		return false;
	full->skip--;
	return true;
}

static long snat4_scan(void *map, const struct flow_key4 *key, const struct snat_in *in, void *ctx)
{
	struct tuple holder = {.ip_version = IP_VERSION_4, .l4_proto = key->l4_proto};
	struct snat_full *full = &snat_full[0];

	if (scan_skips(full))
		return 0;
	holder.daddr.word[2] = bpf_htonl(0xffff);
	holder.daddr.word[3] = key->addr[0];
	if (is_orphan(&holder, in, key->port)) {
		bpf_map_delete_elem(map, key);
		full->removed++;
	}
	return ++full->seen >= SCAN_ENTRIES;
}

static long snat6_scan(void *map, const struct flow_key6 *key, const struct snat_in *in, void *ctx)
{
	struct tuple holder = {.ip_version = IP_VERSION_6, .l4_proto = key->l4_proto};
	struct snat_full *full = &snat_full[1];

	if (scan_skips(full))
		return 0;
	holder.daddr = key->addr[0];
	if (is_orphan(&holder, in, key->port)) {
		bpf_map_delete_elem(map, key);
		full->removed++;
	}
	return ++full->seen >= SCAN_ENTRIES;
}

/**
 * snat_in_make_room() - Remove what leads to no flow any more from a full map
 * @ip_version: whose map
 * @now_ns: CLOCK_MONOTONIC
 *
 * The kernel displaces openings without any program seeing it, and what leads to them stays.  A sweep
 * removes that, but a flood may be faster, and with `attach` nobody sweeps.
 *
 * Return: whether there is room.
 */
__noinline int snat_in_make_room(__u32 ip_version, __u64 now_ns)
{
	struct snat_full *full = &snat_full[ip_version == IP_VERSION_6];
	long seen;

	if (config.dry_run || !full->is_full || now_ns - full->scanned_ns < SCAN_WAIT_NS)
		return false;
	full->is_full = false;
	full->scanned_ns = now_ns;
	full->skip = full->at;
	full->seen = full->removed = 0;
	/* clang would merge the calls, and the helper takes only a map that is known */
	if (ip_version == IP_VERSION_4) {
		seen = bpf_for_each_map_elem(&snat_in4_v1, snat4_scan, NULL, 0);
		asm volatile("%0 = %0 // snat_in4_v1" : "+r"(seen));
	} else {
		seen = bpf_for_each_map_elem(&snat_in6_v1, snat6_scan, NULL, 0);
		asm volatile("%0 = %0 // snat_in6_v1" : "+r"(seen));
	}
	full->at = full->seen < SCAN_ENTRIES ? 0 : full->at + full->seen - full->removed;
	return full->removed > 0;
}

#endif /* SHRIKE_SNAT_IN_H */
