/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Many connections without sockets, and floods from addresses that are nobody's.
 *
 *	flood establish N NETNS DEVICE NETNS DEVICE	handshakes of N TCP connections, those of the
 *							first device's side with the second's
 *	flood touch N NETNS DEVICE NETNS DEVICE		a segment of each of the same connections
 *	flood syn|udp|icmp|fragment SECONDS DEVICE	as fast as can be, here
 *
 * Both ends of the connections are played here, by packet sockets; the routers' sides should have
 * a blackhole route for TARGET, so that nobody answers.  Establish and touch print "arrived=N":
 * packets of the openers that came out on the second device.  A flood prints "sent=N rate=N".
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TARGET	   0x0a630001 /* 10.99.0.1 */
#define PORT	   443
#define SOURCES	   0x64408000 /* 100.64.128.0, one of 16,384 for each connection */
#define SOURCE_LOG 14
#define FIRST_SEQ  1000 /* initial sequence number of either end */
#define BATCH	   256
#define WAIT_MS	   2000
#define TRIES	   5

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

struct packet {
	struct iphdr ip;
	union {
		struct tcphdr tcp;
		struct udphdr udp;
		struct icmphdr icmp;
	};
	uint8_t data[8];
};

struct end {
	int fd;
	struct sockaddr_ll to;
};

static struct packet packets[BATCH];
static struct mmsghdr messages[BATCH];
static struct iovec parts[BATCH];

static void die(const char *what)
{
	fprintf(stderr, "flood: %s: %s\n", what, strerror(errno));
	exit(2);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static void enter(const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		die(path);
	close(fd);
}

/*
 * A packet socket of a device, sending IP packets to the other end of its link.  On Ethernet that
 * is a multicast address: no test looks at it, and a veth pair has but one receiver.
 */
static void open_end(struct end *end, const char *device)
{
	int one = 1, room = 8 << 20;

	memset(end, 0, sizeof(*end));
	end->fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_IP));
	end->to.sll_family = AF_PACKET;
	end->to.sll_protocol = htons(ETH_P_IP);
	end->to.sll_ifindex = (int)if_nametoindex(device);
	if (end->fd < 0 || !end->to.sll_ifindex ||
	    bind(end->fd, (struct sockaddr *)&end->to, sizeof(end->to)))
		die(device);
	end->to.sll_halen = 6;
	memcpy(end->to.sll_addr, "\x33\x33\0\0\0\1", 6);
	setsockopt(end->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one));
	setsockopt(end->fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
}

static void finish_ip(struct packet *p, uint8_t protocol, size_t len)
{
	const uint16_t *words = (const uint16_t *)&p->ip;
	uint32_t sum = 0;

	p->ip.version = 4;
	p->ip.ihl = 5;
	p->ip.ttl = 64;
	p->ip.protocol = protocol;
	p->ip.tot_len = htons(len);
	p->ip.check = 0;
	for (int i = 0; i < 10; i++)
		sum += words[i];
	sum = (sum & 0xffff) + (sum >> 16);
	p->ip.check = ~(sum + (sum >> 16));
}

/* One segment of connection @n, by its opener or by the other end. */
static size_t segment(struct packet *p, uint32_t n, bool by_opener, bool syn, bool ack)
{
	uint32_t source = SOURCES + (n & ((1 << SOURCE_LOG) - 1));
	uint16_t port = 10000 + (n >> SOURCE_LOG);
	size_t len = sizeof(p->ip) + sizeof(p->tcp);

	memset(p, 0, sizeof(*p));
	p->ip.saddr = htonl(by_opener ? source : TARGET);
	p->ip.daddr = htonl(by_opener ? TARGET : source);
	p->tcp.source = htons(by_opener ? port : PORT);
	p->tcp.dest = htons(by_opener ? PORT : port);
	p->tcp.doff = sizeof(p->tcp) / 4;
	p->tcp.window = htons(1000);
	p->tcp.syn = syn;
	p->tcp.seq = htonl(FIRST_SEQ + !syn);
	p->tcp.ack = ack;
	p->tcp.ack_seq = htonl(ack ? FIRST_SEQ + 1 : 0);
	finish_ip(p, IPPROTO_TCP, len);
	return len;
}

static void send_batch(const struct end *end, int n)
{
	int done = 0;

	for (int i = 0; i < n; i++) {
		parts[i].iov_base = &packets[i];
		messages[i].msg_hdr.msg_iov = &parts[i];
		messages[i].msg_hdr.msg_iovlen = 1;
		messages[i].msg_hdr.msg_name = (void *)&end->to;
		messages[i].msg_hdr.msg_namelen = sizeof(end->to);
	}
	while (done < n) {
		int sent = sendmmsg(end->fd, messages + done, n - done, 0);

		if (sent < 0 && errno != ENOBUFS && errno != EINTR && errno != EAGAIN)
			die("sendmmsg");
		done += sent > 0 ? sent : 0;
	}
}

/* Wait for @n segments to TARGET; how many came. */
static int await_batch(const struct end *end, int n)
{
	struct pollfd polled = {.fd = end->fd, .events = POLLIN};
	struct packet p;
	int came = 0;

	while (came < n && poll(&polled, 1, WAIT_MS) > 0)
		while (recv(end->fd, &p, sizeof(p), MSG_DONTWAIT) > 0)
			came += p.ip.daddr == htonl(TARGET) && p.ip.protocol == IPPROTO_TCP;
	return came;
}

/* Send one segment for each of the connections from @first on; how many came out at @to. */
static int exchange(const struct end *from, const struct end *to, uint32_t first, int n,
		    bool by_opener, bool syn, bool ack)
{
	for (int i = 0; i < n; i++)
		parts[i].iov_len = segment(&packets[i], first + i, by_opener, syn, ack);
	send_batch(from, n);
	return by_opener ? await_batch(to, n) : n;
}

static int establish(const struct end *opener, const struct end *other, uint32_t first, int n)
{
	for (int attempt = 0; attempt < TRIES; attempt++) {
		if (exchange(opener, other, first, n, true, true, false) != n)
			continue;
		exchange(other, opener, first, n, false, true, true);
		return exchange(opener, other, first, n, true, false, true);
	}
	return 0;
}

static int connections(bool make, char **argv)
{
	uint32_t n = strtoul(argv[0], NULL, 10), arrived = 0;
	struct end opener, other;

	enter(argv[1]);
	open_end(&opener, argv[2]);
	enter(argv[3]);
	open_end(&other, argv[4]);
	for (uint32_t first = 0; first < n; first += BATCH) {
		int batch = n - first < BATCH ? (int)(n - first) : BATCH;

		arrived += make ? establish(&opener, &other, first, batch)
				: exchange(&opener, &other, first, batch, true, false, true);
	}
	printf("arrived=%u\n", arrived);
	return arrived == n ? 0 : 1;
}

static uint64_t random_state;

static uint64_t next_random(void)
{
	random_state ^= random_state << 13; /* xorshift64 */
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/* One packet of a flood; all from 100.64.0.0/10, without the addresses that the tests use. */
static size_t flood_packet(struct packet *p, const char *kind, uint32_t n)
{
	uint64_t r = next_random();
	size_t len = sizeof(p->ip) + sizeof(p->udp) + sizeof(p->data);
	uint8_t protocol = IPPROTO_UDP;

	memset(p, 0, sizeof(*p));
	p->ip.saddr = htonl(0x64410000 + (r & 0x1fffff));
	p->ip.daddr = htonl(TARGET);
	if (*kind == 's') {
		protocol = IPPROTO_TCP;
		len = sizeof(p->ip) + sizeof(p->tcp);
		p->tcp.doff = 5;
		p->tcp.syn = 1;
		p->tcp.dest = htons(PORT);
	} else if (*kind == 'i') {
		protocol = IPPROTO_ICMP;
		p->icmp.type = ICMP_ECHO;
		p->icmp.un.echo.id = r >> 32;
	} else {
		p->udp.dest = htons(PORT);
		p->udp.len = htons(sizeof(p->udp) + sizeof(p->data));
	}
	if (*kind == 's' || *kind == 'u')
		p->udp.source = r >> 32;
	p->ip.id = r >> 48;
	if (*kind == 'f') /* a first one, then a later one of another datagram */
		p->ip.frag_off = htons(n % 2 ? 3 : IP_MF);
	finish_ip(p, protocol, len);
	return len;
}

static int flood(const char *kind, unsigned int seconds, const char *device)
{
	uint64_t begin = now_ns(), end = begin + seconds * 1000000000ull, sent = 0;
	int one = 1;
	struct end here;

	open_end(&here, device);
	setsockopt(here.fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one));
	if (getrandom(&random_state, sizeof(random_state), 0) < 0 || !random_state)
		die("getrandom");
	while (now_ns() < end) {
		for (int i = 0; i < BATCH; i++)
			parts[i].iov_len = flood_packet(&packets[i], kind, i);
		send_batch(&here, BATCH);
		sent += BATCH;
	}
	printf("sent=%llu rate=%llu\n", (unsigned long long)sent,
	       (unsigned long long)(sent * 1000000000ull / (now_ns() - begin)));
	return 0;
}

int main(int argc, char **argv)
{
	const char *kind = argc > 1 ? argv[1] : "";
	bool make = !strcmp(kind, "establish");

	if (argc == 7 && (make || !strcmp(kind, "touch")))
		return connections(make, argv + 2);
	if (argc == 4 && (!strcmp(kind, "syn") || !strcmp(kind, "udp") || !strcmp(kind, "icmp") ||
			  !strcmp(kind, "fragment")))
		return flood(kind, strtoul(argv[2], NULL, 10), argv[3]);
	fputs("usage: flood establish|touch N NETNS DEVICE NETNS DEVICE | "
	      "flood syn|udp|icmp|fragment SECONDS DEVICE\n",
	      stderr);
	return 2;
}
