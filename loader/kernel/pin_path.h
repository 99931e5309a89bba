/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where the objects of an interface are pinned.
 *
 * In the initial network namespace /sys/fs/bpf/shrike/IFACE, in others
 * /sys/fs/bpf/shrike/netns-INODE/IFACE, so that equal names never meet.  In IFACE "%2e" stands for a
 * dot, which bpffs keeps for itself, and "%25" for '%'.  SHRIKE_BPFFS in the
 * environment names another bpffs instead of /sys/fs/bpf (tests use it to run side by side); it
 * must be mounted already.
 */
#ifndef SHRIKE_KERNEL_PIN_PATH_H
#define SHRIKE_KERNEL_PIN_PATH_H

#include <limits.h>
#include <stdbool.h>

#include "base/error.h"

#define PATH_NAME_MAX	  64 /* bytes of an interface's name in a path, with its NUL */
#define PATH_NETNS_PREFIX "netns-"

void path_escape_name(const char *ifname, char component[PATH_NAME_MAX]);
void path_unescape_name(const char *component, char ifname[PATH_NAME_MAX]);
int path_check_name(const char *ifname, struct error *error);
int path_pin_root(char path[PATH_MAX], struct error *error);
int path_pin_parent(char path[PATH_MAX], struct error *error);
int path_pin_dir(const char *ifname, char path[PATH_MAX], struct error *error);
int path_check_bpffs(struct error *error);
bool path_is_fleeting(void);
int path_create(const char *ifname, bool lasting, char path[PATH_MAX], struct error *error);
int path_remove(const char *ifname, struct error *error);

#endif /* SHRIKE_KERNEL_PIN_PATH_H */
