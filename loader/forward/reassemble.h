/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Puts the fragments of datagrams together again (RFC 791, RFC 8200, RFC 5722).
 *
 * Bounded in datagrams and bytes; one too many displaces the oldest.  Fragments that overlap lose
 * their whole datagram.
 */
#ifndef SHRIKE_FORWARD_REASSEMBLE_H
#define SHRIKE_FORWARD_REASSEMBLE_H

#include "forward/ip.h"

#define REASSEMBLE_DATAGRAMS 256
#define REASSEMBLE_BYTES     (4 << 20)

struct reassembly;

struct reassembly *reassembly_new(void);
void reassembly_free(struct reassembly *r);
bool reassembly_add(struct reassembly *r, const struct ip_packet *fragment, uint64_t now_ns,
		    uint64_t timeout_ns, struct ip_packet *whole);

#endif /* SHRIKE_FORWARD_REASSEMBLE_H */
