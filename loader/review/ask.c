/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "review/ask.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/names.h"
#include "policy/icmp_type.h"

/* Note ranges, whatever their order, as those of a dimension. */
static int set_ranges(struct inquiry *inquiry, struct traffic *traffic, enum box_dimension d,
		      struct ranges *found)
{
	struct ranges *to = &traffic->product.dim[d];
	bool any = pool_ranges_unite(&inquiry->regions, found, &(struct ranges){}, to);

	if (!any)
		to->n = 0;
	return inquiry->regions.error;
}

/* Set the addresses of one end. */
static int set_end(struct inquiry *inquiry, const struct policy_test_end *end,
		   struct traffic *traffic, enum box_dimension d)
{
	struct ranges found = {
		.list = calloc(2 * end->n_prefixes + inquiry->own.n + 1, sizeof(*found.list))};
	int err;

	if (!found.list)
		return -ENOMEM;
	ranges_add_prefixes(&found, end->prefixes, end->n_prefixes);
	for (size_t i = 0; end->is_self && i < inquiry->own.n; i++)
		found.list[found.n++] = inquiry->own.list[i];
	err = set_ranges(inquiry, traffic, d, &found);
	free(found.list);
	return err;
}

/* Set destination ports, or ICMP types. */
static int set_ports(struct inquiry *inquiry, const struct policy_claim *claim,
		     struct traffic *traffic)
{
	struct ranges found = {
		.list = calloc(claim->n_ports + 2 * claim->n_types + 1, sizeof(*found.list))};
	int err;

	if (!found.list)
		return -ENOMEM;
	for (size_t i = 0; i < claim->n_ports; i++)
		found.list[found.n++] = (struct range){claim->ports[i].first, claim->ports[i].last};
	for (size_t i = 0; i < claim->n_types; i++)
		for (uint8_t v = IP_VERSION_4; v <= IP_VERSION_6; v += 2) {
			point first = box_dports(v, l4_icmp_of(v)).first;
			struct port_range codes;

			if (icmp_type_range(&claim->types[i], v, &codes))
				found.list[found.n++] = (struct range){first | codes.first,
								       first | codes.last};
		}
	err = set_ranges(inquiry, traffic, BOX_DPORT, &found);
	free(found.list);
	return err;
}

/* ICMP is another protocol over IPv6, and each of the two is an ordinary one over the other. */
static void set_protocols(const struct policy_claim *claim, struct traffic *traffic)
{
	memset(&traffic->protocols, 0, sizeof(traffic->protocols));
	for (int p = 0; p < INQUIRY_PROTOCOLS; p++)
		if (claim->protocol == PROTOCOL_ALL || claim->protocol == p ||
		    (claim->protocol == PROTOCOL_ICMP &&
		     (l4_is_icmp(p, IP_VERSION_4) || l4_is_icmp(p, IP_VERSION_6))))
			protocols_add(&traffic->protocols, p);
	traffic->protocols.own_icmp = claim->protocol == PROTOCOL_ICMP;
}

/**
 * ask_traffic() - The packets that a claim is about
 * @inquiry: about the policy; has what becomes of the claim's lists
 * @claim: after claim_check()
 * @traffic: is filled
 * @error: set on failure
 *
 * Return: 0; -E2BIG; -ENOMEM.
 */
int ask_traffic(struct inquiry *inquiry, const struct policy_claim *claim, struct traffic *traffic,
		struct error *error)
{
	int err;

	traffic_all(traffic);
	set_protocols(claim, traffic);
	err = set_end(inquiry, &claim->from, traffic, BOX_SOURCE);
	if (!err)
		err = set_end(inquiry, &claim->to, traffic, BOX_DESTINATION);
	if (!err && (claim->n_ports || claim->n_types))
		err = set_ports(inquiry, claim, traffic);
	if (!err)
		err = inquiry_ask(inquiry, traffic);
	return err ? error_set(error, -err, "the lists are too long: %s", strerror(-err)) : 0;
}

/**
 * ask_claim() - Whether a claim is true
 * @inquiry: about the policy
 * @claim: after claim_check()
 * @witness: becomes a packet that shows that it is not
 * @error: set on failure
 *
 * Return: 1: it is; 0: not; -EINVAL (invalid input): no peer can send such a packet; -E2BIG: that
 * takes too long to find out; -ENOMEM.
 */
int ask_claim(struct inquiry *inquiry, const struct policy_claim *claim, struct witness *witness,
	      struct error *error)
{
	struct traffic traffic;
	int answer = ask_traffic(inquiry, claim, &traffic, error);

	if (answer)
		return answer;
	answer = claim->can ? prove_all(inquiry, &traffic, witness)
			    : prove_none(inquiry, &traffic, witness);
	if (answer == PROVE_NOBODY)
		return claim->sets ? 1 : error_input(error, "no peer can send such a packet");
	if (answer == -E2BIG)
		return error_set(error, E2BIG,
				 "too many rules overlap to find out: name smaller prefixes, or a "
				 "protocol and ports");
	return answer == -ENOMEM ? error_no_memory(error) : answer;
}

/**
 * witness_packet() - A packet as words: "100.64.0.1 -> 10.0.0.1 tcp/22"
 * @witness: the packet
 * @text: gets them
 *
 * Return: @text.
 */
const char *witness_packet(const struct witness *witness, char text[WITNESS_TEXT_MAX])
{
	char from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX], number[FLOW_PROTOCOL_NUMBER], port[16] = "";
	bool icmp = l4_is_icmp(witness->l4_proto, witness->ip_version);

	if (l4_has_ports(witness->l4_proto))
		snprintf(port, sizeof(port), "/%u", witness->dport);
	else if (icmp)
		snprintf(port, sizeof(port), "/%u/%u", witness->icmp_type, witness->icmp_code);
	snprintf(text, WITNESS_TEXT_MAX, "%s -> %s %s%s",
		 addr_format(&witness->source, witness->ip_version, from, sizeof(from)),
		 addr_format(&witness->destination, witness->ip_version, to, sizeof(to)),
		 flow_protocol_name(witness->l4_proto, witness->ip_version, number), port);
	return text;
}

/**
 * witness_format() - What becomes of a packet
 * @witness: the packet
 * @text: gets the sentence
 *
 * Return: @text.
 */
const char *witness_format(const struct witness *witness, char text[WITNESS_TEXT_MAX])
{
	const char *id = witness->rule ? witness->rule->id : NULL;
	size_t len = strlen(witness_packet(witness, text));

	snprintf(text + len, WITNESS_TEXT_MAX - len, " is %s by %s%s (%s)",
		 witness->allowed ? "allowed" : "denied", id ? "rule " : "no rule", id ? id : "",
		 reason_name(witness->reason));
	return text;
}
