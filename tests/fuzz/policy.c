/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Random policies, written as a user would and read by the parser.
 */
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "fuzz/fuzz.h"
#include "policy/block_list.h"
#include "policy/parse.h"
#include "simulate/simulate.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

const char *const fuzz_interface4 = "100.64.0.100/16";
const char *const fuzz_interface6 = "fd00:64::100/64";
const char *const fuzz_uplink4 = "203.0.113.5/24";
const char *const fuzz_uplink6 = "2001:db8:5::5/64";

/* What a side of a packet usually is, and addresses that nobody there can have, or should. */
static const char *const ours4[] = {"100.64.0.100", "100.64.0.100", "192.168.1.1", "10.0.0.1",
				    "10.0.0.2",	    "172.20.0.1",   "100.64.0.2"};
static const char *const ours6[] = {"fd00:64::100",  "fd00:64::100",   "2001:db8:1::1",
				    "2001:db8:2::1", "2001:db8:20::1", "fd00:64::2"};
static const char *const theirs4[] = {"100.64.0.1", "100.64.0.2", "100.64.0.5", "10.9.0.5",
				      "10.9.0.6"};
static const char *const theirs6[] = {"fd00:64::1", "fd00:64::2", "fd00:64::5", "fd00:9::5",
				      "fd00:9::6"};
static const char *const odd4[] = {"127.0.0.1",	     "127.0.0.2",	"169.254.1.1",
				   "224.0.0.1",	     "224.0.0.251",	"0.0.0.0",
				   "240.0.0.1",	     "255.255.255.255", "100.64.0.0",
				   "100.64.255.255", "100.64.0.100",	"203.0.113.5"};
static const char *const odd6[] = {"::1",	  "fe80::1",   "ff02::1",
				   "::",	  "febf::1",   "fd00:64::100",
				   "100:64::100", "fd00:64::", "2001:db8:1::1"};

static const char *const prefixes4[] = {"100.64.0.0/16", "100.64.0.1", "100.64.0.0/30", "10.9.0.5",
					"10.0.0.0/8",	 "10.0.0.1",   "172.16.0.0/12", "0.0.0.0/0",
					"192.168.1.1",	 "100.64.0.2", "100.64.0.5"};
static const char *const prefixes6[] = {"fd00:64::/64",	 "fd00:64::1",	  "fd00:9::/32", "::/0",
					"2001:db8::/32", "2001:db8:2::1", "fd00:64::5"};
static const char *const protocols[] = {"tcp", "tcp", "tcp", "udp", "udp", "icmp",
					"all", "all", "47",  "58",  "1"};
static const char *const ports[] = {"22",   "53",      "80",	    "443",	   "1000-2000",
				    "8080", "0-65535", "5353-5354", "40000-40010", "1"};
static const char *const types[] = {"echo-request", "echo-reply",    "8",
				    "128/0",	    "3/4",	     "redirect",
				    "13",	    "time-exceeded", "destination-unreachable"};
static const char *const durations[] = {"500ms", "1s", "2s", "30s", "60s", "3h"};

/**
 * fuzz_random() - A number
 * @random: seeded with anything but zero
 * @below: the first that is too large
 */
uint32_t fuzz_random(struct fuzz_random *random, uint32_t below)
{
	uint64_t x = random->state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	random->state = x;
	return (uint32_t)((x * UINT64_C(0x2545f4914f6cdd1d)) >> 32) % below;
}

/**
 * fuzz_chance() - True in so many of a hundred cases
 */
bool fuzz_chance(struct fuzz_random *random, uint32_t percent)
{
	return fuzz_random(random, 100) < percent;
}

static const char *pick(struct fuzz_random *random, const char *const *list, size_t n)
{
	return list[fuzz_random(random, n)];
}

/**
 * fuzz_addr() - An address of the universe
 * @random: decides
 * @version: its family
 * @ours: of the side of the host, mostly; else of the peers' side
 */
union addr fuzz_addr(struct fuzz_random *random, uint8_t version, bool ours)
{
	const char *text;
	struct error error;
	union addr addr;
	uint8_t unused;

	if (fuzz_chance(random, 5))
		text = version == 4 ? pick(random, odd4, COUNT(odd4))
				    : pick(random, odd6, COUNT(odd6));
	else if (ours)
		text = version == 4 ? pick(random, ours4, COUNT(ours4))
				    : pick(random, ours6, COUNT(ours6));
	else
		text = version == 4 ? pick(random, theirs4, COUNT(theirs4))
				    : pick(random, theirs6, COUNT(theirs6));
	if (addr_parse(text, &addr, &unused, &error))
		abort();
	return addr;
}

/**
 * fuzz_port() - A port that rules and translations are likely to know
 */
uint16_t fuzz_port(struct fuzz_random *random)
{
	static const uint16_t common[] = {22, 53, 80, 443, 8080, 5353, 1000, 40000, 0, 65535};

	if (fuzz_chance(random, 10))
		return fuzz_random(random, 65536);
	return common[fuzz_random(random, COUNT(common))];
}

static const char *boolean(struct fuzz_random *random, uint32_t percent)
{
	return fuzz_chance(random, percent) ? "true" : "false";
}

/* Sources or destinations; both lists of a rule need a family in common. */
static void write_match(FILE *out, struct fuzz_random *random, const char *key, uint32_t family,
			bool with_sets)
{
	uint32_t n = 1 + fuzz_random(random, 3);

	fprintf(out, ", %s: ", key);
	if (fuzz_chance(random, 40)) {
		fputs("[any]", out);
		return;
	}
	for (uint32_t i = 0; i < n; i++) {
		fputs(i ? ", " : "[", out);
		if (family != 6)
			fprintf(out, "%s", pick(random, prefixes4, COUNT(prefixes4)));
		if (family == 0)
			fputs(", ", out);
		if (family != 4)
			fprintf(out, "\"%s\"", pick(random, prefixes6, COUNT(prefixes6)));
	}
	if (with_sets && fuzz_chance(random, 25))
		fputs(", set:corp", out);
	fputs("]", out);
}

static void write_ports(FILE *out, struct fuzz_random *random, const char *key)
{
	uint32_t n = 1 + fuzz_random(random, 3);

	fprintf(out, ", %s: [", key);
	for (uint32_t i = 0; i < n; i++)
		fprintf(out, "%s%s", i ? ", " : "", pick(random, ports, COUNT(ports)));
	fputs("]", out);
}

static void write_types(FILE *out, struct fuzz_random *random)
{
	uint32_t n = 1 + fuzz_random(random, 3);

	fputs(", icmp_types: [", out);
	for (uint32_t i = 0; i < n; i++)
		fprintf(out, "%s%s", i ? ", " : "", pick(random, types, COUNT(types)));
	fputs("]", out);
}

static void write_rules(FILE *out, struct fuzz_random *random, const char *acl, const char *id)
{
	uint32_t n = fuzz_random(random, 7);

	fprintf(out, ", %s: [", acl);
	if (fuzz_chance(random, 40))
		fprintf(out, "{id: %s0, action: allow, source: [any]%s, protocol: all}%s", id,
			acl[0] == 'r' ? ", destination: [any]" : "", n ? ", " : "");
	for (uint32_t i = 0, name = 0; i < n; i++) {
		static const uint32_t families[] = {0, 0, 0, 4, 6};
		uint32_t family = families[fuzz_random(random, COUNT(families))];
		const char *protocol = pick(random, protocols, COUNT(protocols));

		name += 1 + fuzz_random(random, 2);
		fprintf(out, "%s{id: %s%u, action: %s", i ? ", " : "", id, name,
			fuzz_chance(random, 25) ? "deny" : "allow");
		if (fuzz_chance(random, 10))
			fputs(", description: 'it''s \"one\": # of many'", out);
		write_match(out, random, "source", family, acl[0] == 'r');
		if (acl[0] == 'r' || fuzz_chance(random, 25))
			write_match(out, random, "destination", family, true);
		fprintf(out, ", protocol: %s", protocol);
		if ((protocol[0] == 't' || protocol[0] == 'u') && fuzz_chance(random, 60))
			write_ports(out, random, "destination_ports");
		if ((protocol[0] == 't' || protocol[0] == 'u') && fuzz_chance(random, 15))
			write_ports(out, random, "source_ports");
		if (!strcmp(protocol, "icmp") && fuzz_chance(random, 50))
			write_types(out, random);
		fputs("}", out);
	}
	fputs("]", out);
}

static void write_mode(FILE *out, struct fuzz_random *random, const char *routing, bool stateful)
{

	/* one for each key of settings.h: what the key is, as often as it finds most */
#define WORD_stateful	      stateful ? "true" : "false"
#define WORD_routing	      routing
#define WORD_native_acl	      fuzz_chance(random, 25) ? "skip" : "enforce"
#define WORD_netstack	      boolean(random, 15)
#define WORD_local_forwarding boolean(random, 30)
#define WORD_forwarder_input  "auto" /* "tun" and "xdp" are not allowed together */
#define WORD_hook	      !strcmp(routing, "nat") ? "tc" : "xdp" /* replaced, see fuzz/case.c */
	fputs(", mode: {", out);
#define MODE(name, type, kind, value) fprintf(out, #name ": %s, ", WORD_##name);
	POLICY_MODES(MODE)
#undef MODE
	fputs("}", out);
}

static void write_nat(FILE *out, struct fuzz_random *random, bool ports_too)
{
	static const char *const ranges[] = {"auto", "1024-65535", "40000-40007", "8080-8084",
					     "5353"};

	fprintf(out, ", nat: {port_range: %s, one_to_one: [", pick(random, ranges, COUNT(ranges)));
	if (fuzz_chance(random, 60))
		fputs("{original: 10.9.0.5, translated: 100.64.0.5}, "
		      "{original: \"fd00:9::5\", translated: \"fd00:64::5\"}",
		      out);
	fputs("], port: [", out);
	if (ports_too && fuzz_chance(random, 70)) {
		fputs("{protocol: tcp, port: 8080, to: 80}, {protocol: udp, port: 5353, to: 53}",
		      out);
		if (fuzz_chance(random, 50))
			fprintf(out, ", {protocol: tcp, port: 443, to: 22, address: %s}",
				pick(random, ours4, COUNT(ours4)));
		if (fuzz_chance(random, 50))
			fprintf(out, ", {protocol: udp, port: 443, to: 1000, address: \"%s\"}",
				pick(random, ours6, COUNT(ours6)));
	}
	fputs("]}", out);
}

static void write_timeouts(FILE *out, struct fuzz_random *random)
{
	static const char *const names[] = {
#define TIMEOUT(name, seconds, what) #name,
		POLICY_TIMEOUTS(TIMEOUT)
#undef TIMEOUT
	};

	fputs(", timeouts: {", out);
	for (size_t i = 0; i < COUNT(names); i++)
		fprintf(out, "%s%s: %s", i ? ", " : "", names[i],
			pick(random, durations, COUNT(durations)));
	fputs("}", out);
}

static void write_policy(FILE *out, struct fuzz_random *random)
{
	static const char *const routings[] = {"auto",	    "native",	 "nat",	     "nat",
					       "userspace", "userspace", "disabled", "native"};
	const char *routing = pick(random, routings, COUNT(routings));
	bool is_nat = !strcmp(routing, "nat"), stateful = is_nat || fuzz_chance(random, 92);

	fputs("{version: 1", out);
	write_mode(out, random, routing, stateful);
	write_rules(out, random, "peer_acl", "p");
	write_rules(out, random, "route_acl", "r");
	fprintf(out, ", sets: {corp: [%s, \"%s\"]}", pick(random, prefixes4, COUNT(prefixes4)),
		pick(random, prefixes6, COUNT(prefixes6)));
	if (fuzz_chance(random, 50))
		write_nat(out, random, stateful);
	if (fuzz_chance(random, 40))
		write_timeouts(out, random);
	fprintf(out, ", mss_clamp: %s, limits: {udp: %u, icmp: 16384}}", boolean(random, 80),
		fuzz_chance(random, 80) ? 16384 : 20000);
}

/* Block some peers, for a while or without an end; their prefixes may overlap. */
static void block(struct policy *policy, struct fuzz_random *random)
{
	struct prefix prefix;
	struct error error;
	const char *text;
	uint64_t until_ns;

	policy->blocked = calloc(1, sizeof(*policy->blocked));
	if (!policy->blocked)
		abort();
	for (uint32_t n = fuzz_random(random, 6); n; n--) {
		text = fuzz_chance(random, 70) ? pick(random, theirs4, COUNT(theirs4))
					       : pick(random, theirs6, COUNT(theirs6));
		if (fuzz_chance(random, 15))
			text = fuzz_chance(random, 50) ? "100.64.0.4/30" : "fd00:64::4/126";
		until_ns = SIMULATE_START_NS + fuzz_random(random, 60) * NS_PER_S;
		if (prefix_parse(text, &prefix, &error) ||
		    block_list_add(policy->blocked, &prefix, fuzz_chance(random, 40) ? 0 : until_ns,
				   &error))
			abort();
	}
}

/**
 * fuzz_policy() - A random policy
 * @random: decides
 *
 * Return: the policy, for policy_free(); its text is one line of YAML.  Peers may be blocked.
 */
struct policy *fuzz_policy(struct fuzz_random *random)
{
	struct policy *policy;
	struct error error;
	size_t len;
	char *text;
	FILE *out;
	int err;

	do {
		out = open_memstream(&text, &len);
		if (!out)
			abort();
		write_policy(out, random);
		fclose(out);
		err = policy_parse("policy", text, len, &policy, &error);
		if (err)
			fprintf(stderr, "%s\n%s\n", error.text, text);
		free(text);
	} while (err);
	if (fuzz_chance(random, 15))
		block(policy, random);
	return policy;
}
