/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A cable between two TUN devices in two network namespaces, until it is killed.
 *
 *	tunpump [-e | -g] [-d MS] [-l PERCENT] [-r MBIT] NETNS_A NAME_A NETNS_B NAME_B
 *
 * Each way takes MS to pass, loses PERCENT of the packets, always the same ones, and takes MBIT/s:
 * what is faster waits, at most for as long as twice the delay and 20 ms more.
 *
 * Creates NAME_A in the namespace named NETNS_A and NAME_B in NETNS_B and copies packets
 * between them.  TUN devices are what a WireGuard device is to the dataplane: no link header,
 * data starts at the IP header.  Prints "ready" when both exist.  The devices go with the
 * process; it ends when either of them is deleted.
 *
 * With -e the devices exist, are up and of Ethernet: the cable's own ends of two veth pairs.  The
 * other ends of these must not offload anything.
 *
 * With -g the devices carry what wireguard-go opens since 2023: packets with a virtio header, many
 * segments or datagrams in one (TSO, and USO from Linux 6.2).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PACKET_MAX 66000 /* with a virtio header */
#define BATCH	   64	 /* packets of one side before the other has its turn */
#define QUEUE	   16384
#define QUEUED_MAX 2048 /* bytes of a packet on a slow line */
#define SLACK_NS   20000000
#define NS_PER_MS  1000000
#define BYTE_NS	   8000 /* a byte at one Mbit/s */

#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

/* A packet on its way. */
struct queued {
	uint64_t arrives_ns;
	ssize_t len;
	char data[QUEUED_MAX];
};

/* One way of a slow line. */
struct way {
	struct queued *queue; /* QUEUE of them, a ring */
	uint32_t head;
	uint32_t tail;
	uint64_t busy_until_ns; /* what was sent earlier leaves until then */
};

static struct {
	uint64_t delay_ns;
	double loss;
	double mbit;
} line;

static void die(const char *what)
{
	fprintf(stderr, "tunpump: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void enter(const char *netns)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		die(path);
	close(fd);
}

/* All frames that arrive on an Ethernet device, and the way out of it. */
static int open_ethernet(const char *name)
{
	struct sockaddr_ll from = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int one = 1, room = 8 << 20;

	from.sll_ifindex = (int)if_nametoindex(name);
	if (fd < 0 || !from.sll_ifindex ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) ||
	    bind(fd, (struct sockaddr *)&from, sizeof(from)))
		die(name);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	return fd;
}

static int open_tun(const char *name, bool gso)
{
	struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI | (gso ? IFF_VNET_HDR : 0)};
	unsigned int tso = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
	int fd;

	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		die("/dev/net/tun");
	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	if (ioctl(fd, TUNSETIFF, &request))
		die(name);
	if (gso && ioctl(fd, TUNSETOFFLOAD, tso | TUN_F_USO4 | TUN_F_USO6) &&
	    ioctl(fd, TUNSETOFFLOAD, tso))
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

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

/* What is waiting begins its way, or is lost. */
static void take_in(int from, struct way *way)
{
	while (way->head - way->tail < QUEUE) {
		struct queued *packet = &way->queue[way->head % QUEUE];
		uint64_t now;

		packet->len = read(from, packet->data, sizeof(packet->data));
		if (packet->len < 0 && errno == EAGAIN)
			return;
		if (packet->len < 0)
			exit(0);
		now = now_ns();
		if (way->busy_until_ns < now)
			way->busy_until_ns = now;
		if (drand48() * 100 < line.loss ||
		    way->busy_until_ns - now > 2 * line.delay_ns + SLACK_NS)
			continue;
		if (line.mbit > 0)
			way->busy_until_ns += packet->len * BYTE_NS / line.mbit;
		packet->arrives_ns = way->busy_until_ns + line.delay_ns;
		way->head++;
	}
}

/* What has arrived leaves; when the next one will, or @next_ns if that is earlier. */
static uint64_t let_out(int to, struct way *way, uint64_t next_ns)
{
	for (; way->tail != way->head; way->tail++) {
		const struct queued *packet = &way->queue[way->tail % QUEUE];

		if (packet->arrives_ns > now_ns())
			return packet->arrives_ns < next_ns ? packet->arrives_ns : next_ns;
		if (write(to, packet->data, packet->len) < 0 && errno == EBADFD)
			exit(0);
	}
	return next_ns;
}

static void run_line(struct pollfd *tun)
{
	struct way ways[2] = {};

	srand48(1);
	for (int i = 0; i < 2; i++) {
		ways[i].queue = calloc(QUEUE, sizeof(*ways[i].queue));
		if (!ways[i].queue)
			die("memory");
	}
	for (;;) {
		uint64_t next_ns = UINT64_MAX, now;
		struct timespec pause;

		for (int i = 0; i < 2; i++) {
			take_in(tun[i].fd, &ways[i]);
			next_ns = let_out(tun[!i].fd, &ways[i], next_ns);
		}
		now = now_ns();
		pause.tv_sec = 0;
		pause.tv_nsec = next_ns > now ? next_ns - now : 0;
		if (next_ns != UINT64_MAX && pause.tv_nsec >= 1000000000)
			pause.tv_nsec = 999999999;
		if (ppoll(tun, 2, next_ns == UINT64_MAX ? NULL : &pause, NULL) < 0)
			die("poll");
	}
}

static void run_cable(struct pollfd *tun)
{
	for (;;) {
		if (poll(tun, 2, -1) < 0)
			die("poll");
		if (tun[0].revents)
			copy(tun[0].fd, tun[1].fd);
		if (tun[1].revents)
			copy(tun[1].fd, tun[0].fd);
	}
}

int main(int argc, char **argv)
{
	struct pollfd tun[2] = {{.events = POLLIN}, {.events = POLLIN}};
	bool ethernet = false, gso = false;
	int option;

	while ((option = getopt(argc, argv, "egd:l:r:")) != -1) {
		switch (option) {
		case 'e':
			ethernet = true;
			break;
		case 'g':
			gso = true;
			break;
		case 'd':
			line.delay_ns = atof(optarg) * NS_PER_MS;
			break;
		case 'l':
			line.loss = atof(optarg);
			break;
		case 'r':
			line.mbit = atof(optarg);
			break;
		default:
			optind = argc;
		}
	}
	if (argc - optind != 4) {
		fputs("usage: tunpump [-e | -g] [-d MS] [-l PERCENT] [-r MBIT] "
		      "NETNS_A NAME_A NETNS_B NAME_B\n",
		      stderr);
		return 2;
	}
	argv += optind;
	for (int i = 0; i < 2; i++) {
		enter(argv[2 * i]);
		tun[i].fd = ethernet ? open_ethernet(argv[2 * i + 1])
				     : open_tun(argv[2 * i + 1], gso);
	}
	puts("ready");
	fflush(stdout);
	if (line.delay_ns || line.loss > 0 || line.mbit > 0)
		run_line(tun);
	else
		run_cable(tun);
}
