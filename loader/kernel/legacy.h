/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Chains of iptables in its legacy form, which nftables' netlink does not show.
 */
#ifndef SHRIKE_KERNEL_LEGACY_H
#define SHRIKE_KERNEL_LEGACY_H

typedef void (*legacy_fn)(void *arg, const char *name);

void legacy_chains(legacy_fn on_chain, void *arg);

#endif /* SHRIKE_KERNEL_LEGACY_H */
