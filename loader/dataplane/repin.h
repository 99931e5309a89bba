/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Pins that are gone: a bpffs can be unmounted, and what was pinned in it is not any more.
 */
#ifndef SHRIKE_DATAPLANE_REPIN_H
#define SHRIKE_DATAPLANE_REPIN_H

#include "base/error.h"

int repin(const char *ifname, int ifindex, struct error *error);

#endif /* SHRIKE_DATAPLANE_REPIN_H */
