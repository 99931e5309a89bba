/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "netbird/dns_tap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "dns_tap.skel.h"
#include "netbird/dns_answer.h"
#include "netbird/dns_memory.h"
#include "netbird/domain_index.h"

#define PACKET_MAX   65536 /* before segmentation, too */
#define READS_MAX    64	   /* of one dns_tap_read(), or a flood would keep its caller, */
#define REPORTS_MAX  256   /* as would answers that are long */
#define BUFFER_BYTES (1 << 20)

/* Have the socket see the forwarder's answers alone: those from @own. */
static int set_filter(int fd, __be32 own, struct error *error)
{
	struct dns_tap_bpf *filter = dns_tap_bpf__open();
	int program, err;

	if (!filter)
		return error_set(error, errno, "DNS answers: cannot open their filter: %s",
				 strerror(errno));
	filter->rodata->own = own;
	err = dns_tap_bpf__load(filter);
	program = bpf_program__fd(filter->progs.shrike_dns_tap);
	if (!err && setsockopt(fd, SOL_SOCKET, SO_ATTACH_BPF, &program, sizeof(program)))
		err = -errno;
	dns_tap_bpf__destroy(filter);
	return err ? error_set(error, -err, "DNS answers: cannot load their filter: %s",
			       strerror(-err))
		   : 0;
}

/**
 * dns_tap_open() - See the answers that leave by an interface
 * @ifindex: the interface
 * @own: the address that the forwarder listens on: the interface's own
 * @fd: set to the socket, for dns_tap_read() and poll()
 * @error: set on failure
 *
 * The socket belongs to that interface alone, and sees nothing once it is gone.  It sees what the
 * egress program of a generation in force has noted, see dns_sender.h.
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
	int bytes = BUFFER_BYTES, err;

	if (tap < 0)
		return error_set(error, errno, "DNS answers: cannot open a packet socket: %s",
				 strerror(errno));
	setsockopt(tap, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	err = set_filter(tap, own, error);
	if (!err && bind(tap, (struct sockaddr *)&to, sizeof(to)))
		err = error_set(error, errno, "DNS answers: cannot see what leaves: %s",
				strerror(errno));
	if (err) {
		close(tap);
		return err;
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

	if (!domain_set_is_name(set))
		return;
	memcpy(search->sighting.set, set, sizeof(search->sighting.set));
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
 * Does not block, and leaves some for another call where many are waiting.
 *
 * Return: 0; -errno: the socket is beyond use, as where the interface has gone (-ENODEV,
 * -ENETDOWN).
 */
int dns_tap_read(int fd, const struct dns_reader *reader)
{
	static uint8_t packet[PACKET_MAX];
	static struct dns_answer answer;
	const uint8_t *message;
	size_t message_len, reported = 0;

	for (int i = 0; i < READS_MAX && reported < REPORTS_MAX; i++) {
		ssize_t len = recv(fd, packet, sizeof(packet), MSG_DONTWAIT);

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return errno == EAGAIN ? 0 : -errno;
		if (dns_answer_find(packet, len, &message, &message_len) ||
		    dns_answer_parse(message, message_len, &answer))
			continue;
		dns_memory_note(reader->memory, &answer, now_s());
		reported += answer.n;
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
