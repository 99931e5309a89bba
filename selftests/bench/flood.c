/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sends UDP packets out of an Ethernet device as fast as one CPU can.
 *
 *	flood DEVICE DESTINATION_MAC SOURCE DESTINATION SECONDS
 *
 * IPv4, 64 bytes of data, to port 9, from so many source ports in turn that no two packets of a
 * batch are of one flow.  Prints a line of JSON: packets, and seconds that sending them took.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH	     64
#define PAYLOAD_LEN  64
#define PORT_FIRST   20000
#define PORT_DISCARD 9

struct frame {
	struct ethhdr link;
	struct iphdr ip;
	struct udphdr udp;
	uint8_t payload[PAYLOAD_LEN];
} __attribute__((packed));

static struct frame frames[BATCH];
static struct iovec parts[BATCH];
static struct mmsghdr messages[BATCH];

static void die(const char *what)
{
	fprintf(stderr, "flood: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static uint16_t checksum(const void *bytes, size_t len)
{
	const uint16_t *words = bytes;
	uint32_t sum = 0;

	for (size_t i = 0; i < len / 2; i++)
		sum += words[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return ~((sum & 0xffff) + (sum >> 16));
}

/* The UDP checksum stays 0: none was made, which IPv4 allows. */
static void make_frames(const struct frame *pattern)
{
	for (int i = 0; i < BATCH; i++) {
		struct frame *frame = &frames[i];

		*frame = *pattern;
		frame->link.h_proto = htons(ETH_P_IP);
		frame->ip.version = 4;
		frame->ip.ihl = sizeof(frame->ip) / 4;
		frame->ip.ttl = 64;
		frame->ip.protocol = IPPROTO_UDP;
		frame->ip.tot_len = htons(sizeof(*frame) - sizeof(frame->link));
		frame->ip.check = checksum(&frame->ip, sizeof(frame->ip));
		frame->udp.source = htons(PORT_FIRST + i);
		frame->udp.dest = htons(PORT_DISCARD);
		frame->udp.len = htons(sizeof(frame->udp) + PAYLOAD_LEN);
		parts[i] = (struct iovec){frame, sizeof(*frame)};
		messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
	}
}

/* Not through a queue: this measures what comes after it. */
static int open_device(const char *name, uint8_t mac[ETH_ALEN])
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_ifindex = if_nametoindex(name)};
	int fd = socket(AF_PACKET, SOCK_RAW, 0), one = 1;
	struct ifreq request = {};

	if (!address.sll_ifindex || fd < 0)
		die(name);
	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one)) ||
	    ioctl(fd, SIOCGIFHWADDR, &request))
		die(name);
	memcpy(mac, request.ifr_hwaddr.sa_data, ETH_ALEN);
	return fd;
}

int main(int argc, char **argv)
{
	const struct ether_addr *destination;
	struct frame pattern = {};
	unsigned long long sent = 0;
	double begin, end;
	int fd;

	destination = argc == 6 ? ether_aton(argv[2]) : NULL;
	if (!destination || inet_pton(AF_INET, argv[3], &pattern.ip.saddr) != 1 ||
	    inet_pton(AF_INET, argv[4], &pattern.ip.daddr) != 1) {
		fputs("usage: flood DEVICE DESTINATION_MAC SOURCE DESTINATION SECONDS\n", stderr);
		return 2;
	}
	fd = open_device(argv[1], pattern.link.h_source);
	memcpy(pattern.link.h_dest, destination, ETH_ALEN);
	make_frames(&pattern);
	begin = now_s();
	do {
		int n = sendmmsg(fd, messages, BATCH, 0);

		if (n < 0 && errno != ENOBUFS && errno != EAGAIN)
			die("send");
		sent += n > 0 ? n : 0;
		end = now_s();
	} while (end - begin < atof(argv[5]));
	printf("{\"packets\":%llu,\"seconds\":%.3f}\n", sent, end - begin);
	return 0;
}
