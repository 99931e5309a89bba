/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Ports that this host's programs do not get, as a process has sockets bound to them, which are never
 * read: where ip_local_port_range leaves hardly any for translated flows.
 *
 * A socket that is bound, but not connected, keeps its port from bind() and from the kernel's choice
 * for connect(), over both families.  They take some 6 KB of memory a port, and end with the process.
 */
#ifndef SHRIKE_UPLINK_RESERVE_H
#define SHRIKE_UPLINK_RESERVE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define RESERVED_PORTS 4096

/*
 * struct reserved_ports - what a process holds; all zero: nothing
 * @first: of RESERVED_PORTS ports; those that somebody else has are not held
 */
struct reserved_ports {
	uint16_t first;

	/* private to reserve.c */
	int *fds; /* for each port of TCP and of UDP, or -1 */
};

int reserved_ports_take(struct reserved_ports *reserved, uint16_t first, struct error *error);
size_t reserved_ports_held(const struct reserved_ports *reserved);
void reserved_ports_release(struct reserved_ports *reserved);

#endif /* SHRIKE_UPLINK_RESERVE_H */
