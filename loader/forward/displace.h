/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who makes room where all that peers share is taken.
 */
#ifndef SHRIKE_FORWARD_DISPLACE_H
#define SHRIKE_FORWARD_DISPLACE_H

#include "forward/state.h"

bool displace_for(struct worker *w, const struct peer *asker, enum shared what);

#endif /* SHRIKE_FORWARD_DISPLACE_H */
