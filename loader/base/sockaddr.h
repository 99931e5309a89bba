/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Addresses as sockets have them.
 */
#ifndef SHRIKE_BASE_SOCKADDR_H
#define SHRIKE_BASE_SOCKADDR_H

#include <stdint.h>
#include <sys/socket.h>

#include "abi.h"

socklen_t sockaddr_set(struct sockaddr_storage *to, uint8_t version, const union addr *addr,
		       uint16_t port);
void sockaddr_get(const struct sockaddr_storage *from, union addr *addr, uint16_t *port);

#endif /* SHRIKE_BASE_SOCKADDR_H */
