/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "simulate/fields.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/value.h"
#include "packet/build.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define SECONDS_MAX (366 * 24 * 3600.0L) /* as duration_parse() */

static const char *const direction_names[] = {"in", "out", NULL};

/* What the keys of an entry said, before it is known whether they go together. */
struct fields {
	struct packet_spec spec;
	struct expectation expect;
	union addr src;
	union addr dst;
	uint16_t protocol; /* as protocol_parse() */
	uint16_t ethertype;
	uint8_t icmp_type;
	uint8_t src_version;
	uint8_t dst_version;
	uint8_t direction;
	bool trace;
};

static int read_number(const struct yaml_doc *doc, const struct yaml_node *node, uint64_t max,
		       uint64_t *number, struct error *error)
{
	int err = yaml_expect(doc, node, YAML_SCALAR, "a number", error);

	if (err)
		return err;
	if (number_parse(node->text, 0, max, number, error))
		return yaml_locate(doc, node->position, error);
	return 0;
}

static int read_u8(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	uint64_t number;
	int err = read_number(in->doc, node, UINT8_MAX, &number, in->error);

	if (!err)
		*(uint8_t *)to = (uint8_t)number;
	return err;
}

static int read_u16(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	uint64_t number;
	int err = read_number(in->doc, node, UINT16_MAX, &number, in->error);

	if (!err)
		*(uint16_t *)to = (uint16_t)number;
	return err;
}

static int read_u32(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	uint64_t number;
	int err = read_number(in->doc, node, UINT32_MAX, &number, in->error);

	if (!err)
		*(uint32_t *)to = (uint32_t)number;
	return err;
}

/* EtherTypes are written in hexadecimal by people and in decimal by JSON. */
static int read_ethertype(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	unsigned long number;
	char *end;
	int err;

	err = yaml_expect(in->doc, node, YAML_SCALAR, "an EtherType", in->error);
	if (err)
		return err;
	if (strncmp(node->text, "0x", 2))
		return read_u16(in, node, to);
	errno = 0;
	number = strtoul(node->text, &end, 16);
	if (*end || errno || number > UINT16_MAX)
		return yaml_error(in->doc, node->position, in->error,
				  "'%.80s' is not from 0x0 to 0xffff", node->text);
	*(uint16_t *)to = (uint16_t)number;
	return 0;
}

static int read_addr(const struct yaml_doc *doc, const struct yaml_node *node, union addr *addr,
		     uint8_t *ip_version, struct error *error)
{
	int err = yaml_expect(doc, node, YAML_SCALAR, "an address", error);

	if (err)
		return err;
	if (addr_parse(node->text, addr, ip_version, error))
		return yaml_locate(doc, node->position, error);
	return 0;
}

static int read_src(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	struct fields *fields = to;

	return read_addr(in->doc, node, &fields->src, &fields->src_version, in->error);
}

static int read_dst(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	struct fields *fields = to;

	return read_addr(in->doc, node, &fields->dst, &fields->dst_version, in->error);
}

/* Read the protocol of a packet. */
static int read_protocol(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	uint16_t protocol;
	int err;

	err = yaml_expect(in->doc, node, YAML_SCALAR, "a protocol", in->error);
	if (err)
		return err;
	if (protocol_parse(node->text, &protocol, in->error))
		return yaml_locate(in->doc, node->position, in->error);
	if (protocol == PROTOCOL_ALL)
		return yaml_error(
			in->doc, node->position, in->error,
			"'all' is not the protocol of a packet (tcp, udp, icmp or 0-255)");
	*(uint16_t *)to = protocol;
	return 0;
}

static int read_direction(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	unsigned int choice;
	int err = yaml_read_choice(in->doc, node, direction_names, &choice, in->error);

	if (!err)
		*(uint8_t *)to = choice ? DIR_EGRESS : DIR_INGRESS;
	return err;
}

/* Read a list of TCP flags. */
static int read_flags(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	const char *names[PACKET_TCP_FLAGS + 1] = {NULL};
	const struct yaml_node *item;
	unsigned int choice;
	uint8_t flags = 0;
	int err;

	memcpy(names, packet_tcp_flag_names, sizeof(packet_tcp_flag_names));
	err = yaml_expect(in->doc, node, YAML_SEQUENCE, "a list of TCP flags", in->error);
	if (err)
		return err;
	for (item = yaml_list_first(node); item; item = yaml_list_next(node, item)) {
		err = yaml_read_choice(in->doc, item, names, &choice, in->error);
		if (err)
			return err;
		flags |= 1 << choice;
	}
	*(uint8_t *)to = flags;
	return 0;
}

/* Read the fields of an ICMP message. */
static int read_icmp(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	static const struct yaml_field icmp_fields[] = {
		{"type", read_u8, offsetof(struct fields, icmp_type)},
		{"code", read_u8, offsetof(struct fields, spec.icmp_code)},
		{"id", read_u16, offsetof(struct fields, spec.icmp_id)},
		{"seq", read_u16, offsetof(struct fields, spec.icmp_seq)},
	};
	struct fields *fields = to;
	int err;

	err = yaml_read_fields(in, node, icmp_fields, ARRAY_SIZE(icmp_fields), fields);
	if (!err && yaml_get(node, "type"))
		fields->spec.icmp_type = fields->icmp_type;
	return err;
}

static int read_fragment(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	static const struct yaml_field fragment_fields[] = {
		{"id", read_u32, offsetof(struct fields, spec.frag_id)},
		{"offset", read_u32, offsetof(struct fields, spec.frag_off)},
		{"more", yaml_read_bool, offsetof(struct fields, spec.frag_more)},
	};
	struct fields *fields = to;

	fields->spec.is_fragment = true;
	return yaml_read_fields(in, node, fragment_fields, ARRAY_SIZE(fragment_fields), fields);
}

/**
 * fields_read_time() - Read a virtual time
 * @in: the document, and where errors go
 * @node: a duration as in policies, or seconds with a fraction or exponent ("7.5s", "1e+06s")
 * @to: uint64_t, nanoseconds
 *
 * Return: 0 or -EINVAL.
 */
int fields_read_time(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	long double seconds;
	char *end;
	int err;

	err = yaml_expect(in->doc, node, YAML_SCALAR, "a time", in->error);
	if (err)
		return err;
	if (node->text[0] >= '0' && node->text[0] <= '9' && strpbrk(node->text, ".eE") &&
	    !strpbrk(node->text, "xX")) {
		seconds = strtold(node->text, &end);
		if ((!*end || !strcmp(end, "s")) && seconds <= SECONDS_MAX) {
			*(uint64_t *)to = (uint64_t)(seconds * NS_PER_S + 0.5L);
			return 0;
		}
	}
	if (duration_parse(node->text, to, in->error))
		return yaml_locate(in->doc, node->position, in->error);
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Bytes in hexadecimal, with blanks between them where that helps reading. */
static int read_hex(const struct yaml_doc *doc, const struct yaml_node *node,
		    uint8_t buf[PACKET_MAX_LEN], size_t *len, struct error *error)
{
	const char *c;
	size_t n = 0;
	int err;

	/* An empty packet is one: hex: "" */
	err = yaml_expect(doc, node, YAML_SCALAR, "hex digits", error);
	if (err)
		return err;
	for (c = node->text; *c; c++) {
		if (*c == ' ')
			continue;
		if (hex_digit(c[0]) < 0 || hex_digit(c[1]) < 0)
			return yaml_error(doc, node->position, error,
					  "hex: digit %zu is not one of a pair of hex digits",
					  (size_t)(c - node->text) + (hex_digit(c[0]) < 0 ? 1 : 2));
		if (n == PACKET_MAX_LEN)
			return yaml_error(doc, node->position, error,
					  "hex: a packet has at most %d bytes", PACKET_MAX_LEN);
		buf[n++] = (uint8_t)(hex_digit(c[0]) << 4 | hex_digit(c[1]));
		c++;
	}
	*len = n;
	return 0;
}

static int refuse_keys(const struct yaml_doc *doc, const struct yaml_node *node,
		       const char *const *keys, const char *why, struct error *error)
{
	for (; *keys; keys++) {
		const struct yaml_node *value = yaml_get(node, *keys);

		if (value)
			return yaml_error(doc, value->key_position, error, "'%s' %s", *keys, why);
	}
	return 0;
}

_Static_assert(PORT_PROTOCOL_MAX == 2, "sentences below name the protocols with ports");

/* Keys that say something about a header which the packet does not have. */
static int check_protocol_keys(const struct yaml_doc *doc, const struct yaml_node *node,
			       const struct packet_spec *spec, struct error *error)
{
	static const char *const port_keys[] = {"sport", "dport", NULL};
	static const char *const tcp_keys[] = {"flags", "mss", "seq", "ack", NULL};
	static const char *const icmp_keys[] = {"icmp", NULL};
	bool is_tcp = spec->l4_proto == IPPROTO_TCP;
	bool has_ports = l4_has_ports(spec->l4_proto);
	bool is_icmp = spec->l4_proto == IPPROTO_ICMP || spec->l4_proto == IPPROTO_ICMPV6;
	bool is_whole = !spec->is_fragment || spec->frag_off == 0;
	int err = 0;

	if (!has_ports)
		err = refuse_keys(doc, node, port_keys, "is only for tcp and udp", error);
	if (!err && !is_tcp)
		err = refuse_keys(doc, node, tcp_keys, "is only for tcp", error);
	if (!err && !is_icmp)
		err = refuse_keys(doc, node, icmp_keys, "is only for icmp", error);
	if (!err && has_ports && is_whole)
		err = yaml_require(doc, node, "sport", error);
	if (!err && has_ports && is_whole)
		err = yaml_require(doc, node, "dport", error);
	return err;
}

/* Build the packet that an entry's fields describe. */
static int build_fields(const struct yaml_reader *in, const struct yaml_node *node,
			struct fields *fields, uint8_t buf[PACKET_MAX_LEN], size_t *len)
{
	static const char *const required[] = {"src", "dst", "protocol"};
	struct packet_spec *spec = &fields->spec;
	size_t i;
	int err;

	for (i = 0; i < ARRAY_SIZE(required); i++) {
		err = yaml_require(in->doc, node, required[i], in->error);
		if (err)
			return err;
	}
	if (fields->src_version != fields->dst_version)
		return yaml_error(in->doc, yaml_get(node, "dst")->position, in->error,
				  "src and dst are not of the same family");
	spec->saddr = fields->src;
	spec->daddr = fields->dst;
	spec->ip_version = fields->src_version;
	spec->l4_proto = fields->protocol == PROTOCOL_ICMP ? packet_icmp_proto(spec->ip_version)
							   : (uint8_t)fields->protocol;
	err = check_protocol_keys(in->doc, node, spec, in->error);
	if (err)
		return err;
	if (yaml_get(node, "mss") && !spec->mss)
		return yaml_error(in->doc, yaml_get(node, "mss")->position, in->error,
				  "'%s' is not a number from 1 to 65535",
				  yaml_get(node, "mss")->text);
	if (packet_build(spec, buf, PACKET_MAX_LEN, len, in->error))
		return yaml_locate(in->doc, node->position, in->error);
	return 0;
}

/* The bytes of the entry's packet, from its hex or from its fields. */
static int read_bytes(const struct yaml_doc *doc, const struct yaml_node *node,
		      struct fields *fields, struct scenario_step *step, struct error *error)
{
	static const char *const field_keys[] = {
		"src", "dst", "protocol", "sport",    "dport",	 "flags", "mss",
		"seq", "ack", "icmp",	  "fragment", "payload", "ttl",	  NULL};
	const struct yaml_node *hex = yaml_get(node, "hex");
	uint8_t buf[PACKET_MAX_LEN];
	size_t len;
	int err;

	if (hex) {
		err = refuse_keys(doc, node, field_keys, "and 'hex' exclude each other", error);
		if (!err)
			err = read_hex(doc, hex, buf, &len, error);
	} else {
		err = build_fields(&(struct yaml_reader){.doc = doc, .error = error}, node, fields,
				   buf, &len);
	}
	if (err)
		return err;
	step->bytes = malloc(len ? len : 1);
	if (!step->bytes)
		return error_set(error, ENOMEM, "scenario: %s", strerror(ENOMEM));
	memcpy(step->bytes, buf, len);
	step->len = (uint32_t)len;
	if (!hex && fields->spec.l4_proto == IPPROTO_TCP && !fields->spec.is_fragment)
		step->tcp_off = packet_ip_header_len(fields->spec.ip_version);
	return 0;
}

/**
 * fields_read_packet() - Read an entry that is a packet
 * @doc: for positions in errors
 * @node: a mapping; its keys "at" and "interface" are left to the caller
 * @ethernet: the link has headers, so an entry may say its EtherType
 * @step: becomes the packet; its time and position are not touched
 * @error: what is wrong with the entry
 *
 * Return: 0, -EINVAL or -ENOMEM.  @step->bytes is the caller's to free either way.
 */
int fields_read_packet(const struct yaml_doc *doc, const struct yaml_node *node, bool ethernet,
		       struct scenario_step *step, struct error *error)
{
	static const struct yaml_field packet_fields[] = {
		{"at", NULL, 0},
		{"interface", NULL, 0},
		{"direction", read_direction, offsetof(struct fields, direction)},
		{"src", read_src, 0},
		{"dst", read_dst, 0},
		{"protocol", read_protocol, offsetof(struct fields, protocol)},
		{"sport", read_u16, offsetof(struct fields, spec.sport)},
		{"dport", read_u16, offsetof(struct fields, spec.dport)},
		{"flags", read_flags, offsetof(struct fields, spec.tcp_flags)},
		{"mss", read_u16, offsetof(struct fields, spec.mss)},
		{"seq", read_u32, offsetof(struct fields, spec.seq)},
		{"ack", read_u32, offsetof(struct fields, spec.ack)},
		{"icmp", read_icmp, 0},
		{"fragment", read_fragment, 0},
		{"payload", read_u32, offsetof(struct fields, spec.payload_len)},
		{"ttl", read_u8, offsetof(struct fields, spec.ttl)},
		{"hex", NULL, 0},
		{"ethertype", read_ethertype, offsetof(struct fields, ethertype)},
		{"trace", yaml_read_bool, offsetof(struct fields, trace)},
		{"expect", expectation_read, offsetof(struct fields, expect)},
	};
	const struct yaml_node *ethertype = yaml_get(node, "ethertype");
	const struct yaml_reader in = {.doc = doc, .error = error};
	struct fields fields = {0};
	int err;

	packet_spec_init(&fields.spec);
	fields.spec.seq = 0;
	fields.spec.has_ack = true;
	err = yaml_read_fields(&in, node, packet_fields, ARRAY_SIZE(packet_fields), &fields);
	if (!err)
		err = yaml_require(doc, node, "direction", error);
	if (!err && ethertype && !ethernet)
		err = yaml_error(doc, ethertype->key_position, error,
				 "'ethertype' is only for link: ethernet");
	if (!err)
		err = read_bytes(doc, node, &fields, step, error);
	if (err)
		return err;
	if (!ethertype)
		fields.ethertype = step->len && step->bytes[0] >> 4 == 6 ? ETH_P_IPV6 : ETH_P_IP;
	step->ethertype = fields.ethertype;
	step->direction = fields.direction;
	step->kind = fields.trace ? SCENARIO_TRACE : SCENARIO_PACKET;
	step->has_seq = yaml_get(node, "seq");
	step->has_ack = yaml_get(node, "ack");
	step->expect = fields.expect;
	return 0;
}
