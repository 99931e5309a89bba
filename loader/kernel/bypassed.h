/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the kernel does to packets that it routes, and what it does not see of packets that programs
 * send on.
 */
#ifndef SHRIKE_KERNEL_BYPASSED_H
#define SHRIKE_KERNEL_BYPASSED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum bypassed {
	BYPASSED_CHAINS, /* of nftables and iptables, at the hooks output, forward and postrouting */
	BYPASSED_FLOWTABLES, /* nftables */
	BYPASSED_POLICIES,   /* IPsec (xfrm), of what leaves */
};

int bypassed_list(enum bypassed what, char *names, size_t size, struct error *error);

#endif /* SHRIKE_KERNEL_BYPASSED_H */
