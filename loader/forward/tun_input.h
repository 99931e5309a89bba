/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reads the device to which TC redirects.  Unlike AF_XDP it says how GSO packets are divided.
 *
 * It is only read: what is written into it would be a packet that arrives at this host.
 */
#ifndef SHRIKE_FORWARD_TUN_INPUT_H
#define SHRIKE_FORWARD_TUN_INPUT_H

#include "forward/state.h"

int tun_input_open(struct worker *w, struct error *error);
void tun_input_count(struct worker *w);

#endif /* SHRIKE_FORWARD_TUN_INPUT_H */
