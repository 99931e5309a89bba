/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Puts the fragments of datagrams together again (RFC 791, RFC 8200, RFC 5722).
 *
 * Each source may have a number of datagrams here, and all together a number of bytes.  One too many of
 * a source displaces its oldest; a byte too many the oldest of the source that takes up most, so that a
 * flood is at the cost of whoever sends it.  Fragments that overlap lose their whole datagram.
 */
#ifndef SHRIKE_FORWARD_REASSEMBLE_H
#define SHRIKE_FORWARD_REASSEMBLE_H

#include "forward/ip.h"

#define REASSEMBLE_DATAGRAMS 256 /* of one source */
#define REASSEMBLE_BYTES     (4 << 20)

/* Fragments by what becomes of them; the last one of a datagram is what has become whole. */
struct reassembly_counts {
	uint32_t waiting;
	uint64_t joined; /* others of datagrams that have become whole */
	uint64_t lost;
};

struct reassembly;

struct reassembly *reassembly_new(void);
void reassembly_free(struct reassembly *r);
bool reassembly_add(struct reassembly *r, const struct ip_packet *fragment, uint64_t now_ns,
		    uint64_t timeout_ns, struct ip_packet *whole);
struct reassembly_counts reassembly_count(struct reassembly *r);

#endif /* SHRIKE_FORWARD_REASSEMBLE_H */
