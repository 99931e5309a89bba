/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Puts consecutive TCP segments together, as GRO does, so that the private network namespace sees
 * few large packets instead of many small ones.  Packets that hold several segments already are
 * taken as they are.
 *
 * Packets stay where they are and are written as one by reference, so they must live until
 * coalesce_flush().  Their checksums must have been verified: each packet goes on with the sum of
 * its pseudo header, to be finished by the receiver, which is all that packets of local senders come
 * with.  Packets of one connection keep their order.
 */
#ifndef SHRIKE_FORWARD_COALESCE_H
#define SHRIKE_FORWARD_COALESCE_H

#include <linux/virtio_net.h>
#include <sys/uio.h>

#include "forward/ip.h"

#define COALESCE_RUNS	  64 /* connections at a time */
#define COALESCE_SEGMENTS 60

/* Takes one packet: its virtio header, then its bytes. */
typedef void (*coalesce_write)(void *arg, const struct iovec *parts, int n);

/* Consecutive segments of one connection. */
struct coalesce_run {
	struct ip_packet first;
	uint32_t next_seq;
	uint32_t header_len; /* IP and TCP */
	uint32_t mss;
	uint32_t len; /* of the packet that it will be */
	int n;
	bool closed; /* takes no more */
	struct iovec parts[COALESCE_SEGMENTS + 1];
};

struct coalescer {
	coalesce_write write;
	void *arg;
	int n;
	struct coalesce_run runs[COALESCE_RUNS];
};

void coalesce_init(struct coalescer *c, coalesce_write write, void *arg);
bool coalesce_add(struct coalescer *c, const struct ip_packet *packet);
void coalesce_flush(struct coalescer *c);

#endif /* SHRIKE_FORWARD_COALESCE_H */
