/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "netbird/dns_answer.h"

#include <arpa/nameser.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <resolv.h>
#include <stdbool.h>
#include <string.h>

#define RECORDS_MAX 512 /* that are looked at */
#define ALIASES_MAX 16	/* one after the other */
#define TTL_SIGN    0x80000000u

_Static_assert(DNS_NAME_SIZE == NS_MAXDNAME, "a name fits");

/* Where reading is; nothing at or behind @end is read. */
struct cursor {
	const uint8_t *message;
	const uint8_t *end;
	const uint8_t *at;
};

/* A record: who has it, and where its data are. */
struct record {
	char owner[DNS_NAME_SIZE];
	uint16_t type;
	uint16_t class_in;
	uint32_t ttl_s;
	uint16_t len;
	const uint8_t *data;
};

static size_t left(const struct cursor *cursor)
{
	return cursor->end - cursor->at;
}

/* Names are compared as text, so that their case must not matter. */
static void to_lower(char *text)
{
	for (; *text; text++)
		*text = tolower((unsigned char)*text);
}

/* libresolv follows compressed names only backwards and within the message. */
static int read_name(struct cursor *cursor, const uint8_t *at, char *name)
{
	int n = dn_expand(cursor->message, cursor->end, at, name, DNS_NAME_SIZE);

	if (n < 0)
		return -EBADMSG;
	to_lower(name);
	return n;
}

/* Read the question: one, for the addresses of a name. */
static int read_question(struct cursor *cursor, char *name)
{
	int n = read_name(cursor, cursor->at, name);
	uint16_t type, class_in;

	if (n < 0)
		return n;
	cursor->at += n;
	if (left(cursor) < NS_QFIXEDSZ)
		return -EBADMSG;
	NS_GET16(type, cursor->at);
	NS_GET16(class_in, cursor->at);
	return class_in == ns_c_in && (type == ns_t_a || type == ns_t_aaaa) ? 0 : -ENOMSG;
}

/* Read the next record; what is cut off ends the message. */
static int read_record(struct cursor *cursor, struct record *record)
{
	int n = left(cursor) ? read_name(cursor, cursor->at, record->owner) : -EBADMSG;

	if (n < 0)
		return n;
	cursor->at += n;
	if (left(cursor) < NS_RRFIXEDSZ)
		return -EBADMSG;
	NS_GET16(record->type, cursor->at);
	NS_GET16(record->class_in, cursor->at);
	NS_GET32(record->ttl_s, cursor->at);
	NS_GET16(record->len, cursor->at);
	if (left(cursor) < record->len)
		return -EBADMSG;
	record->data = cursor->at;
	cursor->at += record->len;
	if (record->ttl_s & TTL_SIGN) /* RFC 2181, 8 */
		record->ttl_s = 0;
	return 0;
}

/* An alias of the name: go on with what it stands for. */
static bool follow_alias(struct cursor *cursor, const struct record *record, char *name,
			 uint32_t *ttl_s)
{
	char target[DNS_NAME_SIZE];

	if (record->type != ns_t_cname || strcmp(record->owner, name) ||
	    read_name(cursor, record->data, target) < 0)
		return false;
	strcpy(name, target);
	if (record->ttl_s < *ttl_s)
		*ttl_s = record->ttl_s;
	return true;
}

/* An address of the name; IPv6 addresses in ::ffff:0:0/96 are none. */
static void add_address(const struct record *record, uint32_t ttl_s, struct dns_answer *answer)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct dns_address *address = &answer->addresses[answer->n];
	struct prefix prefix = {.ip_version = 0};

	if (record->type == ns_t_a && record->len == NS_INADDRSZ) {
		prefix.ip_version = IP_VERSION_4;
		memcpy(prefix.addr.bytes, mapped, sizeof(mapped));
		memcpy(&prefix.addr.word[3], record->data, NS_INADDRSZ);
	} else if (record->type == ns_t_aaaa && record->len == NS_IN6ADDRSZ &&
		   memcmp(record->data, mapped, sizeof(mapped))) {
		prefix.ip_version = IP_VERSION_6;
		memcpy(prefix.addr.bytes, record->data, NS_IN6ADDRSZ);
	}
	if (!prefix.ip_version || answer->n == DNS_ADDRESSES_MAX)
		return;
	prefix.len = prefix_bits(prefix.ip_version);
	address->prefix = prefix;
	address->ttl_s = record->ttl_s < ttl_s ? record->ttl_s : ttl_s;
	answer->n++;
}

/* Read the records of a name; true: it is an alias, and @name now what it stands for. */
static bool read_records(struct cursor cursor, unsigned int n, char *name, uint32_t *ttl_s,
			 struct dns_answer *answer)
{
	struct record record;

	for (unsigned int i = 0; i < n && i < RECORDS_MAX && !read_record(&cursor, &record); i++) {
		if (record.class_in != ns_c_in)
			continue;
		if (follow_alias(&cursor, &record, name, ttl_s))
			return true;
		if (!strcmp(record.owner, name))
			add_address(&record, *ttl_s, answer);
	}
	return false;
}

/* An alias may stand behind what it stands for, so after each the records are read anew. */
static void read_answers(const struct cursor *cursor, unsigned int n, struct dns_answer *answer)
{
	uint32_t ttl_s = DNS_TTL_MAX_S;
	char name[DNS_NAME_SIZE];
	int aliases = 0;

	strcpy(name, answer->name);
	while (read_records(*cursor, n, name, &ttl_s, answer) && aliases < ALIASES_MAX)
		aliases++;
}

/**
 * dns_answer_parse() - Read an answer
 * @message: the message
 * @len: what there is of it; it may be cut off
 * @answer: receives the name, and the addresses of the records that are whole
 *
 * A message that says that it was cut off (TC) holds what it holds.
 *
 * Return: 0; -EBADMSG: it is no DNS message; -ENOMSG: it is no answer to a question for addresses,
 * or says that there are none.
 */
int dns_answer_parse(const uint8_t *message, size_t len, struct dns_answer *answer)
{
	struct cursor cursor = {.message = message, .end = message + len, .at = message};
	uint16_t flags, questions, answers;
	int err;

	if (len < NS_HFIXEDSZ)
		return -EBADMSG;
	cursor.at += NS_INT16SZ; /* the id */
	NS_GET16(flags, cursor.at);
	NS_GET16(questions, cursor.at);
	NS_GET16(answers, cursor.at);
	cursor.at = message + NS_HFIXEDSZ;
	/* QR, opcode 0, rcode 0 */
	if ((flags & 0xf80f) != 0x8000 || questions != 1)
		return -ENOMSG;
	answer->n = 0;
	err = read_question(&cursor, answer->name);
	if (err)
		return err;
	read_answers(&cursor, answers, answer);
	return 0;
}

/* ---- the packet around it ---- */

/* A TCP segment with a whole message, as an answer is written at once (RFC 7766, 8). */
static int find_in_tcp(const uint8_t *segment, size_t len, const uint8_t **message,
		       size_t *message_len)
{
	struct tcphdr tcp;
	uint16_t said;
	size_t at;

	if (len < sizeof(tcp))
		return -EBADMSG;
	memcpy(&tcp, segment, sizeof(tcp));
	at = tcp.th_off * 4u;
	if (at < sizeof(tcp) || len < at + NS_INT16SZ)
		return -EBADMSG;
	*message = segment + at;
	NS_GET16(said, *message);
	*message_len = said;
	return said == len - at - NS_INT16SZ ? 0 : -EBADMSG;
}

static int find_in_udp(const uint8_t *datagram, size_t len, const uint8_t **message,
		       size_t *message_len)
{
	struct udphdr udp;
	size_t said;

	if (len < sizeof(udp))
		return -EBADMSG;
	memcpy(&udp, datagram, sizeof(udp));
	said = ntohs(udp.uh_ulen);
	if (said < sizeof(udp))
		return -EBADMSG;
	*message = datagram + sizeof(udp);
	*message_len = (said < len ? said : len) - sizeof(udp);
	return 0;
}

/**
 * dns_answer_find() - Find the DNS message in a packet
 * @packet: an IPv4 packet; of a fragmented one the first fragment
 * @len: what there is of it
 * @message: set to the message, in @packet
 * @message_len: set to what there is of it
 *
 * Return: 0; -EBADMSG: there is none.
 */
int dns_answer_find(const uint8_t *packet, size_t len, const uint8_t **message, size_t *message_len)
{
	struct iphdr ip;
	size_t at;

	if (len < sizeof(ip))
		return -EBADMSG;
	memcpy(&ip, packet, sizeof(ip));
	at = ip.ihl * 4u;
	if (ip.version != 4 || at < sizeof(ip) || ntohs(ip.frag_off) & IP_OFFMASK)
		return -EBADMSG;
	if (ntohs(ip.tot_len) &&
	    ntohs(ip.tot_len) < len) /* 0: more than fits, before segmentation */
		len = ntohs(ip.tot_len);
	if (len < at)
		return -EBADMSG;
	switch (ip.protocol) {
	case IPPROTO_UDP:
		return find_in_udp(packet + at, len - at, message, message_len);
	case IPPROTO_TCP:
		return find_in_tcp(packet + at, len - at, message, message_len);
	default:
		return -EBADMSG;
	}
}
