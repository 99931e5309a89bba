/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Frames that the dataplane has allowed, to the parts that carry their protocols.
 */
#ifndef SHRIKE_FORWARD_INPUT_H
#define SHRIKE_FORWARD_INPUT_H

#include "forward/state.h"

void frame_input(struct worker *w, uint8_t *frame, size_t len, const struct virtio_net_hdr *header);
void frame_input_end(struct worker *w);

#endif /* SHRIKE_FORWARD_INPUT_H */
