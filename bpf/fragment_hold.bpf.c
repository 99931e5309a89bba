/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * With routing by NAT: fragments that have come before the first one of their datagram (RFC 4787,
 * REQ-14), which alone says where they belong.
 *
 * A copy of each waits in memory of the programs' own; the first fragment has those of its datagram
 * come in once more, where it has come in itself.  The ring keeps the newest: a flood of such
 * fragments leaves others as they were without it.  Who reads or writes a frame claims it before, and
 * does without where another CPU has, so that no packet gets bytes of another one.
 */
#include "fragment_key.h"
#include "tc.h"

#define BPF_F_RECOMPUTE_CSUM 1 /* of linux/bpf.h */
#define BPF_F_INGRESS	     1

#define HELD_BYTES 2048 /* of a frame; larger ones are not held */
#define HELD_NS	   NS_PER_S

struct held_fragment {
	struct fragment_key key;
	__u64 held_ns;
	__u32 len;     /* of the frame, 0: there is none */
	__u32 claimed; /* a CPU is at it */
	__u8 frame[HELD_BYTES];
};

static struct {
	__u64 newest_ns; /* when a fragment was held last, 0: never */
	__u32 next;	 /* modulo config.held_max */
	struct held_fragment list[HELD_MAX];
	struct held_fragment first; /* a first fragment, while others are in its packet */
} held;

static __always_inline bool claim(struct held_fragment *entry)
{
	return !__sync_lock_test_and_set(&entry->claimed, 1);
}

static __always_inline void give_back(struct held_fragment *entry)
{
	__sync_lock_test_and_set(&entry->claimed, 0);
}

/*
 * Copy a frame into an entry, or out of it.  Linux 6.1 and 6.12 keep the bounds of a length only where it is
 * compared less one, as zero is refused, and right before the call.
 */
static __always_inline bool copy_frame(struct __sk_buff *skb, struct held_fragment *entry,
				       __u32 len, bool is_out)
{
	len--;
	asm volatile("" : "+r"(len));
	if (len >= HELD_BYTES)
		return false;
	len++;
	return is_out ? !bpf_skb_store_bytes(skb, 0, entry->frame, len, BPF_F_RECOMPUTE_CSUM)
		      : !bpf_skb_load_bytes(skb, 0, entry->frame, len);
}

/* The entry with an index, which may come from anywhere. */
static __always_inline struct held_fragment *entry_at(__u32 at)
{
	asm volatile("" : "+r"(at));
	at &= HELD_MAX - 1;
	return &held.list[at];
}

/**
 * fragment_hold() - Keep a fragment that has come before its first one
 * @skb, @p: packet that is FRAGMENT_LATER, as it came in
 *
 * Return: 0.
 */
int fragment_hold(struct __sk_buff *skb, struct packet *p)
{
	struct held_fragment *entry;

	if (!skb || !p || config.dry_run || config.virtual_clock || !config.held_max)
		return 0;
	entry = entry_at(__sync_fetch_and_add(&held.next, 1) % config.held_max);
	if (!claim(entry))
		return 0;
	entry->len = 0;
	if (copy_frame(skb, entry, skb->len, false)) {
		fragment_key_set(&entry->key, p);
		entry->held_ns = held.newest_ns = p->now_ns;
		entry->len = skb->len;
	}
	give_back(entry);
	return 0;
}

static __always_inline bool is_of_datagram(const struct held_fragment *entry,
					   const struct fragment_key *key, __u64 now_ns)
{
	return entry->len && (__s64)(now_ns - entry->held_ns) < (__s64)HELD_NS &&
	       addr_equal(&entry->key.saddr, &key->saddr) &&
	       addr_equal(&entry->key.daddr, &key->daddr) && entry->key.id == key->id &&
	       entry->key.l4_proto == key->l4_proto && entry->key.ip_version == key->ip_version &&
	       entry->key.by_uplink == key->by_uplink;
}

/* Make a packet another frame. */
static __always_inline bool put_frame(struct __sk_buff *skb, struct held_fragment *entry, __u32 len)
{
	return !bpf_skb_change_tail(skb, len, 0) && copy_frame(skb, entry, len, true);
}

struct release {
	struct __sk_buff *skb;
	struct fragment_key key;
	__u64 now_ns;
	__u32 len;   /* of the first fragment */
	bool is_out; /* which is not in the packet meanwhile */
};

/* Send a copy of an entry that is of the datagram; false: the packet cannot become one. */
static __always_inline bool send_copy(struct release *release, struct held_fragment *entry)
{
	struct __sk_buff *skb = release->skb;
	__u32 len = entry->len;

	if (!is_of_datagram(entry, &release->key, release->now_ns))
		return true;
	if (!release->is_out && !copy_frame(skb, &held.first, release->len, false))
		return false;
	release->is_out = true;
	entry->len = 0;
	if (!put_frame(skb, entry, len))
		return false;
	bpf_clone_redirect(skb, skb->ifindex, BPF_F_INGRESS);
	return true;
}

static long release_entry(__u32 i, struct release *release)
{
	struct held_fragment *entry = entry_at(i);
	bool goes_on;

	if (!claim(entry))
		return 0;
	goes_on = send_copy(release, entry);
	give_back(entry);
	return !goes_on;
}

/**
 * fragment_release() - Have the fragments come in again that have come before their first one
 * @skb, @p: packet that is FRAGMENT_FIRST, as it came in; is the same afterwards
 *
 * They are queued behind it, and find what fragment_record() has noted.
 *
 * Return: 0; -1: the packet is lost.
 */
int fragment_release(struct __sk_buff *skb, struct packet *p)
{
	struct release release = {.skb = skb};
	bool is_whole = true;

	if (!skb || !p || config.dry_run || config.virtual_clock || !held.newest_ns ||
	    (__s64)(p->now_ns - held.newest_ns) > (__s64)HELD_NS || !claim(&held.first))
		return 0;
	release.len = skb->len;
	release.now_ns = p->now_ns;
	fragment_key_set(&release.key, p);
	bpf_loop(HELD_MAX, release_entry, &release, 0);
	if (release.is_out)
		is_whole = put_frame(skb, &held.first, release.len);
	give_back(&held.first);
	return is_whole ? 0 : -1;
}
