/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "netbird/nft_rule.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netlink/attr.h>
#include <stdio.h>
#include <string.h>

#define REGISTERS_MAX	 5 /* NFT_REG_1 to NFT_REG_4; those of 32 bits overlap them */
#define ATTRIBUTES_MAX	 16
#define MAPPED_LEN	 12
#define PORT_DESTINATION 2 /* offset in the headers of TCP and UDP */

/* What a register holds. */
enum field {
	FIELD_NONE,
	FIELD_IIF,
	FIELD_MARK,
	FIELD_CT_STATE,
	FIELD_PROTOCOL,
	FIELD_SOURCE,
	FIELD_DESTINATION,
	FIELD_PORT,
	FIELD_CONSTANT,
};

struct nft_register {
	enum field field;
	uint8_t bytes[16]; /* the mask of a field, or a constant */
	uint8_t len;	   /* of the mask or the constant; 0: no mask */
};

/* A rule on the way through its expressions. */
struct reading {
	struct nft_rule *rule;
	uint8_t ip_version;
	struct nft_register registers[REGISTERS_MAX];
};

typedef int (*expression_fn)(struct reading *in, struct nlattr *const *attributes);

/* The register of an attribute, or NULL. */
static struct nft_register *reg(struct reading *in, const struct nlattr *attribute)
{
	uint32_t number = nftables_number(attribute, 0);

	return number && number < REGISTERS_MAX ? &in->registers[number] : NULL;
}

static size_t addr_len(const struct reading *in)
{
	return prefix_bits(in->ip_version) / 8;
}

/* The bytes of a value, at most 16; 0: there are none. */
static size_t read_value(struct nlattr *attribute, uint8_t bytes[16])
{
	struct nlattr *data[NFTA_DATA_MAX + 1];
	size_t len;

	if (!attribute || nla_parse_nested(data, NFTA_DATA_MAX, attribute, NULL) < 0 ||
	    !data[NFTA_DATA_VALUE])
		return 0;
	len = nla_len(data[NFTA_DATA_VALUE]);
	if (len > 16)
		return 0;
	memcpy(bytes, nla_data(data[NFTA_DATA_VALUE]), len);
	return len;
}

static int load(struct reading *in, const struct nlattr *to, enum field field)
{
	struct nft_register *loaded = reg(in, to);

	if (!loaded || field == FIELD_NONE)
		return -EOPNOTSUPP;
	*loaded = (struct nft_register){.field = field};
	return 0;
}

static int read_meta(struct reading *in, struct nlattr *const *attributes)
{
	enum field field = FIELD_NONE;

	switch (nftables_number(attributes[NFTA_META_KEY], UINT32_MAX)) {
	case NFT_META_IIFNAME:
		field = FIELD_IIF;
		break;
	case NFT_META_MARK:
		field = FIELD_MARK;
		break;
	case NFT_META_L4PROTO:
		field = FIELD_PROTOCOL;
		break;
	}
	return attributes[NFTA_META_SREG] ? -EOPNOTSUPP
					  : load(in, attributes[NFTA_META_DREG], field);
}

static int read_ct(struct reading *in, struct nlattr *const *attributes)
{
	bool is_state = nftables_number(attributes[NFTA_CT_KEY], UINT32_MAX) == NFT_CT_STATE;

	return load(in, attributes[NFTA_CT_DREG], is_state ? FIELD_CT_STATE : FIELD_NONE);
}

/* Which field of the headers is read; only whole ones are known. */
static int read_payload(struct reading *in, struct nlattr *const *attributes)
{
	uint32_t base = nftables_number(attributes[NFTA_PAYLOAD_BASE], UINT32_MAX);
	uint32_t at = nftables_number(attributes[NFTA_PAYLOAD_OFFSET], UINT32_MAX);
	uint32_t len = nftables_number(attributes[NFTA_PAYLOAD_LEN], 0);
	bool is_4 = in->ip_version == IP_VERSION_4;
	enum field field = FIELD_NONE;

	if (base == NFT_PAYLOAD_NETWORK_HEADER && len == addr_len(in))
		field = at == (is_4 ? 12 : 8)	 ? FIELD_SOURCE
			: at == (is_4 ? 16 : 24) ? FIELD_DESTINATION
						 : FIELD_NONE;
	else if (base == NFT_PAYLOAD_NETWORK_HEADER && len == 1 && at == (is_4 ? 9 : 6))
		field = FIELD_PROTOCOL;
	else if (base == NFT_PAYLOAD_TRANSPORT_HEADER && len == 2 && at == PORT_DESTINATION)
		field = FIELD_PORT;
	return attributes[NFTA_PAYLOAD_SREG] ? -EOPNOTSUPP
					     : load(in, attributes[NFTA_PAYLOAD_DREG], field);
}

/* A mask over a register that is read back into the same one. */
static int read_bitwise(struct reading *in, struct nlattr *const *attributes)
{
	static const uint8_t zero[16];
	struct nft_register *masked = reg(in, attributes[NFTA_BITWISE_SREG]);
	uint8_t flipped[16];
	size_t len = read_value(attributes[NFTA_BITWISE_XOR], flipped);

	if (!masked || masked != reg(in, attributes[NFTA_BITWISE_DREG]) || masked->len || !len ||
	    memcmp(flipped, zero, len) || masked->field == FIELD_CONSTANT ||
	    nftables_number(attributes[NFTA_BITWISE_OP], NFT_BITWISE_BOOL) != NFT_BITWISE_BOOL)
		return -EOPNOTSUPP;
	masked->len = read_value(attributes[NFTA_BITWISE_MASK], masked->bytes);
	return masked->len == len ? 0 : -EOPNOTSUPP;
}

/* How many bits a mask has at its beginning, or -1: others, too. */
static int mask_len(const uint8_t *mask, size_t len)
{
	size_t bits = 0;

	while (bits < len * 8 && mask[bits / 8] & 0x80 >> bits % 8)
		bits++;
	for (size_t bit = bits; bit < len * 8; bit++)
		if (mask[bit / 8] & 0x80 >> bit % 8)
			return -1;
	return bits;
}

static bool make_prefix(const struct reading *in, const uint8_t *bytes, int len,
			struct prefix *prefix)
{
	static const uint8_t mapped[MAPPED_LEN] = {[10] = 0xff, [11] = 0xff};
	struct prefix made = {
		.ip_version = in->ip_version,
		.len = prefix_bits(in->ip_version),
	};

	if (in->ip_version == IP_VERSION_4)
		memcpy(made.addr.bytes, mapped, MAPPED_LEN);
	memcpy(made.addr.bytes + sizeof(made.addr.bytes) - addr_len(in), bytes, addr_len(in));
	if (len < 0 || (in->ip_version == IP_VERSION_6 && !memcmp(bytes, mapped, MAPPED_LEN)))
		return false;
	*prefix = made;
	prefix_truncate(prefix, len);
	return !memcmp(&prefix->addr, &made.addr, sizeof(made.addr));
}

static struct nft_side *side_of(const struct reading *in, const struct nft_register *from)
{
	struct nft_side *side = from->field == FIELD_SOURCE	   ? &in->rule->source
				: from->field == FIELD_DESTINATION ? &in->rule->destination
								   : NULL;

	return side && !side->is_set && !side->is_prefix ? side : NULL;
}

static int compare_addr(struct reading *in, const struct nft_register *with, const uint8_t *bytes,
			size_t len)
{
	struct nft_side *side = side_of(in, with);
	int bits = with->len ? mask_len(with->bytes, with->len) : (int)addr_len(in) * 8;

	if (!side || len != addr_len(in) || (with->len && with->len != len) ||
	    !make_prefix(in, bytes, bits, &side->prefix))
		return -EOPNOTSUPP;
	side->is_prefix = true;
	return 0;
}

static int compare_iif(struct reading *in, const uint8_t *bytes, size_t len, bool is_equal)
{
	struct nft_rule *rule = in->rule;

	if (rule->has_iif || rule->is_iif_other || !len || bytes[len - 1])
		return -EOPNOTSUPP;
	rule->has_iif = is_equal;
	rule->is_iif_other = !is_equal;
	memcpy(rule->iif, bytes, len);
	return 0;
}

/* The mask of a state is in the byte order of this host, as the kernel writes it. */
static int compare_state(struct reading *in, const struct nft_register *with, const uint8_t *bytes)
{
	static const uint8_t zero[4];

	if (with->len != sizeof(zero) || memcmp(bytes, zero, sizeof(zero)) || in->rule->ct_states)
		return -EOPNOTSUPP;
	memcpy(&in->rule->ct_states, with->bytes, sizeof(in->rule->ct_states));
	return in->rule->ct_states ? 0 : -EOPNOTSUPP;
}

static int set_ports(struct reading *in, const uint8_t *first, const uint8_t *last)
{
	struct port_range ports = {first[0] << 8 | first[1], last[0] << 8 | last[1]};

	if (in->rule->ports.first || !ports.first || ports.first > ports.last)
		return -EOPNOTSUPP;
	in->rule->ports = ports;
	return 0;
}

/* nft(8) writes a range of ports as two comparisons. */
static int compare_port(struct reading *in, uint32_t op, const uint8_t *bytes)
{
	static const uint8_t highest[] = {0xff, 0xff};
	struct port_range *ports = &in->rule->ports;
	uint16_t port = bytes[0] << 8 | bytes[1];

	if (op == NFT_CMP_EQ)
		return set_ports(in, bytes, bytes);
	if (op == NFT_CMP_GTE)
		return set_ports(in, bytes, highest);
	if (op != NFT_CMP_LTE || ports->last != UINT16_MAX || port < ports->first)
		return -EOPNOTSUPP;
	ports->last = port;
	return 0;
}

/* A mark, which is in the byte order of this host, or a protocol. */
static int compare_number(struct reading *in, enum field field, const uint8_t *bytes, size_t len)
{
	struct nft_rule *rule = in->rule;

	if (field == FIELD_MARK && len == 4 && !rule->has_mark) {
		rule->has_mark = true;
		memcpy(&rule->mark, bytes, sizeof(rule->mark));
		return 0;
	}
	if (field != FIELD_PROTOCOL || len != 1 || rule->protocol >= 0)
		return -EOPNOTSUPP;
	rule->protocol = bytes[0];
	return 0;
}

static int read_cmp(struct reading *in, struct nlattr *const *attributes)
{
	const struct nft_register *with = reg(in, attributes[NFTA_CMP_SREG]);
	uint32_t op = nftables_number(attributes[NFTA_CMP_OP], UINT32_MAX);
	bool is_equal = op == NFT_CMP_EQ;
	uint8_t bytes[16];
	size_t len = read_value(attributes[NFTA_CMP_DATA], bytes);

	if (!with || !len)
		return -EOPNOTSUPP;
	if (with->field == FIELD_CT_STATE && op == NFT_CMP_NEQ && len == 4)
		return compare_state(in, with, bytes);
	if (with->field == FIELD_PORT && !with->len && len == 2)
		return compare_port(in, op, bytes);
	if (with->field == FIELD_IIF && !with->len && (is_equal || op == NFT_CMP_NEQ))
		return compare_iif(in, bytes, len, is_equal);
	if (!is_equal)
		return -EOPNOTSUPP;
	if (with->field == FIELD_SOURCE || with->field == FIELD_DESTINATION)
		return compare_addr(in, with, bytes, len);
	return with->len ? -EOPNOTSUPP : compare_number(in, with->field, bytes, len);
}

static int read_range(struct reading *in, struct nlattr *const *attributes)
{
	const struct nft_register *with = reg(in, attributes[NFTA_RANGE_SREG]);
	uint8_t first[16], last[16];

	if (!with || with->field != FIELD_PORT || with->len ||
	    nftables_number(attributes[NFTA_RANGE_OP], UINT32_MAX) != NFT_RANGE_EQ ||
	    read_value(attributes[NFTA_RANGE_FROM_DATA], first) != 2 ||
	    read_value(attributes[NFTA_RANGE_TO_DATA], last) != 2)
		return -EOPNOTSUPP;
	return set_ports(in, first, last);
}

static int read_lookup(struct reading *in, struct nlattr *const *attributes)
{
	const struct nft_register *with = reg(in, attributes[NFTA_LOOKUP_SREG]);
	const char *name = nftables_text(attributes[NFTA_LOOKUP_SET]);
	struct nft_side *side = with && !with->len ? side_of(in, with) : NULL;

	if (!side || attributes[NFTA_LOOKUP_DREG] || !*name || strlen(name) >= NFT_NAME_SIZE ||
	    nftables_number(attributes[NFTA_LOOKUP_FLAGS], 0))
		return -EOPNOTSUPP;
	side->is_set = true;
	strcpy(side->set, name);
	return 0;
}

static int read_counter(struct reading *in, struct nlattr *const *attributes)
{
	(void)in;
	(void)attributes;
	return 0;
}

static int read_verdict(struct reading *in, struct nlattr *attribute)
{
	struct nlattr *data[NFTA_DATA_MAX + 1], *verdict[NFTA_VERDICT_MAX + 1];
	const char *chain;

	if (nla_parse_nested(data, NFTA_DATA_MAX, attribute, NULL) < 0 ||
	    !data[NFTA_DATA_VERDICT] ||
	    nla_parse_nested(verdict, NFTA_VERDICT_MAX, data[NFTA_DATA_VERDICT], NULL) < 0)
		return -EOPNOTSUPP;
	chain = nftables_text(verdict[NFTA_VERDICT_CHAIN]);
	switch ((int)nftables_number(verdict[NFTA_VERDICT_CODE], NFT_BREAK)) {
	case 0: /* NF_DROP */
		in->rule->action = NFT_ACTION_DROP;
		return 0;
	case 1: /* NF_ACCEPT */
		in->rule->action = NFT_ACTION_ACCEPT;
		return 0;
	case NFT_JUMP:
		if (strlen(chain) >= NFT_NAME_SIZE)
			return -EOPNOTSUPP;
		in->rule->action = NFT_ACTION_JUMP;
		strcpy(in->rule->jump, chain);
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

/* A verdict, or a constant that is translated to. */
static int read_immediate(struct reading *in, struct nlattr *const *attributes)
{
	struct nft_register *to = reg(in, attributes[NFTA_IMMEDIATE_DREG]);

	if (!attributes[NFTA_IMMEDIATE_DATA])
		return -EOPNOTSUPP;
	if (!nftables_number(attributes[NFTA_IMMEDIATE_DREG], UINT32_MAX))
		return read_verdict(in, attributes[NFTA_IMMEDIATE_DATA]);
	if (!to)
		return -EOPNOTSUPP;
	to->field = FIELD_CONSTANT;
	to->len = read_value(attributes[NFTA_IMMEDIATE_DATA], to->bytes);
	return to->len ? 0 : -EOPNOTSUPP;
}

static int read_nat(struct reading *in, struct nlattr *const *attributes)
{
	const struct nft_register *addr = reg(in, attributes[NFTA_NAT_REG_ADDR_MIN]);
	const struct nft_register *port = reg(in, attributes[NFTA_NAT_REG_PROTO_MIN]);

	if (nftables_number(attributes[NFTA_NAT_TYPE], UINT32_MAX) != NFT_NAT_DNAT || !addr ||
	    !port || addr->field != FIELD_CONSTANT || port->field != FIELD_CONSTANT ||
	    addr->len != addr_len(in) || port->len != 2 ||
	    !make_prefix(in, addr->bytes, prefix_bits(in->ip_version), &in->rule->to))
		return -EOPNOTSUPP;
	in->rule->to_port = port->bytes[0] << 8 | port->bytes[1];
	in->rule->action = NFT_ACTION_DNAT;
	return 0;
}

static const struct {
	const char *name;
	expression_fn read;
	int max; /* the highest attribute that is known */
} expressions[] = {
	{"meta", read_meta, NFTA_META_SREG},
	{"ct", read_ct, NFTA_CT_KEY},
	{"payload", read_payload, NFTA_PAYLOAD_SREG},
	{"bitwise", read_bitwise, NFTA_BITWISE_OP},
	{"cmp", read_cmp, NFTA_CMP_DATA},
	{"range", read_range, NFTA_RANGE_TO_DATA},
	{"lookup", read_lookup, NFTA_LOOKUP_FLAGS},
	{"counter", read_counter, NFTA_COUNTER_PAD},
	{"immediate", read_immediate, NFTA_IMMEDIATE_DATA},
	{"nat", read_nat, NFTA_NAT_FLAGS},
};

/* Whether all attributes are among those that are known. */
static bool are_known(struct nlattr *nest, int max)
{
	struct nlattr *attribute;
	int left;

	nla_for_each_nested(attribute, nest, left) if (nla_type(attribute) > max) return false;
	return left <= 0;
}

static int read_expression(struct reading *in, struct nlattr *element, char why[NFT_WHY_SIZE])
{
	struct nlattr *parts[NFTA_EXPR_MAX + 1], *attributes[ATTRIBUTES_MAX + 1];
	const char *name;

	if (nla_parse_nested(parts, NFTA_EXPR_MAX, element, NULL) < 0)
		return -EOPNOTSUPP;
	name = nftables_text(parts[NFTA_EXPR_NAME]);
	snprintf(why, NFT_WHY_SIZE, "the expression '%.32s'", name);
	if (in->rule->action != NFT_ACTION_NONE || !parts[NFTA_EXPR_DATA])
		return -EOPNOTSUPP;
	for (size_t i = 0; i < sizeof(expressions) / sizeof(expressions[0]); i++) {
		_Static_assert(NFTA_NAT_FLAGS <= ATTRIBUTES_MAX, "the most that one has");
		if (strcmp(expressions[i].name, name))
			continue;
		if (!are_known(parts[NFTA_EXPR_DATA], expressions[i].max) ||
		    nla_parse_nested(attributes, ATTRIBUTES_MAX, parts[NFTA_EXPR_DATA], NULL) < 0)
			return -EOPNOTSUPP;
		return expressions[i].read(in, attributes);
	}
	return -EOPNOTSUPP;
}

/**
 * nft_rule_chain() - The chain of a rule
 * @message: an NFT_MSG_NEWRULE
 *
 * Return: its name, in @message; empty: there is none.
 */
const char *nft_rule_chain(const struct nftables_message *message)
{
	struct nlattr *attributes[NFTA_RULE_MAX + 1];

	return nftables_attributes(message, attributes, NFTA_RULE_MAX)
		       ? ""
		       : nftables_text(attributes[NFTA_RULE_CHAIN]);
}

/**
 * nft_rule_read() - Take a rule apart
 * @message: an NFT_MSG_NEWRULE
 * @ip_version: enum ip_version: of its table
 * @rule: is filled, also on failure
 * @why: on failure, what is not understood
 *
 * What every expression does is known, or the rule is refused: what is passed over might narrow it.
 *
 * Return: 0 or -EOPNOTSUPP.
 */
int nft_rule_read(const struct nftables_message *message, uint8_t ip_version, struct nft_rule *rule,
		  char why[NFT_WHY_SIZE])
{
	struct reading in = {.rule = rule, .ip_version = ip_version};
	struct nlattr *attributes[NFTA_RULE_MAX + 1], *element;
	int left, err = 0;

	*rule = (struct nft_rule){.protocol = -1};
	snprintf(why, NFT_WHY_SIZE, "a rule without a form");
	if (nftables_attributes(message, attributes, NFTA_RULE_MAX) ||
	    strlen(nftables_text(attributes[NFTA_RULE_CHAIN])) >= NFT_NAME_SIZE)
		return -EOPNOTSUPP;
	strcpy(rule->chain, nftables_text(attributes[NFTA_RULE_CHAIN]));
	if (!attributes[NFTA_RULE_EXPRESSIONS])
		return 0;
	nla_for_each_nested(element, attributes[NFTA_RULE_EXPRESSIONS], left)
	{
		err = read_expression(&in, element, why);
		if (err)
			break;
	}
	return err;
}
