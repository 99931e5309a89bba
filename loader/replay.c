/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A capture does not say which way a packet went (but for Linux cooked ones), so the addresses do:
 * what an address of the interface sends goes out, and so does what comes from elsewhere for the
 * networks behind the interface.  Everything else comes in.
 */
#include "replay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture.h"
#include "packet.h"
#include "policy/prefix.h"
#include "policy/value.h"

#define HEADERS_MAX 128 /* a packet that was cut shorter than this lacks what it is judged by */

/**
 * replay_add_address() - Note an address of the interface
 * @replay: where
 * @text: the address, with its prefix length or alone
 * @error: why not
 *
 * Return: 0 or -EINVAL (invalid input).
 */
int replay_add_address(struct replay *replay, const char *text, struct error *error)
{
	struct prefix *prefix = &replay->addresses[replay->n_addresses];
	const char *slash = strchr(text, '/');
	char addr[ADDR_TEXT_MAX];
	struct prefix new = {};
	uint64_t len;

	if (replay->n_addresses == REPLAY_ADDRESSES_MAX)
		return error_input(error, "address %.80s: more than %d", text,
				   REPLAY_ADDRESSES_MAX);
	snprintf(addr, sizeof(addr), "%.*s", slash ? (int)(slash - text) : (int)strlen(text), text);
	if (addr_parse(addr, &new.addr, &new.ip_version, error))
		return error_prefix(error, "address %.80s", text);
	len = prefix_bits(new.ip_version);
	if (slash && number_parse(slash + 1, 0, len, &len, error))
		return error_prefix(error, "address %.80s", text);
	new.len = len;
	*prefix = new;
	replay->n_addresses++;
	return 0;
}

/**
 * replay_goes_out() - Which way a packet went, by its addresses
 * @replay: with the addresses of the interface
 * @ip: the packet from its IP header on
 * @captured: bytes of it
 */
bool replay_goes_out(const struct replay *replay, const uint8_t *ip, uint32_t captured)
{
	bool from_network = false, to_network = false;
	union addr addr[2];
	uint8_t ip_version;

	if (!packet_addresses(ip, captured, addr, &ip_version))
		return false;
	for (size_t i = 0; i < replay->n_addresses; i++) {
		const struct prefix *own = &replay->addresses[i];
		struct prefix network = *own;

		if (own->ip_version != ip_version)
			continue;
		if (!memcmp(&own->addr, &addr[0], sizeof(own->addr)))
			return true;
		prefix_truncate(&network, network.len);
		from_network |= prefix_contains_addr(&network, &addr[0], ip_version);
		to_network |= prefix_contains_addr(&network, &addr[1], ip_version) &&
			      memcmp(&own->addr, &addr[1], sizeof(own->addr));
	}
	return to_network && !from_network;
}

static void leave_out(const struct replay *replay, unsigned int number, const char *why)
{
	char text[160];

	snprintf(text, sizeof(text), "packet %u is left out: %s", number, why);
	replay->warn(text, replay->warn_arg);
}

static const char *unfit(const struct capture_packet *packet, bool ethernet)
{
	if (!packet->len)
		return "it is empty";
	if (packet->len > PACKET_MAX_LEN)
		return "it is longer than an IP packet";
	if (packet->captured < packet->len && packet->captured < HEADERS_MAX)
		return "the capture has too little of it";
	if (!ethernet && !packet->ethertype)
		return "it is not IP";
	return NULL;
}

static int add_step(const struct replay *replay, struct scenario *scenario,
		    const struct capture_packet *packet, unsigned int number, uint64_t at_ns,
		    struct error *error)
{
	struct scenario_step *steps = scenario->steps, *step;
	size_t n = scenario->n_steps;

	if (!(n & (n - 1))) {
		steps = realloc(steps, (n ? 2 * n : 1) * sizeof(*steps));
		if (!steps)
			return error_set(error, ENOMEM, "out of memory");
		scenario->steps = steps;
	}
	step = &steps[n];
	memset(step, 0, sizeof(*step));
	step->bytes = calloc(1, packet->len);
	if (!step->bytes)
		return error_set(error, ENOMEM, "out of memory");
	memcpy(step->bytes, packet->bytes, packet->captured);
	step->len = packet->len;
	step->at_ns = at_ns;
	step->position.line = number;
	step->ethertype = packet->ethertype;
	step->direction = packet->is_outgoing ||
					  replay_goes_out(replay, packet->bytes, packet->captured)
				  ? DIR_EGRESS
				  : DIR_INGRESS;
	step->kind = SCENARIO_PACKET;
	scenario->n_steps++;
	return 0;
}

/* Times count from the first packet; one that is earlier than the packet before it waits. */
static int add_steps(const struct replay *replay, struct capture *capture,
		     struct scenario *scenario, struct error *error)
{
	uint64_t start_ns = 0, at_ns = 0;
	struct capture_packet packet;
	unsigned int number = 0;
	int ret;

	while ((ret = capture_next(capture, &packet, error)) == 1) {
		const char *why = unfit(&packet, scenario->interface.ethernet);

		if (!number++)
			start_ns = packet.time_ns;
		if (packet.time_ns > start_ns + at_ns)
			at_ns = packet.time_ns - start_ns;
		if (why) {
			leave_out(replay, number, why);
			continue;
		}
		ret = add_step(replay, scenario, &packet, number, at_ns, error);
		if (ret)
			return ret;
	}
	return ret;
}

static int fill(const struct replay *replay, struct scenario *scenario, struct error *error)
{
	size_t size = replay->n_addresses * sizeof(*replay->addresses);
	struct capture *capture;
	int err;

	scenario->path = strdup(replay->capture_path);
	scenario->interface.addresses = malloc(size ? size : 1);
	if (!scenario->path || !scenario->interface.addresses)
		return error_set(error, ENOMEM, "out of memory");
	memcpy(scenario->interface.addresses, replay->addresses, size);
	scenario->interface.n_addresses = replay->n_addresses;
	scenario->interface.mtu = SCENARIO_DEFAULT_MTU;
	scenario->ip_forward = replay->ip_forward;
	err = policy_load(replay->policy_path, &scenario->policy, error);
	if (err)
		return err;
	err = capture_open(replay->capture_path, &capture, error);
	if (err)
		return err;
	scenario->interface.ethernet = capture_is_ethernet(capture);
	err = add_steps(replay, capture, scenario, error);
	capture_close(capture);
	return err;
}

/**
 * replay_load() - Make a scenario of a capture and a policy
 * @replay: of what
 * @scenario: becomes the scenario, for scenario_free(); the line of a step is the packet's number
 * @error: why not
 *
 * Return: 0 or -errno.
 */
int replay_load(const struct replay *replay, struct scenario **scenario, struct error *error)
{
	struct scenario *new = calloc(1, sizeof(*new));
	int err;

	if (!new)
		return error_set(error, ENOMEM, "out of memory");
	if (!replay->n_addresses)
		replay->warn("no --address is given: every packet counts as coming in to be routed",
			     replay->warn_arg);
	err = fill(replay, new, error);
	if (err) {
		scenario_free(new);
		return err;
	}
	*scenario = new;
	return 0;
}
