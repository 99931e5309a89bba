/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Translation of addresses and ports, and back for what ICMP errors quote.
 */
#include "model_way.h"

/* The port that serves what is asked of a port of this host; 0: the port itself. */
static uint16_t serving_port(const struct model *model, const union addr *dst, uint8_t version,
			     uint8_t proto, uint16_t port)
{
	const struct policy *policy = model->policy;
	uint16_t to = 0;

	if (model_local_kind(model, dst, version) == LOCAL_NONE)
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
	const union addr *original;
	uint16_t port = 0;

	if ((p->proto == TCP || p->proto == UDP) && !p->first_fragment && !p->later_fragment)
		port = serving_port(way->model, &p->dst, p->version, p->proto, p->dport);
	if (port) {
		way->asked_port = p->dport;
		model_set_port(p, false, port);
	}
	original = original_of(way->model, &p->src, p->version);
	if (original)
		model_set_addr(p, true, original);
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

/* What the packet says that an error quotes; false where that is not to be known. */
static bool read_quote(const struct model_packet *p, struct model_tuple *quote)
{
	const uint8_t *ip = p->bytes + p->l4 + 8;
	uint32_t left = p->end - (p->l4 + 8), header = p->version == 4 ? 20 : 40;
	const uint8_t *l4;

	*quote = (struct model_tuple){.version = p->version};
	if (left < header || ip[0] >> 4 != p->version)
		return false;
	if (p->version == 4) {
		header = (ip[0] & 0xf) * 4;
		if (header < 20 || model_get16(ip + 6) & 0x1fff)
			return false;
	}
	if (left < header + 8)
		return false;
	quote->proto = p->version == 4 ? ip[9] : ip[6];
	quote->src = model_get_addr(ip + (p->version == 4 ? 12 : 8), p->version);
	quote->dst = model_get_addr(ip + (p->version == 4 ? 16 : 24), p->version);
	l4 = ip + header;
	if (quote->proto == TCP || quote->proto == UDP) {
		quote->sport = model_get16(l4);
		quote->dport = model_get16(l4 + 2);
		return true;
	}
	quote->sport = model_get16(l4 + 4);
	quote->echo_reply = model_is_reply(p->version, l4[0]);
	return quote->proto == p->proto &&
	       (quote->echo_reply || model_is_request(p->version, l4[0]));
}

/**
 * model_read_quote() - What an ICMP error says of the packet that it quotes
 * @way: the error
 * @quote: becomes the packet, as it was before its translation on the way out
 *
 * Return: false where that is not to be known.
 */
bool model_read_quote(const struct model_way *way, struct model_tuple *quote)
{
	const struct model *model = way->model;
	const union addr *original;
	uint16_t port = 0;

	if (!read_quote(way->p, quote))
		return false;
	original = original_of(model, &quote->dst, quote->version);
	if (original)
		quote->dst = *original;
	if (quote->proto == TCP || quote->proto == UDP)
		port = serving_port(model, &quote->src, quote->version, quote->proto, quote->sport);
	if (port)
		quote->sport = port;
	return true;
}
