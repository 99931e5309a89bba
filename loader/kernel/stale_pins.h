/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Pins of interfaces whose network namespace is gone: nobody is left in it who could remove them.
 *
 * A namespace is there while a process is in it, holds a descriptor of it, or has it mounted, and
 * while a pinned link is still attached to a device.
 */
#ifndef SHRIKE_KERNEL_STALE_PINS_H
#define SHRIKE_KERNEL_STALE_PINS_H

#include <stddef.h>

#include "base/error.h"

/* Called with the directory of a namespace that is gone and an interface that has pins there. */
typedef void (*stale_pin_fn)(const char *netns, const char *ifname, void *arg);

int stale_pins_visit(stale_pin_fn on_pin, void *arg, struct error *error);
int stale_pins_remove(stale_pin_fn on_removed, void *arg, struct error *error);

#endif /* SHRIKE_KERNEL_STALE_PINS_H */
