/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "nft.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "samples.h"

#define SECONDS_TO_LOAD "60"

static int open_tun(void)
{
	struct ifreq request = {.ifr_name = "bench0", .ifr_flags = IFF_TUN | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	int up = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || up < 0 || ioctl(fd, TUNSETIFF, &request))
		die("cannot make a TUN device: %s", strerror(errno));
	request.ifr_flags = IFF_UP;
	if (ioctl(up, SIOCSIFFLAGS, &request))
		die("cannot set bench0 up: %s", strerror(errno));
	close(up);
	return fd;
}

/* Rules into the namespace that this thread is in. */
static bool load(const struct ruleset *set, enum nft_form form)
{
	FILE *pipe = popen("timeout " SECONDS_TO_LOAD " nft -f - >/dev/null", "we");
	bool written;

	if (!pipe)
		die("cannot run nft: %s", strerror(errno));
	written = nft_write_rules(set, form, pipe);
	return pclose(pipe) == 0 && written;
}

/**
 * nft_open() - Make a network namespace with rules in it
 * @nft: the result
 * @set: rules, of IPv4
 * @form: how nftables gets them
 *
 * Return: whether nftables can have the rules in that form; if not there is nothing to close.
 */
bool nft_open(struct nft *nft, const struct ruleset *set, enum nft_form form)
{
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	bool loaded;

	if (home < 0 || unshare(CLONE_NEWNET))
		die("cannot make a network namespace: %s", strerror(errno));
	nft->netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	nft->tun = open_tun();
	loaded = load(set, form);
	if (setns(home, CLONE_NEWNET))
		die("cannot leave a network namespace: %s", strerror(errno));
	close(home);
	if (!loaded)
		nft_close(nft);
	return loaded;
}

/**
 * nft_close() - Release a namespace and what is in it
 */
void nft_close(struct nft *nft)
{
	close(nft->tun);
	close(nft->netns);
}

static uint16_t checksum(const struct iphdr *ip)
{
	const uint16_t *half = (const uint16_t *)ip;
	uint32_t sum = 0;

	for (size_t i = 0; i < sizeof(*ip) / 2; i++)
		sum += half[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return ~(sum + (sum >> 16));
}

/* A header of IPv4, the ports where all protocols that have them do, and nothing. */
struct ports_packet {
	struct iphdr ip;
	uint16_t sport;
	uint16_t dport;
	char rest[16];
};

static void write_packet(int tun, const struct classifier_key *key)
{
	struct ports_packet packet = {
		.ip = {.version = 4,
		       .ihl = sizeof(struct iphdr) / 4,
		       .ttl = 64,
		       .tot_len = htons(sizeof(packet)),
		       .protocol = key->l4_proto,
		       .saddr = key->source.word[3],
		       .daddr = key->destination.word[3]},
		.sport = htons(key->sport),
		.dport = htons(key->dport),
	};

	packet.ip.check = checksum(&packet.ip);
	if (write(tun, &packet, sizeof(packet)) != sizeof(packet))
		die("cannot write a packet: %s", strerror(errno));
}

/**
 * nft_run() - Let packets through
 * @nft: the rules
 * @keys: the packets, that come again and again
 * @n_keys: how many there are
 * @n: how many are sent
 *
 * Return: CPU time per packet in ns, with all that it takes to bring it to the hook.
 */
double nft_run(const struct nft *nft, const struct classifier_key *keys, size_t n_keys, size_t n)
{
	double begin = cpu_time_ns();

	for (size_t i = 0; i < n; i++)
		write_packet(nft->tun, &keys[i % n_keys]);
	return (cpu_time_ns() - begin) / n;
}

/**
 * nft_allowed() - How many packets the rules have allowed so far
 */
uint64_t nft_allowed(const struct nft *nft)
{
	unsigned long long packets = 0;
	char command[128];
	FILE *pipe;

	snprintf(command, sizeof(command),
		 "nsenter --net=/proc/%d/fd/%d nft list chain ip bench allowed", getpid(),
		 nft->netns);
	pipe = popen(command, "re");
	if (!pipe)
		die("cannot run nft: %s", strerror(errno));
	for (char word[64]; fscanf(pipe, "%63s", word) == 1;)
		if (!strcmp(word, "packets") && fscanf(pipe, "%llu", &packets) != 1)
			break;
	if (pclose(pipe))
		die("nft does not list its counter");
	return packets;
}
