/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Events of descriptors, delivered to what they belong to.
 */
#ifndef SHRIKE_FORWARD_WATCH_H
#define SHRIKE_FORWARD_WATCH_H

#include "forward/state.h"

int watch_add(struct worker *w, int fd, struct watch *watch, uint32_t events);

#endif /* SHRIKE_FORWARD_WATCH_H */
