/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A cable between two TUN devices in two network namespaces, until it is killed.
 *
 *	tunpump NETNS_A NAME_A NETNS_B NAME_B
 *
 * Creates NAME_A in the namespace named NETNS_A and NAME_B in NETNS_B and copies packets
 * between them.  TUN devices are what a WireGuard device is to the dataplane: no link header,
 * data starts at the IP header.  Prints "ready" when both exist.  The devices go with the
 * process; it ends when either of them is deleted.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PACKET_MAX 65536
#define BATCH	   64 /* packets of one side before the other has its turn */

static void die(const char *what)
{
	fprintf(stderr, "tunpump: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int open_tun(const char *netns, const char *name)
{
	struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	char path[256];
	int netns_fd, fd;

	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	netns_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (netns_fd < 0 || setns(netns_fd, CLONE_NEWNET))
		die(path);
	close(netns_fd);
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		die("/dev/net/tun");
	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	if (ioctl(fd, TUNSETIFF, &request))
		die(name);
	return fd;
}

/*
 * Copies what is waiting.  A packet that the other device does not take (down, queue full) is
 * lost, as on a cable; a read that fails for good means that the device is gone.
 */
static void copy(int from, int to)
{
	static char packet[PACKET_MAX];

	for (int i = 0; i < BATCH; i++) {
		ssize_t len = read(from, packet, sizeof(packet));

		if (len < 0 && errno == EAGAIN)
			return;
		if (len < 0)
			exit(0);
		if (write(to, packet, (size_t)len) < 0 && errno == EBADFD)
			exit(0);
	}
}

int main(int argc, char **argv)
{
	struct pollfd tun[2] = {{.events = POLLIN}, {.events = POLLIN}};

	if (argc != 5) {
		fputs("usage: tunpump NETNS_A NAME_A NETNS_B NAME_B\n", stderr);
		return 2;
	}
	tun[0].fd = open_tun(argv[1], argv[2]);
	tun[1].fd = open_tun(argv[3], argv[4]);
	puts("ready");
	fflush(stdout);
	for (;;) {
		if (poll(tun, 2, -1) < 0)
			die("poll");
		if (tun[0].revents)
			copy(tun[0].fd, tun[1].fd);
		if (tun[1].revents)
			copy(tun[1].fd, tun[0].fd);
	}
}
