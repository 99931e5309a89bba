/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The device in the interface's namespace to which TC redirects what the dataplane has allowed: a TUN,
 * or behind Ethernet a TAP, as answers go to the address that the peer's frame came from.
 *
 * It is all descriptors, so that whoever has the rights may open it and another process read it.  It
 * ends with the last descriptor of the device itself.
 */
#ifndef SHRIKE_FORWARD_INPUT_DEVICE_H
#define SHRIKE_FORWARD_INPUT_DEVICE_H

#include <stdint.h>

#include "base/error.h"

struct input_device {
	int fd;
	int guards[2]; /* BPF links of its programs; -1 with clsact, which the device takes along */
	int ifindex;
};

int input_device_open(const char *ifname, uint8_t l2_len, int tun_map_fd,
		      struct input_device *device, struct error *error);
int input_device_enter(int tun_map_fd, const struct input_device *device,
		       uint32_t protected_ifindex, struct error *error);
void input_device_close(struct input_device *device);

#endif /* SHRIKE_FORWARD_INPUT_DEVICE_H */
