/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SHRIKE_FORWARD_TUN_DEVICE_H
#define SHRIKE_FORWARD_TUN_DEVICE_H

#include <stdbool.h>

#include "base/error.h"

#define TUN_NAME_SIZE 16

int tun_device_open(char name[TUN_NAME_SIZE], bool tap, bool datagrams, int *fd,
		    struct error *error);

#endif /* SHRIKE_FORWARD_TUN_DEVICE_H */
