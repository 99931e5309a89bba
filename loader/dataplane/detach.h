/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Taking everything off an interface.
 */
#ifndef SHRIKE_DATAPLANE_DETACH_H
#define SHRIKE_DATAPLANE_DETACH_H

#include <stdbool.h>

#include "base/error.h"

int dataplane_detach(const char *ifname, bool force, bool *found, struct error *error);
int detach_locked(const char *ifname, bool force, bool *found, struct error *error);

#endif /* SHRIKE_DATAPLANE_DETACH_H */
