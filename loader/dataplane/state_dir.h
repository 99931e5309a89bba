/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where state of an interface is that outlives the machine: /var/lib/shrike/[netns-INODE/]IFACE.
 */
#ifndef SHRIKE_DATAPLANE_STATE_DIR_H
#define SHRIKE_DATAPLANE_STATE_DIR_H

#include <limits.h>

#include "base/error.h"

int state_dir_path(const char *ifname, const char *name, char path[PATH_MAX], struct error *error);
int state_dir_find(const char *ifname, const char *name, char path[PATH_MAX], struct error *error);
int state_dir_claim(struct error *error);
int state_dir_make(char *dir, struct error *error);

#endif /* SHRIKE_DATAPLANE_STATE_DIR_H */
