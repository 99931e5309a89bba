/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Translation of addresses and ports, and back for what ICMP errors quote.
 */
#include "model/way.h"

/* The port that serves what is asked of a port of this host; 0: the port itself. */
static uint16_t serving_port(const struct model *model, const union addr *dst, uint8_t version,
			     uint8_t proto, uint16_t port)
{
	const struct policy *policy = model->policy;
	uint16_t to = 0;

	if (!model_is_loopback(dst, version) && model_local_kind(model, dst, version) == LOCAL_NONE)
		return 0;
	for (size_t i = 0; i < policy->n_nat_port; i++) {
		const struct nat_port_rule *rule = &policy->nat_port[i];

		if (rule->l4_proto != proto || rule->port != port)
			continue;
		if (rule->ip_version == version && model_addr_same(&rule->addr, dst))
			return rule->to;
		if (!rule->ip_version)
			to = rule->to;
	}
	return to;
}

static const union addr *original_of(const struct model *model, const union addr *addr,
				     uint8_t version)
{
	const struct policy *policy = model->policy;

	for (size_t i = 0; i < policy->n_one_to_one; i++)
		if (policy->one_to_one[i].ip_version == version &&
		    model_addr_same(&policy->one_to_one[i].translated, addr))
			return &policy->one_to_one[i].original;
	return NULL;
}

static const union addr *translated_of(const struct model *model, const union addr *addr,
				       uint8_t version)
{
	const struct policy *policy = model->policy;

	for (size_t i = 0; i < policy->n_one_to_one; i++)
		if (policy->one_to_one[i].ip_version == version &&
		    model_addr_same(&policy->one_to_one[i].original, addr))
			return &policy->one_to_one[i].translated;
	return NULL;
}

/**
 * model_translate_in() - Translate a packet that has arrived
 */
void model_translate_in(struct model_way *way)
{
	struct model_packet *p = way->p;
	const union addr *original = original_of(way->model, &p->src, p->version);
	uint16_t port = 0;

	if (original)
		model_set_addr(p, true, original);
	if ((p->proto == TCP || p->proto == UDP) && !p->first_fragment && !p->later_fragment)
		port = serving_port(way->model, &p->dst, p->version, p->proto, p->dport);
	if (port && !model_answers_this_host(way)) {
		way->asked_port = p->dport;
		model_set_port(p, false, port);
	}
}

/**
 * model_translate_out() - Translate a packet that is about to leave
 */
void model_translate_out(struct model_way *way)
{
	struct model_packet *p = way->p;
	const union addr *translated = translated_of(way->model, &p->dst, p->version);

	if (translated)
		model_set_addr(p, false, translated);
	if (way->asked_port && way->model->policy->n_nat_port && !p->first_fragment &&
	    !p->later_fragment)
		model_set_port(p, true, way->asked_port);
}

#define QUOTED_HOPOPTS_MAX 64 /* longer hop-by-hop headers are not looked behind */

/*
 * Go on to the transport header of a quoted IPv6 packet, behind a hop-by-hop or a fragment header;
 * false where it shows none.  @next is what the header before says of it.
 */
static bool skip_extension(const struct model_packet *p, uint8_t *next, uint32_t *at)
{
	const uint8_t *header = p->bytes + *at;
	uint32_t len = 8;

	if (*next != 0 && *next != 44)
		return true;
	if (*at + 8 > p->end)
		return false;
	if (*next == 0)
		len = header[1] * 8 + 8;
	else if (model_get16(header + 2) & 0xfff8)
		return false;
	*next = header[0];
	*at += len;
	return len <= QUOTED_HOPOPTS_MAX;
}

/* The headers of the packet that an error quotes; false where they do not show its flow. */
static bool read_headers(const struct model_packet *p, struct model_quote *quote)
{
	const uint8_t *ip = p->bytes + p->l4 + 8;
	uint32_t header = p->version == 4 ? 20 : 40;
	struct model_tuple *wire = &quote->wire;

	quote->ip = p->l4 + 8;
	if (quote->ip + header > p->end || ip[0] >> 4 != p->version)
		return false;
	if (p->version == 4) {
		header = (ip[0] & 0xf) * 4;
		if (header < 20 || model_get16(ip + 6) & 0x1fff)
			return false;
	}
	wire->version = p->version;
	wire->proto = p->version == 4 ? ip[9] : ip[6];
	wire->src = model_get_addr(ip + (p->version == 4 ? 12 : 8), p->version);
	wire->dst = model_get_addr(ip + (p->version == 4 ? 16 : 24), p->version);
	quote->l4 = quote->ip + header;
	return p->version == 4 || skip_extension(p, &wire->proto, &quote->l4);
}

/**
 * model_read_wire_quote() - What packet an ICMP error quotes, as that was on the wire
 * @p: the error
 * @quote: set to the packet, but for @tuple
 *
 * Return: false where that is not to be known.
 */
bool model_read_wire_quote(const struct model_packet *p, struct model_quote *quote)
{
	struct model_tuple *wire = &quote->wire;
	const uint8_t *l4;

	*quote = (struct model_quote){};
	if (!read_headers(p, quote))
		return false;
	l4 = p->bytes + quote->l4;
	if (wire->proto != TCP && wire->proto != UDP && wire->proto != p->proto) {
		/* only its protocol is known of its flow */
	} else if (quote->l4 + 8 > p->end) {
		return false;
	} else if (wire->proto != p->proto) {
		wire->sport = model_get16(l4);
		wire->dport = model_get16(l4 + 2);
	} else {
		wire->sport = model_get16(l4 + 4);
		wire->echo_reply = model_is_reply(p->version, l4[0]);
		if (!wire->echo_reply && !model_is_request(p->version, l4[0]))
			return false;
	}
	return true;
}

/**
 * model_read_quote() - What an ICMP error says of the packet that it quotes
 * @way: the error
 * @quote: set to the packet
 *
 * Return: false where that is not to be known.
 */
bool model_read_quote(const struct model_way *way, struct model_quote *quote)
{
	struct model_tuple *wire = &quote->wire;
	const union addr *original;
	uint16_t port = 0;

	if (!model_read_wire_quote(way->p, quote))
		return false;
	if (wire->proto == TCP || wire->proto == UDP)
		port = serving_port(way->model, &wire->src, wire->version, wire->proto,
				    wire->sport);
	quote->tuple = *wire;
	original = original_of(way->model, &wire->dst, wire->version);
	if (original)
		quote->tuple.dst = *original;
	if (port && !model_has_flow(way, &quote->tuple))
		quote->tuple.sport = port;
	return true;
}

static void set_quoted_addr(struct model_packet *p, const struct model_quote *quote, bool source,
			    const union addr *to)
{
	if (p->version == 4)
		model_set_quoted(p, quote->ip + (source ? 12 : 16), to->bytes + 12, 4,
				 quote->ip + 10);
	else
		model_set_quoted(p, quote->ip + (source ? 8 : 24), to->bytes, 16, 0);
}

static void set_quoted_port(struct model_packet *p, uint32_t at, uint16_t to)
{
	const uint8_t bytes[2] = {to >> 8, to & 0xff};

	model_set_quoted(p, at, bytes, sizeof(bytes), 0);
}

/**
 * model_set_quoted_end() - Have an error quote a packet with another end
 * @p: the error
 * @quote: what it quotes, with ports or an identifier
 * @source: the end that has sent it, else the one that was to get it
 * @addr, @port: the end
 */
void model_set_quoted_end(struct model_packet *p, const struct model_quote *quote, bool source,
			  const union addr *addr, uint16_t port)
{
	bool has_ports = quote->wire.proto == TCP || quote->wire.proto == UDP;

	set_quoted_addr(p, quote, source, addr);
	if (model_is_by_address(quote->wire.proto))
		return;
	set_quoted_port(p, quote->l4 + (!has_ports ? 4 : source ? 0 : 2), port);
}

/**
 * model_translate_quote() - Have an error that came in quote the packet as its sender knows it
 * @way: the error
 * @quote: what it quotes
 */
void model_translate_quote(struct model_way *way, const struct model_quote *quote)
{
	const struct model_tuple *wire = &quote->wire, *tuple = &quote->tuple;

	if (!model_addr_same(&wire->dst, &tuple->dst))
		set_quoted_addr(way->p, quote, false, &tuple->dst);
	if (wire->sport != tuple->sport)
		set_quoted_port(way->p, quote->l4, tuple->sport);
}

/**
 * model_translate_quote_out() - Have an error that leaves quote a packet as the peer knows it
 * @way: the error
 * @quote: what it quotes
 * @asked_port: the port that the peer has sent it to, where another one serves it; else 0
 */
void model_translate_quote_out(struct model_way *way, const struct model_quote *quote,
			       uint16_t asked_port)
{
	const union addr *translated = translated_of(way->model, &quote->wire.src,
						     quote->wire.version);

	if (asked_port && way->model->policy->n_nat_port)
		set_quoted_port(way->p, quote->l4 + 2, asked_port);
	if (translated)
		set_quoted_addr(way->p, quote, true, translated);
}
