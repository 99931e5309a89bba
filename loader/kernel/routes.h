/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where the routes of the caller's network namespace lead, asked from the kernel by rtnetlink.
 */
#ifndef SHRIKE_KERNEL_ROUTES_H
#define SHRIKE_KERNEL_ROUTES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/*
 * struct routed_device - a device that unicast routes lead to
 * @is_default: among them one for all addresses, or for the halves of them by which some VPNs do the
 * same
 */
struct routed_device {
	int ifindex;
	bool is_default;
};

int routes_read_devices(struct routed_device **list, size_t *count, struct error *error);

#endif /* SHRIKE_KERNEL_ROUTES_H */
