/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pcap files are libpcap's to read, pcapng files pcapng_read.c's: their interfaces may have a link
 * type each.
 */
#include "packet/capture.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi.h"
#include "packet/pcapng.h"
#include "packet/pcapng_read.h"

#define SLL_TYPE_OFF  14 /* of the protocol in a Linux cooked header */
#define SLL2_TYPE_OFF 0
#define SLL_WAY_OFF   1 /* which way the packet went: the low byte */
#define SLL2_WAY_OFF  10
#define SLL_OUTGOING  4

/* The reader of one of the two is there. */
struct capture {
	FILE *file; /* of @pcapng; libpcap has its own */
	pcap_t *pcap;
	struct pcapng_reader *pcapng;
	const char *path;
	unsigned long n; /* packets read */
};

/*
 * struct link_type - what stands before an IP packet
 * @number: DLT_*, or LINKTYPE_* of pcapng, which differ where nothing stands there
 * @l2_len: bytes of it
 * @type_off: of the EtherType in it; @l2_len: there is none, the IP version decides
 * @way_off: of the byte that says which way the packet went; @l2_len: there is none
 */
struct link_type {
	int number;
	unsigned int l2_len;
	unsigned int type_off;
	unsigned int way_off;
};

static const struct link_type link_types[] = {
	{DLT_EN10MB, ETH_HLEN, 12, ETH_HLEN},
	{DLT_LINUX_SLL, 16, SLL_TYPE_OFF, SLL_WAY_OFF},
	{DLT_LINUX_SLL2, 20, SLL2_TYPE_OFF, SLL2_WAY_OFF},
	{DLT_RAW, 0, 0, 0},
	{PCAPNG_LINK_RAW, 0, 0, 0},
	{DLT_IPV4, 0, 0, 0},
	{DLT_IPV6, 0, 0, 0},
	{DLT_NULL, 4, 4, 4},
	{DLT_LOOP, 4, 4, 4},
};

static const struct link_type *find_link_type(int number)
{
	for (size_t i = 0; i < sizeof(link_types) / sizeof(*link_types); i++)
		if (link_types[i].number == number)
			return &link_types[i];
	return NULL;
}

static int unknown_link_type(int number, struct error *error)
{
	const char *name = pcap_datalink_val_to_name(number);

	if (name)
		return error_input(error, "link type %s is not known", name);
	return error_input(error, "link type %d is not known", number);
}

static int open_pcap(struct capture *capture, FILE *file, struct error *error)
{
	char why[PCAP_ERRBUF_SIZE] = "";

	capture->pcap = pcap_fopen_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO,
								 why);
	if (capture->pcap) /* has taken the file over */
		return 0;
	if (file != stdin)
		fclose(file);
	return error_input(error, "not a capture: %s", why);
}

static int open_pcapng(struct capture *capture, FILE *file, struct error *error)
{
	int err = pcapng_open(file, &capture->pcapng, error);

	capture->file = file;
	return err ? error_prefix(error, "not a capture") : 0;
}

/**
 * capture_open() - Open a capture file
 * @path: the file, "-": standard input; outlives the capture
 * @capture: set to the capture, for capture_close()
 * @error: set on failure
 *
 * Return: 0, -EINVAL (invalid input) where it is no capture, or another -errno.
 */
int capture_open(const char *path, struct capture **capture, struct error *error)
{
	FILE *file = strcmp(path, "-") ? fopen(path, "re") : stdin;
	struct capture *opened;
	int err, c;

	if (!file)
		return error_set(error, errno, "%s: %s", path, strerror(errno));
	opened = calloc(1, sizeof(*opened));
	if (!opened) {
		if (file != stdin)
			fclose(file);
		return error_no_memory(error);
	}
	opened->path = path;
	c = getc(file);
	ungetc(c, file);
	err = c == PCAPNG_FIRST_BYTE ? open_pcapng(opened, file, error)
				     : open_pcap(opened, file, error);
	if (!err && opened->pcap && !find_link_type(pcap_datalink(opened->pcap)))
		err = unknown_link_type(pcap_datalink(opened->pcap), error);
	if (err) {
		capture_close(opened);
		return error_prefix(error, "%s", path);
	}
	*capture = opened;
	return 0;
}

static uint16_t ethertype_of_ip(const uint8_t *bytes, uint32_t captured)
{
	unsigned int version = captured ? bytes[0] >> 4 : 0;

	return version == 4 ? ETH_P_IP : version == 6 ? ETH_P_IPV6 : 0;
}

/* What a packet is behind its link header.  Where that is not whole, nothing is known of it. */
static void read_packet(const struct link_type *link, const struct pcapng_record *record,
			struct capture_packet *packet)
{
	uint32_t len = record->len > record->captured ? record->len : record->captured;
	bool is_whole = record->captured >= link->l2_len;
	const uint8_t *header = record->bytes;

	*packet = (struct capture_packet){
		.time_ns = record->time_ns,
		.bytes = header + (is_whole ? link->l2_len : record->captured),
		.captured = is_whole ? record->captured - link->l2_len : 0,
		.len = len > link->l2_len ? len - link->l2_len : 0,
		.is_ethernet = link->number == DLT_EN10MB,
	};
	if (!is_whole)
		return;
	packet->is_outgoing = link->way_off < link->l2_len && header[link->way_off] == SLL_OUTGOING;
	packet->ethertype = link->type_off < link->l2_len
				    ? header[link->type_off] << 8 | header[link->type_off + 1]
				    : ethertype_of_ip(packet->bytes, packet->captured);
}

/* Read the next record of a pcap file. */
static int next_of_pcap(struct capture *capture, struct pcapng_record *record, struct error *error)
{
	struct pcap_pkthdr *header;
	int found = pcap_next_ex(capture->pcap, &header, &record->bytes);

	if (found == PCAP_ERROR_BREAK)
		return 0;
	if (found != 1)
		return error_input(error, "%s", pcap_geterr(capture->pcap));
	record->captured = header->caplen;
	record->len = header->len;
	record->time_ns = header->ts.tv_sec * NS_PER_S + header->ts.tv_usec;
	record->link_type = pcap_datalink(capture->pcap);
	return 1;
}

/**
 * capture_next() - Read the next packet
 * @capture: the capture
 * @packet: is filled
 * @error: set on failure
 *
 * Return: 1: there is one; 0: that was the last; -EINVAL (invalid input) for a broken file or a
 * packet of a link type that is not known, or another -errno.
 */
int capture_next(struct capture *capture, struct capture_packet *packet, struct error *error)
{
	const struct link_type *link = NULL;
	struct pcapng_record record;
	int found;

	found = capture->pcap ? next_of_pcap(capture, &record, error)
			      : pcapng_next(capture->pcapng, &record, error);
	if (found == 1) {
		link = find_link_type(record.link_type);
		if (!link)
			found = unknown_link_type(record.link_type, error);
	}
	if (found < 0)
		return error_prefix(error, "%s: behind packet %lu", capture->path, capture->n);
	if (!found)
		return 0;
	capture->n++;
	read_packet(link, &record, packet);
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
	if (capture->pcap)
		pcap_close(capture->pcap);
	pcapng_close(capture->pcapng);
	if (capture->file && capture->file != stdin)
		fclose(capture->file);
	free(capture);
}
