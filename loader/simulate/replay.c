/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A capture does not say which way a packet went (but for Linux cooked ones), so the addresses do:
 * what an address of the interface sends goes out, and so does what comes from elsewhere for the
 * networks behind the interface.  Everything else comes in.
 */
#include "simulate/replay.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/value.h"
#include "packet/build.h"

#define HEADERS_MAX 128 /* a packet that was cut shorter than this lacks what it is judged by */

/**
 * replay_add_address() - Note an address of the interface
 * @replay: where
 * @text: the address, with its prefix length or alone
 * @error: set on failure
 *
 * Return: 0 or -EINVAL (invalid input).
 */
int replay_add_address(struct replay *replay, const char *text, struct error *error)
{
	struct prefix *prefix = &replay->addresses[replay->n_addresses];
	const char *slash = strchr(text, '/');
	char addr[ADDR_TEXT_MAX];
	struct prefix made = {};
	uint64_t len;

	if (replay->n_addresses == REPLAY_ADDRESSES_MAX)
		return error_input(error, "address %.80s: more than %d", text,
				   REPLAY_ADDRESSES_MAX);
	snprintf(addr, sizeof(addr), "%.*s", slash ? (int)(slash - text) : (int)strlen(text), text);
	if (addr_parse(addr, &made.addr, &made.ip_version, error))
		return error_prefix(error, "address %.80s", text);
	len = prefix_bits(made.ip_version);
	if (slash && number_parse(slash + 1, 0, len, &len, error))
		return error_prefix(error, "address %.80s", text);
	made.len = len;
	*prefix = made;
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

static void leave_out(const struct replay *replay, const char *why)
{
	char text[160];

	snprintf(text, sizeof(text), "packet %u is left out: %s", replay->number, why);
	replay->warn(text, replay->warn_arg);
}

static bool is_ip(const struct capture_packet *packet)
{
	return packet->ethertype == ETH_P_IP || packet->ethertype == ETH_P_IPV6;
}

static const char *unfit(const struct capture_packet *packet, bool ethernet)
{
	if (!packet->len)
		return "it is empty";
	if (packet->len > PACKET_MAX_LEN)
		return "it is longer than an IP packet";
	if (packet->captured < packet->len && packet->captured < HEADERS_MAX)
		return "the capture has too little of it";
	if (!ethernet && !is_ip(packet))
		return "it is not IP";
	return NULL;
}

/* Read the next packet.  One that is earlier than the packet before it counts as of its time. */
static int read_packet(struct replay *replay, struct error *error)
{
	struct capture_packet *packet = &replay->packet;
	int found = replay->next ? replay->next(replay->next_arg, packet, error)
				 : capture_next(replay->capture, packet, error);

	if (found != 1)
		return found;
	if (!replay->number++)
		replay->start_ns = packet->time_ns;
	if (packet->time_ns > replay->start_ns + replay->at_ns)
		replay->at_ns = packet->time_ns - replay->start_ns;
	return 1;
}

/* Set the scenario that a capture amounts to. */
static int fill(const struct replay *replay, struct scenario *scenario, struct error *error)
{
	size_t size = replay->n_addresses * sizeof(*replay->addresses);

	scenario->path = strdup(replay->capture_path);
	scenario->interface.addresses = malloc(size ? size : 1);
	if (!scenario->path || !scenario->interface.addresses)
		return error_no_memory(error);
	memcpy(scenario->interface.addresses, replay->addresses, size);
	scenario->interface.n_addresses = replay->n_addresses;
	scenario->interface.mtu = SCENARIO_DEFAULT_MTU;
	scenario->interface.ethernet = replay->is_ethernet;
	scenario->ip_forward = replay->ip_forward;
	if (!replay->policy)
		return policy_load(replay->policy_path, &scenario->policy, error);
	return policy_parse(replay->policy->path, replay->policy->text, replay->policy->len,
			    &scenario->policy, error);
}

/* The first packet shows what link the interface has. */
static int begin(struct replay *replay, struct error *error)
{
	int found, err;

	err = replay->next ? 0 : capture_open(replay->capture_path, &replay->capture, error);
	if (err)
		return err;
	found = read_packet(replay, error);
	if (found < 0)
		return found;
	replay->is_unread = found;
	replay->is_ethernet = found && replay->packet.is_ethernet;
	return 0;
}

/**
 * replay_open() - Make a scenario of a capture and a policy
 * @replay: of what
 * @scenario: set to the scenario, for scenario_free(); its steps are replay_next()'s
 * @error: set on failure
 *
 * Return: 0 or -errno; @replay is for replay_close() either way.
 */
int replay_open(struct replay *replay, struct scenario **scenario, struct error *error)
{
	struct scenario *made = calloc(1, sizeof(*made));
	int err;

	if (!made)
		return error_no_memory(error);
	if (!replay->n_addresses)
		replay->warn("no --address is given: every packet counts as coming in to be routed",
			     replay->warn_arg);
	err = begin(replay, error);
	if (!err)
		err = fill(replay, made, error);
	if (err) {
		scenario_free(made);
		return err;
	}
	*scenario = made;
	return 0;
}

/* Which way a packet went. */
static bool goes_out(const struct replay *replay, const struct capture_packet *packet)
{
	return packet->is_outgoing ||
	       (!packet->is_incoming && replay_goes_out(replay, packet->bytes, packet->captured));
}

/**
 * replay_next() - Make a step of the next packet of a capture
 * @replay: opened
 * @step: set to the packet, its line the packet's number; its bytes are the capture's, and valid
 *	  until the next call
 * @error: set on failure
 *
 * Return: 1: there is one; 0: that was the last; or -errno.
 */
int replay_next(struct replay *replay, struct scenario_step *step, struct error *error)
{
	const struct capture_packet *packet = &replay->packet;
	const char *why;
	int found;

	for (;;) {
		found = replay->is_unread ? 1 : read_packet(replay, error);
		if (found != 1)
			return found;
		replay->is_unread = false;
		why = unfit(packet, replay->is_ethernet);
		if (!why)
			break;
		leave_out(replay, why);
	}
	*step = (struct scenario_step){
		.bytes = (uint8_t *)packet->bytes, /* only read */
		.len = packet->len,
		.missing = packet->len - packet->captured,
		.at_ns = replay->at_ns,
		.position = {.line = replay->number},
		.ethertype = packet->ethertype,
		.direction = goes_out(replay, packet) ? DIR_EGRESS : DIR_INGRESS,
		.kind = SCENARIO_PACKET,
	};
	return 1;
}

/**
 * replay_close() - Close the capture
 * @replay: opened or not
 */
void replay_close(struct replay *replay)
{
	capture_close(replay->capture);
	replay->capture = NULL;
}
