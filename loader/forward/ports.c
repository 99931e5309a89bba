/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "forward/ports.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/sockaddr.h"

#define PORT_FIRST 1024 /* below are those of services */
#define PORTS	   65536

static void reserve(struct worker *w, unsigned int first, unsigned int last)
{
	for (unsigned int port = first; port <= last && port < PORTS; port++)
		w->reserved_ports[port / 64] |= 1ull << port % 64;
}

/**
 * ports_read() - Learn which ports are set aside, while files can still be opened
 */
void ports_read(struct worker *w)
{
	FILE *file = fopen("/proc/sys/net/ipv4/ip_local_reserved_ports", "re");
	unsigned int first, last;

	reserve(w, 0, PORT_FIRST - 1);
	if (!file)
		return;
	while (fscanf(file, "%u", &first) == 1) {
		last = first;
		if (fscanf(file, "-%u", &last) < 0)
			last = first;
		reserve(w, first, last);
		if (fgetc(file) != ',')
			break;
	}
	fclose(file);
}

static int bind_port(int fd, uint8_t version, uint16_t port)
{
	static const union addr any;
	struct sockaddr_storage addr;
	socklen_t len = sockaddr_set(&addr, version, &any, htons(port));

	return bind(fd, (struct sockaddr *)&addr, len) ? -errno : 0;
}

/**
 * ports_bind() - Bind a socket to a port
 * @port: host order; 0: one of the kernel's range
 *
 * Return: 0 or -errno, -EACCES where it is not to be taken.
 */
int ports_bind(struct worker *w, int fd, uint8_t version, uint16_t port)
{
	if (port && w->reserved_ports[port / 64] >> port % 64 & 1)
		return -EACCES;
	return bind_port(fd, version, port);
}

/**
 * ports_bind_random() - Bind a socket to some port, whether it is in the kernel's range or not
 *
 * Return: 0, or -EADDRNOTAVAIL where none was found.
 */
int ports_bind_random(struct worker *w, int fd, uint8_t version)
{
	uint16_t port;

	for (int i = 0; i < PORT_ATTEMPTS; i++)
		if (getrandom(&port, sizeof(port), 0) == sizeof(port) && port &&
		    !ports_bind(w, fd, version, port))
			return 0;
	return -EADDRNOTAVAIL;
}
