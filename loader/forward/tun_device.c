/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * TUN and TAP devices, whose other side is a descriptor of ours.
 */
#include "forward/tun_device.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#ifndef TUN_F_USO4 /* Linux 6.2 */
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

#define OFFLOADS (TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN)

/**
 * tun_device_open() - Make a device whose packets come with a virtio header
 * @name: for it, with %d for the lowest free number; becomes its name
 * @tap: with Ethernet headers
 * @datagrams: also GSO packets of UDP, where the kernel knows them: else it divides them before
 * @fd: becomes its other side, which does not block; the device ends with it
 * @error: why not
 *
 * Return: 0 or -errno.
 */
int tun_device_open(char name[TUN_NAME_SIZE], bool tap, bool datagrams, int *fd,
		    struct error *error)
{
	struct ifreq request = {
		.ifr_flags = (tap ? IFF_TAP : IFF_TUN) | IFF_NO_PI | IFF_VNET_HDR,
	};
	int new = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	unsigned int more = datagrams ? TUN_F_USO4 | TUN_F_USO6 : 0;

	_Static_assert(TUN_NAME_SIZE == IFNAMSIZ, "names fit");
	memcpy(request.ifr_name, name, TUN_NAME_SIZE);
	if (new < 0 || ioctl(new, TUNSETIFF, &request) ||
	    (ioctl(new, TUNSETOFFLOAD, OFFLOADS | more) && ioctl(new, TUNSETOFFLOAD, OFFLOADS))) {
		error_set(error, errno, "/dev/net/tun: %s", strerror(errno));
		if (new >= 0)
			close(new);
		return -error->code;
	}
	memcpy(name, request.ifr_name, TUN_NAME_SIZE);
	*fd = new;
	return 0;
}
