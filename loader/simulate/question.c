/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "simulate/question.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <stdlib.h>
#include <string.h>

#include "packet/build.h"
#include "simulate/host.h"

#define FRAME_MAX 256

static void no_warning(const char *text, void *arg)
{
	(void)text;
	(void)arg;
}

/**
 * question_open() - Prepare for questions about a policy
 * @question: with policy and environment; for question_close(), whatever is returned
 * @ifname: the interface whose addresses are "self" and whose host judges; NULL: one that is nowhere
 * @warn: told of variables that contradict each other
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int question_open(struct question *question, const char *ifname, warn_fn warn, struct error *error)
{
	struct scenario *scenario = &question->scenario;
	struct local_address *local = NULL;
	struct prefix *networks = NULL;
	struct inquiry_host host = {};
	struct mode mode;
	int err = host_take(ifname, scenario, error);

	if (!err)
		err = host_mode(scenario,
				&(struct mode_question){scenario->policy, &question->environment,
							NULL, warn, NULL},
				&mode, error);
	if (!err)
		err = host_local_addresses(scenario, &local, &host.n_local, error);
	networks = err ? NULL : host_networks(&scenario->interface);
	if (!err && !networks)
		err = error_no_memory(error);
	if (!err) {
		host.local = local;
		host.overlay = networks;
		host.n_overlay = scenario->interface.n_addresses;
		host.routing = mode.routing;
		err = inquiry_open(&question->inquiry, scenario->policy, &host);
		if (err)
			error_set(error, -err, "the lists and sets of the policy are too long: %s",
				  strerror(-err));
	}
	free(networks);
	free(local);
	return err;
}

/* What a packet of this view looks like on the wire, before translation. */
static void translate_back(const struct policy *policy, struct packet_spec *spec)
{
	for (size_t i = 0; i < policy->n_nat_port; i++) {
		const struct nat_port_rule *nat = &policy->nat_port[i];

		if (nat->l4_proto != spec->l4_proto || nat->to != spec->dport ||
		    (nat->ip_version && memcmp(&nat->addr, &spec->daddr, sizeof(nat->addr))))
			continue;
		spec->dport = nat->port;
		break;
	}
	for (size_t i = 0; i < policy->n_one_to_one; i++)
		if (!memcmp(&policy->one_to_one[i].original, &spec->saddr, sizeof(spec->saddr))) {
			spec->saddr = policy->one_to_one[i].translated;
			break;
		}
}

/**
 * question_judge() - Have programs that are there judge a packet as it is on the wire
 * @simulation: what judges, and keeps @result's strings
 * @spec: the packet
 * @direction: its way through the interface
 * @result: what they say
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int question_judge(struct simulation *simulation, const struct packet_spec *spec,
		   enum direction direction, struct simulation_result *result, struct error *error)
{
	struct scenario_step step = {
		.kind = SCENARIO_TRACE,
		.direction = direction,
		.ethertype = spec->ip_version == IP_VERSION_4 ? ETH_P_IP : ETH_P_IPV6,
	};
	uint8_t bytes[FRAME_MAX];
	size_t len;
	int err = packet_build(spec, bytes, sizeof(bytes), &len, error);

	if (err)
		return err;
	step.bytes = bytes;
	step.len = len;
	return simulation_step(simulation, &step, result, error);
}

/**
 * question_step() - Have programs that are there judge a packet
 * @question: the policy
 * @witness: the packet
 * @simulation: of the policy; keeps @result's strings
 * @result: what they say
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int question_step(const struct question *question, const struct witness *witness,
		  struct simulation *simulation, struct simulation_result *result,
		  struct error *error)
{
	struct packet_spec spec;

	packet_spec_init(&spec);
	spec.ip_version = witness->ip_version;
	spec.saddr = witness->source;
	spec.daddr = witness->destination;
	spec.l4_proto = witness->l4_proto;
	spec.sport = witness->sport;
	spec.dport = witness->dport;
	spec.icmp_type = witness->icmp_type;
	spec.icmp_code = witness->icmp_code;
	spec.tcp_flags = PACKET_TCP_SYN;
	translate_back(question->scenario.policy, &spec);
	return question_judge(simulation, &spec, DIR_INGRESS, result, error);
}

/**
 * question_trace() - Load programs, and have them judge a packet
 * @question: the policy
 * @witness: the packet
 * @simulation: becomes what judges, for simulation_free(), and keeps @result's strings
 * @result: what they say
 * @error: set on failure
 *
 * Return: 0; -EPERM or -EACCES: the right to load programs lacks; or another -errno.
 */
int question_trace(const struct question *question, const struct witness *witness,
		   struct simulation **simulation, struct simulation_result *result,
		   struct error *error)
{
	int err = simulation_new(&question->scenario, &question->environment, no_warning,
				 simulation, error);

	return err ? err : question_step(question, witness, *simulation, result, error);
}

/**
 * question_close() - Let go of what question_open() has made
 */
void question_close(struct question *question)
{
	host_release(&question->scenario);
	inquiry_close(&question->inquiry);
}
