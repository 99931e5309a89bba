/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The answers that NetBird's DNS forwarder on this host sends to peers, seen as they leave.
 *
 * The socket is opened with rights, and bound to what is to be seen; it is read without any.
 */
#ifndef SHRIKE_NETBIRD_DNS_TAP_H
#define SHRIKE_NETBIRD_DNS_TAP_H

#include <linux/types.h>
#include <stdint.h>

#include "base/address.h"
#include "base/error.h"
#include "netbird/domain_sets.h"

struct domain_index;
struct dns_memory;

/* An address that belongs to a set; of one size, to be passed between processes. */
struct dns_sighting {
	char set[DOMAIN_SET_NAME_SIZE];
	struct prefix prefix;
	int32_t ttl_s; /* how long the answer may be kept, or since when it may be no more: negative */
};

/*
 * struct dns_reader - what is done with answers
 * @index: the domains that matter
 * @memory: what was answered lately
 * @on_sighting: called for each address of a name in one of the domains
 * @arg: for @on_sighting
 */
struct dns_reader {
	const struct domain_index *index;
	struct dns_memory *memory;
	void (*on_sighting)(void *arg, const struct dns_sighting *sighting);
	void *arg;
};

int dns_tap_open(int ifindex, __be32 own, int *fd, struct error *error);
int dns_tap_read(int fd, const struct dns_reader *reader);
void dns_tap_recall(const struct dns_reader *reader);

#endif /* SHRIKE_NETBIRD_DNS_TAP_H */
