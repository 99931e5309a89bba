/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a case does with `routing: nat`: hosts behind the uplink, and the ports that they know peers by.
 */
#include "fuzz/fuzz.h"

#define HAIRPIN_PEERS 4

/* As the IPv6 address that stands for it. */
static bool is_ipv4(const union addr *addr)
{
	return !addr->half[0] && addr->bytes[10] == 0xff && addr->bytes[11] == 0xff;
}

/**
 * fuzz_is_nat() - Whether the policy in force sends peers' connections out by an uplink
 */
bool fuzz_is_nat(const struct fuzz_traffic *t)
{
	return t->has_uplink && t->policy->mode.routing == POLICY_ROUTING_NAT;
}

/**
 * fuzz_route_conversation() - Make a conversation one that a peer opens to a host behind the uplink
 * @t: whose
 * @conversation: of any two ends
 *
 * There are few such hosts, so that ports become scarce.
 */
void fuzz_route_conversation(struct fuzz_traffic *t, struct fuzz_conversation *conversation)
{
	static const union addr remotes[2] = {
		{.bytes = {[10] = 0xff, [11] = 0xff, [12] = 172, [13] = 20, [15] = 1}},
		{.bytes = {0x20, 0x01, 0x0d, 0xb8, 0, 2, [15] = 1}},
	};

	conversation->ours = remotes[conversation->version == 6];
	conversation->our_port = fuzz_chance(t->random, 60) ? 443 : 53;
	conversation->wild = fuzz_chance(t->random, 20);
	conversation->we_open = false;
	conversation->routed = true;
	if (conversation->proto != TCP && conversation->proto != UDP)
		conversation->our_port = fuzz_port(t->random);
}

/**
 * fuzz_uses_uplink() - Whether what our side sends comes in by the uplink
 * @t: whose
 * @conversation: that sends
 */
bool fuzz_uses_uplink(struct fuzz_traffic *t, const struct fuzz_conversation *conversation)
{
	return fuzz_is_nat(t) && fuzz_chance(t->random, conversation->routed ? 97 : 20);
}

/**
 * fuzz_to_uplink() - Have what our side sends come in by the uplink
 * @t: whose
 * @conversation: that sends
 * @d: the packet; is for the port from which the other side's packets leave, as far as that is known
 */
void fuzz_to_uplink(struct fuzz_traffic *t, const struct fuzz_conversation *conversation,
		    struct fuzz_draft *d)
{
	uint16_t remote_port = d->sport, peer_port = d->dport;
	bool is_icmp = d->proto == ICMP4 || d->proto == ICMP6;

	if (is_icmp) {
		peer_port = d->sport;
		remote_port = 0;
		if (fuzz_chance(t->random, 90))
			d->icmp_type = fuzz_echo_type(d, false);
	}
	for (size_t i = 0; i < t->n_snats; i++) {
		const struct fuzz_snat *snat = &t->snats[i];

		if (snat->proto == d->proto && snat->peer_port == peer_port &&
		    snat->remote_port == remote_port &&
		    model_addr_same(&snat->peer, &conversation->theirs) &&
		    model_addr_same(&snat->remote, &conversation->ours))
			*(is_icmp ? &d->sport : &d->dport) = snat->port;
	}
	d->dst = t->uplink[d->version == 6];
	if (fuzz_chance(t->random, 3))
		d->dst = conversation->theirs;
	if (!is_icmp && t->n_snats && fuzz_chance(t->random, 3)) {
		d->src = d->dst; /* as if from another peer's port there */
		d->sport = t->snats[fuzz_random(t->random, t->n_snats)].port;
	}
	d->direction = DIR_UPLINK;
}

/**
 * fuzz_hairpin() - Have a peer send to the port that another one has on the uplink
 * @t: whose
 * @d: a packet
 *
 * Few pairs, and both ways, as the other one has to have sent first.
 */
void fuzz_hairpin(struct fuzz_traffic *t, struct fuzz_draft *d)
{
	size_t few = t->n_snats < HAIRPIN_PEERS ? t->n_snats : HAIRPIN_PEERS;
	const struct fuzz_snat *from, *to;

	if (d->direction != DIR_INGRESS || !few || !fuzz_is_nat(t) || !fuzz_chance(t->random, 8))
		return;
	from = &t->snats[fuzz_random(t->random, few)];
	to = &t->snats[fuzz_random(t->random, few)];
	if (from->proto != d->proto || to->proto != d->proto || d->frag_off ||
	    (d->proto != TCP && d->proto != UDP) || is_ipv4(&from->peer) != (d->version == 4) ||
	    is_ipv4(&to->peer) != (d->version == 4))
		return;
	d->src = from->peer;
	d->sport = from->peer_port;
	d->dst = t->uplink[d->version == 6];
	d->dport = to->port;
	if (d->proto == TCP && fuzz_chance(t->random, 50))
		d->flags = SYN;
}

/* The headers of a packet that was let through; an identifier is its source port. */
static void read_packet(uint8_t *bytes, uint32_t len, struct model_packet *p)
{
	*p = (struct model_packet){.bytes = bytes, .len = len};
	model_parse(p, 0);
	if (model_is_icmp(p))
		p->sport = p->icmp_id;
}

/**
 * fuzz_traffic_sent() - Remember a peer's packet that was forwarded, and its port if it was translated
 * @traffic: whose
 * @step: the packet
 * @bytes: as it left
 */
void fuzz_traffic_sent(struct fuzz_traffic *traffic, const struct scenario_step *step,
		       uint8_t *bytes)
{
	struct model_packet before, after;
	struct fuzz_snat snat;
	size_t n;

	read_packet(step->bytes, step->len, &before);
	read_packet(bytes, step->len, &after);
	if (model_addr_same(&after.src, &before.src))
		return;
	fuzz_add_quote(traffic, bytes, step->len, true);
	if (before.later_fragment)
		return;
	snat = (struct fuzz_snat){
		.peer = before.src,
		.remote = before.dst,
		.peer_port = before.sport,
		.remote_port = before.dport,
		.port = after.sport,
		.proto = before.proto,
	};
	n = traffic->n_snats < FUZZ_SNATS ? traffic->n_snats++
					  : fuzz_random(traffic->random, FUZZ_SNATS);
	traffic->snats[n] = snat;
}
