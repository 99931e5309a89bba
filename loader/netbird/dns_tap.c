/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "netbird/dns_tap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "netbird/dns_answer.h"
#include "netbird/dns_memory.h"
#include "netbird/domain_index.h"

#define PACKET_MAX   65536 /* before segmentation, too */
#define READS_MAX    64	   /* of one dns_tap_read(), or a flood would keep its caller */
#define BUFFER_BYTES (1 << 20)

/* Jumps are counted from the next instruction on; the last ones are to accept and to leave. */
#define EQUAL(value, otherwise) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, otherwise)

/*
 * See only what this host sends itself: from @own, over UDP or TCP, from the forwarder's port, no
 * later fragment.  Offsets count from the IP header.
 */
static int set_filter(int fd, __be32 own)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_PKTTYPE),
		EQUAL(PACKET_OUTGOING, 14),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_PROTOCOL),
		EQUAL(ETH_P_IP, 12),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct iphdr, saddr)),
		EQUAL(ntohl(own), 10),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(struct iphdr, frag_off)),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, IP_OFFMASK, 8, 0),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, offsetof(struct iphdr, protocol)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 1, 0),
		EQUAL(IPPROTO_TCP, 5),
		BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
		BPF_STMT(BPF_LD | BPF_H | BPF_IND, 0), /* the source port of both */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NETBIRD_DNS_PORT, 1, 0),
		EQUAL(NETBIRD_DNS_PORT_OLD, 1),
		BPF_STMT(BPF_RET | BPF_K, PACKET_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog program = {.len = sizeof(code) / sizeof(*code), .filter = code};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

/**
 * dns_tap_open() - See the answers that leave by an interface
 * @ifindex: the interface
 * @own: the address that the forwarder listens on: the interface's own
 * @fd: set to the socket, for dns_tap_read() and poll()
 * @error: set on failure
 *
 * The socket belongs to that interface alone, and sees nothing once it is gone.
 *
 * Return: 0 or -errno.
 */
int dns_tap_open(int ifindex, __be32 own, int *fd, struct error *error)
{
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL), /* none but that has what leaves */
		.sll_ifindex = ifindex,
	};
	/* without a protocol it sees nothing, until it is bound */
	int tap = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int bytes = BUFFER_BYTES;

	if (tap < 0)
		return error_set(error, errno, "DNS answers: cannot open a packet socket: %s",
				 strerror(errno));
	setsockopt(tap, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	if (set_filter(tap, own) || bind(tap, (struct sockaddr *)&to, sizeof(to))) {
		error_set(error, errno, "DNS answers: cannot see what leaves: %s", strerror(errno));
		close(tap);
		return -error->code;
	}
	*fd = tap;
	return 0;
}

/* An address whose sets are looked for. */
struct search {
	const struct dns_reader *reader;
	struct dns_sighting sighting;
};

static void on_match(void *arg, const char *set)
{
	struct search *search = arg;

	snprintf(search->sighting.set, sizeof(search->sighting.set), "%s", set);
	search->reader->on_sighting(search->reader->arg, &search->sighting);
}

static void report(const struct dns_reader *reader, const char *name, const struct prefix *prefix,
		   int64_t ttl_s)
{
	struct search search = {.reader = reader, .sighting.prefix = *prefix};

	search.sighting.ttl_s = ttl_s < -DNS_TTL_MAX_S ? -DNS_TTL_MAX_S : ttl_s;
	domain_index_match(reader->index, name, on_match, &search);
}

static int64_t now_s(void)
{
	return clock_ns(CLOCK_MONOTONIC) / NS_PER_S;
}

/**
 * dns_tap_read() - Read the answers that are waiting
 * @fd: of dns_tap_open()
 * @reader: what is done with them
 *
 * Does not block.
 *
 * Return: 0; -errno: the socket is beyond use, as where the interface has gone (-ENODEV,
 * -ENETDOWN).
 */
int dns_tap_read(int fd, const struct dns_reader *reader)
{
	static uint8_t packet[PACKET_MAX];
	static struct dns_answer answer;
	const uint8_t *message;
	size_t message_len;

	for (int i = 0; i < READS_MAX; i++) {
		ssize_t len = recv(fd, packet, sizeof(packet), MSG_DONTWAIT);

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return errno == EAGAIN ? 0 : -errno;
		if (dns_answer_find(packet, len, &message, &message_len) ||
		    dns_answer_parse(message, message_len, &answer))
			continue;
		dns_memory_note(reader->memory, &answer, now_s());
		for (size_t a = 0; a < answer.n; a++)
			report(reader, answer.name, &answer.addresses[a].prefix,
			       answer.addresses[a].ttl_s);
	}
	return 0;
}

/**
 * dns_tap_recall() - Report what was answered lately once more, to domains that are new
 * @reader: what is done with it
 */
void dns_tap_recall(const struct dns_reader *reader)
{
	for (size_t i = 0; i < reader->memory->n; i++) {
		const struct dns_memory_entry *entry = &reader->memory->entries[i];

		report(reader, entry->name, &entry->prefix, entry->until_s - now_s());
	}
}
