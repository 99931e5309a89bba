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

struct domain_index;

#define NETBIRD_DNS_PORT     22054
#define NETBIRD_DNS_PORT_OLD 5353 /* which older clients ask, and which is translated */

/* An address that belongs to a set; of one size, to be passed between processes. */
struct dns_sighting {
	char set[64];
	struct prefix prefix;
	uint32_t ttl_s;
};

typedef void (*dns_sighting_fn)(void *arg, const struct dns_sighting *sighting);

int dns_tap_open(int ifindex, __be32 own, int *fd, struct error *error);
int dns_tap_read(int fd, const struct domain_index *index, dns_sighting_fn on_sighting, void *arg);

#endif /* SHRIKE_NETBIRD_DNS_TAP_H */
