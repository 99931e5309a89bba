/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which version NetBird's daemon is of.
 */
#ifndef SHRIKE_FOLLOW_VERSION_H
#define SHRIKE_FOLLOW_VERSION_H

#include "follow/messages.h"

int daemon_version(const char *socket, char version[DAEMON_NAME_MAX], struct error *error);

#endif /* SHRIKE_FOLLOW_VERSION_H */
