/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "capture.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLL_TYPE_OFF  14 /* of the protocol in a Linux cooked header */
#define SLL2_TYPE_OFF 0
#define SLL_WAY_OFF   1 /* which way the packet went: the low byte */
#define SLL2_WAY_OFF  10
#define SLL_OUTGOING  4

struct capture {
	pcap_t *pcap;
	const char *path;
	int link_type;	      /* DLT_* */
	unsigned int l2_len;  /* bytes before the IP header */
	unsigned int type_at; /* of the ethertype; l2_len: there is none, the IP version tells */
	unsigned long n;      /* packets read */
};

static const struct {
	int link_type;
	unsigned int l2_len;
	unsigned int type_at;
} link_types[] = {
	{DLT_EN10MB, ETH_HLEN, 12},
	{DLT_LINUX_SLL, 16, SLL_TYPE_OFF},
	{DLT_LINUX_SLL2, 20, SLL2_TYPE_OFF},
	{DLT_RAW, 0, 0},
	{DLT_IPV4, 0, 0},
	{DLT_IPV6, 0, 0},
	{DLT_NULL, 4, 4},
	{DLT_LOOP, 4, 4},
};

static int set_link_type(struct capture *capture, struct error *error)
{
	const char *name;

	capture->link_type = pcap_datalink(capture->pcap);
	for (size_t i = 0; i < sizeof(link_types) / sizeof(*link_types); i++)
		if (link_types[i].link_type == capture->link_type) {
			capture->l2_len = link_types[i].l2_len;
			capture->type_at = link_types[i].type_at;
			return 0;
		}
	name = pcap_datalink_val_to_name(capture->link_type);
	return error_input(error, "%s: link type %s is not known", capture->path,
			   name ? name : "of the capture");
}

/**
 * capture_open() - Open a capture file
 * @path: the file, "-": standard input; outlives the capture
 * @capture: becomes the capture, for capture_close()
 * @error: why not
 *
 * Return: 0, -EINVAL (invalid input) where it is no capture, or another -errno.
 */
int capture_open(const char *path, struct capture **capture, struct error *error)
{
	char why[PCAP_ERRBUF_SIZE] = "";
	struct capture *new;
	FILE *file;
	int err;

	file = strcmp(path, "-") ? fopen(path, "re") : stdin;
	if (!file)
		return error_set(error, errno, "%s: %s", path, strerror(errno));
	new = calloc(1, sizeof(*new));
	if (!new) {
		if (file != stdin)
			fclose(file);
		return error_set(error, ENOMEM, "out of memory");
	}
	new->path = path;
	new->pcap = pcap_fopen_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, why);
	if (!new->pcap) {
		if (file != stdin)
			fclose(file);
		free(new);
		return error_input(error, "%s: not a capture: %s", path, why);
	}
	err = set_link_type(new, error);
	if (err) {
		capture_close(new);
		return err;
	}
	*capture = new;
	return 0;
}

/**
 * capture_is_ethernet() - Whether the packets had Ethernet headers
 */
bool capture_is_ethernet(const struct capture *capture)
{
	return capture->link_type == DLT_EN10MB;
}

static bool is_outgoing(const struct capture *capture, const u_char *bytes, uint32_t captured)
{
	if (captured < capture->l2_len)
		return false;
	if (capture->link_type == DLT_LINUX_SLL)
		return bytes[SLL_WAY_OFF] == SLL_OUTGOING;
	return capture->link_type == DLT_LINUX_SLL2 && bytes[SLL2_WAY_OFF] == SLL_OUTGOING;
}

static uint16_t ethertype_of_ip(const uint8_t *bytes, uint32_t captured)
{
	unsigned int version = captured ? bytes[0] >> 4 : 0;

	return version == 4 ? ETH_P_IP : version == 6 ? ETH_P_IPV6 : 0;
}

/**
 * capture_next() - Read the next packet
 * @capture: the capture
 * @packet: is filled
 * @error: why not
 *
 * Return: 1: there is one; 0: that was the last; -EINVAL (invalid input) for a broken file.
 */
int capture_next(struct capture *capture, struct capture_packet *packet, struct error *error)
{
	unsigned int off = capture->l2_len, at = capture->type_at;
	struct pcap_pkthdr *header;
	const u_char *bytes;
	int found = pcap_next_ex(capture->pcap, &header, &bytes);

	if (found == PCAP_ERROR_BREAK)
		return 0;
	if (found != 1)
		return error_input(error, "%s: behind packet %lu: %s", capture->path, capture->n,
				   pcap_geterr(capture->pcap));
	capture->n++;
	if (off > header->caplen)
		off = header->caplen;
	packet->bytes = bytes + off;
	packet->captured = header->caplen - off;
	packet->len = header->len > header->caplen ? header->len - off : packet->captured;
	packet->time_ns = header->ts.tv_sec * UINT64_C(1000000000) + header->ts.tv_usec;
	packet->ethertype = at < off ? bytes[at] << 8 | bytes[at + 1]
				     : ethertype_of_ip(packet->bytes, packet->captured);
	packet->is_outgoing = is_outgoing(capture, bytes, header->caplen);
	return 1;
}

/**
 * capture_close() - Close a capture
 * @capture: the capture, or NULL
 */
void capture_close(struct capture *capture)
{
	if (!capture)
		return;
	pcap_close(capture->pcap);
	free(capture);
}
