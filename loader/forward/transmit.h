/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Out of the interface.
 */
#ifndef SHRIKE_FORWARD_TRANSMIT_H
#define SHRIKE_FORWARD_TRANSMIT_H

#include "forward/state.h"

int transmit_open(struct worker *w, struct error *error);
bool transmit(struct worker *w, const uint8_t *mac, struct virtio_net_hdr *header,
	      const struct iovec *parts, int n, uint8_t version);
void transmit_wait(struct worker *w);
void transmit_identify(struct worker *w, uint8_t *packet, uint8_t version, size_t n);
void transmit_ip(struct worker *w, const struct peer *peer, uint8_t *packet, size_t len,
		 struct virtio_net_hdr *header);
void transmit_error(struct worker *w, const struct ip_packet *about, enum icmp_error kind,
		    uint32_t info);

#endif /* SHRIKE_FORWARD_TRANSMIT_H */
