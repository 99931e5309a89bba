/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/sockaddr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

/**
 * sockaddr_set() - An address as sockets take it
 * @to: is filled
 * @version: enum ip_version
 * @addr: the address
 * @port: network order
 *
 * Return: its length.
 */
socklen_t sockaddr_set(struct sockaddr_storage *to, uint8_t version, const union addr *addr,
		       uint16_t port)
{
	struct sockaddr_in *to4 = (struct sockaddr_in *)to;
	struct sockaddr_in6 *to6 = (struct sockaddr_in6 *)to;

	memset(to, 0, sizeof(*to));
	if (version == IP_VERSION_4) {
		to4->sin_family = AF_INET;
		to4->sin_addr.s_addr = addr->word[3];
		to4->sin_port = port;
		return sizeof(*to4);
	}
	to6->sin6_family = AF_INET6;
	memcpy(&to6->sin6_addr, addr, 16);
	to6->sin6_port = port;
	return sizeof(*to6);
}

/**
 * sockaddr_get() - An address as sockets give it
 * @from: of IPv4 or IPv6
 * @addr: set to the address
 * @port: set to the port, network order
 */
void sockaddr_get(const struct sockaddr_storage *from, union addr *addr, uint16_t *port)
{
	const struct sockaddr_in *from4 = (const struct sockaddr_in *)from;
	const struct sockaddr_in6 *from6 = (const struct sockaddr_in6 *)from;

	memset(addr, 0, sizeof(*addr));
	if (from->ss_family == AF_INET) {
		addr->word[2] = htonl(0xffff);
		addr->word[3] = from4->sin_addr.s_addr;
		*port = from4->sin_port;
	} else {
		memcpy(addr, &from6->sin6_addr, 16);
		*port = from6->sin6_port;
	}
}
