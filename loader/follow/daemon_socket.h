/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Connecting to a service of root's on a Unix socket.
 */
#ifndef SHRIKE_FOLLOW_DAEMON_SOCKET_H
#define SHRIKE_FOLLOW_DAEMON_SOCKET_H

#include "base/error.h"

int daemon_check_path(const char *path, struct error *error);
int daemon_connect(const char *path, int *fd, struct error *error);

#endif /* SHRIKE_FOLLOW_DAEMON_SOCKET_H */
