/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Random packets: conversations that come far and go wrong, fragments, errors, lies.
 */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/**
 * fuzz_put16() - Write the low half of a number, in network byte order
 */
void fuzz_put16(uint8_t *at, uint32_t value)
{
	at[0] = value >> 8 & 0xff;
	at[1] = value & 0xff;
}

/* The ones' complement checksum (RFC 1071); @sum: of what it covers besides. */
static uint16_t checksum(const uint8_t *bytes, uint32_t len, uint32_t sum)
{
	for (uint32_t i = 0; i < len; i++) {
		sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return ~sum & 0xffff;
}

/* Options that pad, that say something, that route, or that are wrong. */
static void write_ip4_options(struct fuzz_random *random, uint8_t *at, uint32_t len)
{
	static const uint8_t kinds[] = {1, 1, 1, 0, 7, 68, 131, 137, 148, 130};
	uint32_t i = 0;

	memset(at, 1, len);
	while (i + 4 <= len && fuzz_chance(random, 80)) {
		at[i] = kinds[fuzz_random(random, COUNT(kinds))];
		if (at[i] <= 1) {
			i++;
			continue;
		}
		at[i + 1] = fuzz_chance(random, 10) ? fuzz_random(random, 12) : 3;
		i += at[i + 1] < 2 ? 4 : at[i + 1];
	}
}

static uint32_t write_ip4(struct fuzz_traffic *t, const struct fuzz_draft *d, uint32_t options)
{
	uint8_t *ip = t->bytes;
	uint32_t header = 20 + options;

	memset(ip, 0, header);
	write_ip4_options(t->random, ip + 20, options);
	ip[0] = 0x40 | header / 4;
	fuzz_put16(ip + 4, d->id);
	if (d->fragment)
		fuzz_put16(ip + 6, d->frag_off / 8 | (d->more ? 0x2000 : 0));
	ip[8] = d->ttl;
	ip[9] = d->proto;
	memcpy(ip + 12, d->src.bytes + 12, 4);
	memcpy(ip + 16, d->dst.bytes + 12, 4);
	return header;
}

/* @hopopts: length of a hop-by-hop header, 0 for none. */
static uint32_t write_ip6(struct fuzz_traffic *t, const struct fuzz_draft *d, uint32_t hopopts)
{
	uint8_t *ip = t->bytes;
	uint32_t len = 40;

	memset(ip, 0, len + hopopts + 8);
	ip[0] = 0x60;
	ip[6] = hopopts ? 0 : d->fragment ? 44 : d->proto;
	ip[7] = d->ttl;
	memcpy(ip + 8, d->src.bytes, 16);
	memcpy(ip + 24, d->dst.bytes, 16);
	if (hopopts) {
		ip[len] = d->fragment ? 44 : d->proto;
		ip[len + 1] = hopopts / 8 - 1;
		len += hopopts;
	}
	if (d->fragment) {
		ip[len] = d->proto;
		fuzz_put16(ip + len + 2, d->frag_off | d->more);
		fuzz_put16(ip + len + 6, d->id);
		len += 8;
	}
	return len;
}

/* TCP options: an MSS behind all that can stand before it. */
static uint32_t write_tcp_options(struct fuzz_random *random, uint8_t *at)
{
	uint32_t len = 0, before = fuzz_random(random, 4);

	for (uint32_t i = 0; i < before; i++)
		at[len++] = 1;
	if (fuzz_chance(random, 30)) {
		at[len++] = 8;
		at[len++] = 10;
		len += 8;
	}
	if (fuzz_chance(random, 40)) {
		at[len++] = 3;
		at[len++] = fuzz_chance(random, 3) ? 4 : 3;
		at[len++] = fuzz_random(random, fuzz_chance(random, 5) ? 256 : 12);
	}
	if (fuzz_chance(random, 3))
		at[len++] = 0;
	at[len++] = 2;
	at[len++] = fuzz_chance(random, 5) ? fuzz_random(random, 256) : 4;
	fuzz_put16(at + len, 500 + fuzz_random(random, 1200));
	len += 2;
	while (len % 4)
		at[len++] = fuzz_random(random, 2);
	return len;
}

static uint32_t write_transport(struct fuzz_traffic *t, const struct fuzz_draft *d, uint32_t l4)
{
	struct fuzz_random *random = t->random;
	uint8_t *at = t->bytes + l4;
	uint32_t options = 0;

	if (d->fragment && d->frag_off)
		return 0;
	memset(at, 0, 64);
	if (d->proto == TCP) {
		if (d->flags & SYN ? fuzz_chance(random, 60) : fuzz_chance(random, 5))
			options = write_tcp_options(random, at + 20);
		at[12] = (20 + options) / 4 << 4;
		at[13] = d->flags;
		fuzz_put16(at + 14, fuzz_chance(random, 90) ? 65535 : fuzz_random(random, 100) / 2);
	}
	if (d->proto == TCP || d->proto == UDP) {
		fuzz_put16(at, d->sport);
		fuzz_put16(at + 2, d->dport);
	}
	if (d->proto == UDP)
		fuzz_put16(at + 4, 8 + d->payload);
	if (d->proto == ICMP4 || d->proto == ICMP6) {
		at[0] = d->icmp_type;
		fuzz_put16(at + 4, d->sport);
		fuzz_put16(at + 6, fuzz_random(random, 65536));
	}
	return d->proto == TCP ? 20 + options : d->proto == 47 ? 4 : 8;
}

static void finish_checksums(struct fuzz_traffic *t, const struct fuzz_draft *d, uint32_t l4)
{
	uint32_t addr_off = d->version == 4 ? 12 : 0, sum = d->proto + (t->len - l4);
	uint8_t *at = NULL;

	if (d->version == 4) {
		fuzz_put16(t->bytes + 2, t->len);
		fuzz_put16(t->bytes + 10, checksum(t->bytes, (t->bytes[0] & 0xf) * 4, 0));
	} else {
		fuzz_put16(t->bytes + 4, t->len - 40);
	}
	if (d->fragment && d->frag_off)
		return;
	if (d->proto == TCP)
		at = t->bytes + l4 + 16;
	else if (d->proto == UDP)
		at = t->bytes + l4 + 6;
	else if (d->proto == ICMP4 || d->proto == ICMP6)
		at = t->bytes + l4 + 2;
	if (!at || (d->proto == UDP && fuzz_chance(t->random, 10)))
		return;
	sum += 0xffff & ~checksum(d->src.bytes + addr_off, 16 - addr_off, 0);
	sum += 0xffff & ~checksum(d->dst.bytes + addr_off, 16 - addr_off, 0);
	if (d->proto == ICMP4)
		sum = 0;
	fuzz_put16(at, checksum(t->bytes + l4, t->len - l4, sum));
	if (d->proto == UDP && !at[0] && !at[1])
		fuzz_put16(at, 0xffff);
}

/* Write the packet; returns where its transport header is. */
static uint32_t write_packet(struct fuzz_traffic *t, const struct fuzz_draft *d)
{
	uint32_t l4, l4_len, extra = 0;

	if (fuzz_chance(t->random, 4))
		extra = (1 + fuzz_random(t->random, 10)) * (d->version == 4 ? 4 : 8);
	l4 = d->version == 4 ? write_ip4(t, d, extra) : write_ip6(t, d, extra);
	l4_len = write_transport(t, d, l4);
	for (uint32_t i = 0; i < d->payload; i++)
		t->bytes[l4 + l4_len + i] = i;
	t->len = l4 + l4_len + d->payload;
	finish_checksums(t, d, l4);
	return l4;
}

_Static_assert(PORT_PROTOCOL_MAX == 2, "each protocol with ports is tried");

/* --- conversations --------------------------------------------------------------------------- */

static void start_conversation(struct fuzz_traffic *t, struct fuzz_conversation *conversation)
{
	static const uint8_t protocols[] = {TCP, TCP, TCP, TCP,	  TCP,	 TCP, TCP,
					    UDP, UDP, UDP, ICMP4, ICMP4, 47,  50};
	struct fuzz_random *random = t->random;

	*conversation = (struct fuzz_conversation){
		.version = fuzz_chance(random, 50) ? 4 : 6,
		.proto = protocols[fuzz_random(random, COUNT(protocols))],
		.our_port = fuzz_port(random),
		.their_port = fuzz_port(random),
		.we_open = fuzz_chance(random, 40),
		.we_close = fuzz_chance(random, 50),
		.wild = fuzz_chance(random, 35),
		.last_ns = t->now_ns,
	};
	if (conversation->proto == ICMP4 && conversation->version == 6)
		conversation->proto = ICMP6;
	if (conversation->proto == 47 && fuzz_chance(random, 20))
		conversation->proto = fuzz_chance(random, 50) ? ICMP4 : ICMP6;
	conversation->ours = fuzz_addr(random, conversation->version, true);
	conversation->theirs = fuzz_addr(random, conversation->version, false);
	if (fuzz_is_nat(t) && fuzz_chance(random, 70))
		fuzz_route_conversation(t, conversation);
}

static struct fuzz_conversation *pick_conversation(struct fuzz_traffic *t)
{
	struct fuzz_conversation *conversation;

	if (t->n_conversations < FUZZ_CONVERSATIONS &&
	    (!t->n_conversations || fuzz_chance(t->random, 30))) {
		conversation = &t->conversations[t->n_conversations++];
		start_conversation(t, conversation);
		return conversation;
	}
	conversation = &t->conversations[fuzz_random(t->random, t->n_conversations)];
	if (fuzz_chance(t->random, 2))
		start_conversation(t, conversation);
	return conversation;
}

/* The next segment of a connection as it should be: who sends it, and its flags. */
static uint8_t next_segment(struct fuzz_traffic *t, struct fuzz_conversation *conversation,
			    bool *we_send)
{
	static const struct {
		uint8_t flags;
		bool leader; /* sent by who opens or closes, else by the other one */
	} segments[] = {{SYN, true},  {SYN | ACK, false}, {ACK, true},
			{ACK, false}, {ACK, true},	  {FIN | ACK, true},
			{ACK, false}, {FIN | ACK, false}, {ACK, true}};
	uint8_t step = conversation->step % COUNT(segments), flags = segments[step].flags;
	bool leads;

	if (step == 0) {
		conversation->we_open = !conversation->routed && fuzz_chance(t->random, 50);
		conversation->we_close = fuzz_chance(t->random, 50);
	}
	leads = step < 5 ? conversation->we_open : conversation->we_close;
	*we_send = segments[step].leader == leads;
	conversation->step = step + 1;
	if (step == 5 && fuzz_chance(t->random, 40)) /* both FINs at once, or in one */
		conversation->step++;
	if (flags & FIN && fuzz_chance(t->random, 25))
		flags = FIN;
	return flags;
}

static uint8_t random_flags(struct fuzz_random *random)
{
	static const uint8_t common[] = {SYN, SYN | ACK, ACK,	    ACK,       FIN | ACK, FIN,
					 RST, RST | ACK, SYN | FIN, SYN | RST, RST | FIN, 0};

	if (fuzz_chance(random, 10))
		return fuzz_random(random, 256);
	return common[fuzz_random(random, COUNT(common))];
}

/**
 * fuzz_echo_type() - The ICMP type of a ping, or of its answer
 * @d: of whose family
 * @request: the ping
 */
uint8_t fuzz_echo_type(const struct fuzz_draft *d, bool request)
{
	if (d->version == 4)
		return request ? 8 : 0;
	return request ? 128 : 129;
}

static uint8_t random_icmp_type(struct fuzz_traffic *t, const struct fuzz_draft *d, bool by_opener)
{
	static const uint8_t others[] = {3,   11,  12,	5,   1,	  2,   4,   0,	 8,  130,
					 131, 132, 133, 134, 135, 136, 137, 143, 144};

	if (fuzz_chance(t->random, 15))
		return others[fuzz_random(t->random, COUNT(others))];
	return fuzz_echo_type(d, fuzz_chance(t->random, 85) ? by_opener : !by_opener);
}

/* What an Ethernet link would not work without, or what only seems so. */
static void draft_housekeeping(struct fuzz_traffic *t, struct fuzz_draft *d)
{
	static const uint8_t types[] = {130, 131, 132, 143, 133, 134, 135, 136, 137, 135, 136};
	static const uint8_t hops[] = {255, 255, 1, 1, 64};
	struct fuzz_random *random = t->random;
	static const uint8_t groups[][16] = {{0xff, 0x02, [15] = 1},
					     {0xfe, 0x80, [15] = 2},
					     {0xff, 0x02, [11] = 1, [12] = 0xff, [15] = 1}};

	*d = (struct fuzz_draft){
		.version = 6,
		.proto = ICMP6,
		.src = fuzz_addr(random, 6, false),
		.dst = fuzz_addr(random, 6, true),
		.icmp_type = types[fuzz_random(random, COUNT(types))],
		.ttl = hops[fuzz_random(random, COUNT(hops))],
		.direction = DIR_INGRESS,
		.payload = 16,
	};
	if (fuzz_chance(random, 60))
		memcpy(d->dst.bytes, groups[fuzz_random(random, COUNT(groups))], 16);
}

/* What stands on the wire where the policy translates. */
static void to_wire(struct fuzz_traffic *t, struct fuzz_draft *d, bool we_send)
{
	const struct policy *policy = t->policy;

	for (size_t i = 0; i < policy->n_one_to_one && !we_send; i++)
		if (model_addr_same(&policy->one_to_one[i].original, &d->src) &&
		    fuzz_chance(t->random, 85)) {
			d->src = policy->one_to_one[i].translated;
			break;
		}
	for (size_t i = 0; i < policy->n_nat_port && !we_send; i++)
		if (policy->nat_port[i].to == d->dport && fuzz_chance(t->random, 60)) {
			d->dport = policy->nat_port[i].port;
			break;
		}
}

/* A packet of a conversation. */
static void draft_conversation(struct fuzz_traffic *t, struct fuzz_conversation *conversation,
			       struct fuzz_draft *d)
{
	struct fuzz_random *random = t->random;
	bool is_icmp = conversation->proto == ICMP4 || conversation->proto == ICMP6;
	bool we_send = fuzz_chance(random, 50);
	bool leaves;

	*d = (struct fuzz_draft){.version = conversation->version, .proto = conversation->proto};
	if (conversation->proto == TCP && fuzz_chance(random, conversation->wild ? 50 : 98))
		d->flags = next_segment(t, conversation, &we_send);
	else
		d->flags = random_flags(random);
	if (is_icmp)
		d->icmp_type = random_icmp_type(t, d, we_send == conversation->we_open);
	d->src = we_send ? conversation->ours : conversation->theirs;
	d->dst = we_send ? conversation->theirs : conversation->ours;
	d->sport = we_send ? conversation->our_port : conversation->their_port;
	d->dport = we_send ? conversation->their_port : conversation->our_port;
	if (is_icmp)
		d->sport = conversation->our_port;
	d->ttl = fuzz_chance(random, 30) ? 255 : fuzz_chance(random, 10) ? 1 : 64;
	d->payload = fuzz_chance(random, 70) ? fuzz_random(random, 40) : 8 * fuzz_random(random, 4);
	if (fuzz_chance(random, 1))
		d->payload = fuzz_random(random, 60000);
	if (we_send && fuzz_uses_uplink(t, conversation)) {
		fuzz_to_uplink(t, conversation, d);
		return;
	}
	leaves = fuzz_chance(random, conversation->wild ? 80 : 99) ? we_send : !we_send;
	if (!leaves)
		to_wire(t, d, we_send);
	d->direction = leaves ? DIR_EGRESS : DIR_INGRESS;
}

/* A first fragment, to be followed, or one of no context. */
static void make_fragment(struct fuzz_traffic *t, struct fuzz_draft *d)
{
	struct fuzz_random *random = t->random;

	d->fragment = true;
	d->id = fuzz_random(random, 4);
	if (fuzz_chance(random, 20)) {
		d->frag_off = fuzz_random(random, 10) * 8;
		d->more = fuzz_chance(random, 50);
		return;
	}
	d->more = fuzz_chance(random, 90);
	t->first_fragments[t->n_first_fragments < FUZZ_FIRST_FRAGMENTS
				   ? t->n_first_fragments++
				   : fuzz_random(random, FUZZ_FIRST_FRAGMENTS)] = *d;
}

/* What follows a first fragment: around its end, far behind it, or overlapping. */
static void follow_fragment(struct fuzz_traffic *t, struct fuzz_draft *d)
{
	struct fuzz_random *random = t->random;

	*d = t->first_fragments[fuzz_random(random, t->n_first_fragments)];
	d->frag_off = (fuzz_random(random, 4) + (d->payload + 8) / 8) * 8;
	if (fuzz_chance(random, 10))
		d->frag_off = fuzz_random(random, 10) * 8;
	if (fuzz_chance(random, 3))
		d->frag_off = 65528 - 8 * fuzz_random(random, 6);
	if (d->frag_off > 65528)
		d->frag_off = 65528;
	d->more = fuzz_chance(random, 50);
	d->payload = fuzz_random(random, 40);
	if (fuzz_chance(random, 2))
		d->proto = UDP;
	if (fuzz_chance(random, 2))
		d->id++;
}

/* An error about something that left, or about what only seems so. */
static void write_error(struct fuzz_traffic *t, const struct fuzz_draft *d, uint32_t l4)
{
	struct fuzz_random *random = t->random;
	size_t n = t->quote;
	uint8_t *quote = t->bytes + l4 + 8;
	uint32_t len = t->quote_len[n];

	memcpy(quote, t->quotes[n], len);
	if (fuzz_chance(random, 12))
		quote[fuzz_random(random, len)] ^= 1 << fuzz_random(random, 8);
	if (fuzz_chance(random, 12))
		len = fuzz_random(random, len);
	t->len = l4 + 8 + len;
	t->bytes[l4 + 2] = t->bytes[l4 + 3] = 0;
	finish_checksums(t, d, l4);
}

static void make_error(struct fuzz_traffic *t, struct fuzz_draft *d)
{
	static const uint8_t types4[] = {3, 11, 12, 5}, types6[] = {1, 2, 3, 4, 5};
	struct fuzz_random *random = t->random;
	size_t n = fuzz_random(random, t->n_quotes);

	d->version = t->quotes[n][0] >> 4 == 4 ? 4 : 6;
	d->proto = d->version == 4 ? ICMP4 : ICMP6;
	d->icmp_type = d->version == 4 ? types4[fuzz_random(random, COUNT(types4))]
				       : types6[fuzz_random(random, COUNT(types6))];
	d->src = fuzz_addr(random, d->version, false);
	d->dst = fuzz_addr(random, d->version, true);
	d->direction = fuzz_chance(random, 90) ? DIR_INGRESS : DIR_EGRESS;
	if (fuzz_chance(random, 80)) /* to whom it is about */
		d->dst = model_get_addr(t->quotes[n] + (d->version == 4 ? 12 : 8), d->version);
	if (t->quote_by_uplink[n] && fuzz_is_nat(t) && fuzz_chance(random, 90))
		d->direction = DIR_UPLINK;
	t->quote = n;
	d->payload = 0;
}

static uint64_t random_timeout(const struct fuzz_traffic *t)
{
	const uint64_t *timeouts = (const uint64_t *)&t->policy->timeouts;

	return timeouts[fuzz_random(t->random, sizeof(t->policy->timeouts) / sizeof(*timeouts))];
}

/* Time goes on a little, or to where something ends, or not at all. */
static void pass_time(struct fuzz_traffic *t)
{
	struct fuzz_random *random = t->random;
	const struct fuzz_conversation *conversation;
	uint64_t edge;

	if (fuzz_chance(random, 10))
		t->now_ns += fuzz_random(random, 1000) * UINT64_C(1000000);
	if (!fuzz_chance(random, 1) || !t->n_conversations)
		return;
	conversation = &t->conversations[fuzz_random(random, t->n_conversations)];
	edge = conversation->last_ns + random_timeout(t) + fuzz_random(random, 3) - 1;
	if (edge > t->now_ns && edge - t->now_ns < UINT64_C(11000000000000))
		t->now_ns = edge;
}

static uint16_t pick_ethertype(struct fuzz_traffic *t)
{
	static const uint16_t others[] = {ETH_P_ARP, ETH_P_IP, ETH_P_IPV6, ETH_P_8021Q, 0, 0x88cc};

	if (t->ethernet && fuzz_chance(t->random, 3))
		return others[fuzz_random(t->random, COUNT(others))];
	return t->len && t->bytes[0] >> 4 == 6 ? ETH_P_IPV6 : ETH_P_IP;
}

/**
 * fuzz_traffic_next() - Make the next packet
 * @traffic: with its seed and the policy in force
 * @step: becomes it, not numbered yet; the caller frees @step->bytes
 */
void fuzz_traffic_next(struct fuzz_traffic *traffic, struct scenario_step *step)
{
	struct fuzz_random *random = traffic->random;
	struct fuzz_conversation *conversation = pick_conversation(traffic);
	bool is_error = traffic->n_quotes && fuzz_chance(random, 6);
	struct fuzz_draft draft;
	uint32_t l4;

	pass_time(traffic);
	*step = (struct scenario_step){.at_ns = traffic->now_ns, .kind = SCENARIO_PACKET};
	if (traffic->n_first_fragments && fuzz_chance(random, 8)) {
		follow_fragment(traffic, &draft);
		is_error = false;
	} else if (traffic->ethernet && fuzz_chance(random, 2)) {
		draft_housekeeping(traffic, &draft);
	} else {
		draft_conversation(traffic, conversation, &draft);
		conversation->last_ns = traffic->now_ns;
		fuzz_hairpin(traffic, &draft);
		if (fuzz_chance(random, 5))
			make_fragment(traffic, &draft);
	}
	if (is_error)
		make_error(traffic, &draft);
	l4 = write_packet(traffic, &draft);
	if (is_error && !draft.frag_off)
		write_error(traffic, &draft, l4);
	if (fuzz_chance(random, 7))
		fuzz_mutate(traffic, l4);
	else if (draft.proto == TCP && !draft.fragment)
		step->tcp_off = l4;
	step->direction = draft.direction;
	step->ethertype = pick_ethertype(traffic);
	step->len = traffic->len;
	step->bytes = malloc(traffic->len + 1);
	if (!step->bytes)
		abort();
	memcpy(step->bytes, traffic->bytes, traffic->len);
}

/**
 * fuzz_add_quote() - Remember a packet, for errors to quote
 * @traffic: whose
 * @bytes, @len: the packet
 * @by_uplink: where it has left, else by the interface
 */
void fuzz_add_quote(struct fuzz_traffic *traffic, const uint8_t *bytes, uint32_t len,
		    bool by_uplink)
{
	size_t n;

	if (len < 28) /* shows no ports */
		return;
	n = traffic->n_quotes < FUZZ_QUOTES ? traffic->n_quotes++
					    : fuzz_random(traffic->random, FUZZ_QUOTES);
	if (len > sizeof(traffic->quotes[n]))
		len = sizeof(traffic->quotes[n]);
	memcpy(traffic->quotes[n], bytes, len);
	traffic->quote_len[n] = len;
	traffic->quote_by_uplink[n] = by_uplink;
}

/**
 * fuzz_traffic_left() - Remember a packet that left by the interface, for errors to quote
 * @traffic: whose
 * @bytes, @len: the packet
 */
void fuzz_traffic_left(struct fuzz_traffic *traffic, const uint8_t *bytes, uint32_t len)
{
	fuzz_add_quote(traffic, bytes, len, false);
}
