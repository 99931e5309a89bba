/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Frames that the dataplane has allowed, to the parts that carry their protocols.
 */
#ifndef SHRIKE_FORWARD_INPUT_H
#define SHRIKE_FORWARD_INPUT_H

#include "forward/state.h"

void frame_input(struct worker *w, uint8_t *frame, size_t len);

#endif /* SHRIKE_FORWARD_INPUT_H */
