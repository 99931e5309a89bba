/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "simulate/simulate.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <stdlib.h>
#include <string.h>

#include "classify.h"
#include "dataplane/attached.h"
#include "dataplane/generation.h"
#include "dataplane/generation_build.h"
#include "dataplane/generation_rules.h"
#include "dataplane/generation_state.h"
#include "dataplane/local_addresses.h"
#include "dataplane/masquerading.h"
#include "dataplane/mode.h"
#include "dataplane/test_run.h"
#include "maps.h"
#include "masquerade.h"
#include "packet/build.h"
#include "simulate/host.h"
#include "simulate/numbers.h"
#include "uplink/uplinks.h"

/* A policy in force: its generation, where its records come out, and the names of its rules. */
struct stand {
	struct generation *generation;
	struct generation *clone;    /* for trace steps: dry, on the same maps; made when needed */
	struct perf_buffer *records; /* of the clone too: they share the map that leads to it */
	struct rule_view *rules;
	size_t n_rules;
};

struct simulation {
	const struct scenario *scenario;
	struct environment environment;
	warn_fn warn;
	struct stand stand;
	struct testrun testrun;
	struct numbers *numbers;
	uint8_t packet[PACKET_MAX_LEN]; /* numbered; once it is judged, as it left */
};

static void stand_free(struct stand *stand)
{
	perf_buffer__free(stand->records);
	generation_free(stand->clone);
	generation_free(stand->generation);
	free(stand->rules);
}

static uint8_t l2_len(const struct simulation *simulation)
{
	return simulation->scenario->interface.ethernet ? ETH_HLEN : 0;
}

static bool has_forwarder(const struct policy *policy, const struct mode *mode)
{
	const struct config config = {
		.routing = mode->routing,
		.netstack = policy->mode.netstack,
		.local_forwarding = policy->mode.local_forwarding,
	};

	return config_has_forwarder(&config);
}

/* Fill the tables of local addresses as the scenario has them. */
static int fill_addresses(const struct scenario *scenario, const struct map_set *maps,
			  struct error *error)
{
	const struct local_maps local = {
		.filter_fd = map_set_fd(maps, MAP_LOCAL_FILTER),
		.addr_fd = map_set_fd(maps, MAP_LOCAL_ADDR),
		.prefix_fd = map_set_fd(maps, MAP_LOCAL_PREFIX),
		.epoch_fd = map_set_fd(maps, MAP_CT_EPOCH),
	};
	struct local_address *list;
	size_t n;
	int err = host_local_addresses(scenario, &list, &n, error);

	if (err)
		return err;
	err = addresses_sync_list(&local, list, n, NULL, error);
	free(list);
	return err;
}

/* What the programs are to know of the uplink, as `run` would tell them. */
static void set_uplink(const struct scenario *scenario, const struct policy *policy,
		       struct generation *generation)
{
	const struct scenario_interface *interface = &scenario->uplink.interface;
	const struct masquerade_ports local = UPLINKS_LOCAL_PORTS;
	struct masquerade masquerade = {.mtu = scenario->interface.mtu}, before;
	struct uplink *uplink = &masquerade.uplinks[0];

	uplinks_set_ports(&policy->uplinks, local, masquerade.ports);
	for (size_t i = 0; i < scenario->interface.n_addresses; i++)
		masquerade.own[scenario->interface.addresses[i].ip_version == IP_VERSION_6] =
			scenario->interface.addresses[i].addr;
	uplink->ifindex = scenario->uplink.name[0] ? 1 : 0;
	uplink->mtu = interface->mtu;
	uplink->l2_len = interface->ethernet ? ETH_HLEN : 0;
	strcpy(uplink->name, scenario->uplink.name);
	for (size_t i = interface->n_addresses; i--;)
		uplink->addr[interface->addresses[i].ip_version == IP_VERSION_6] =
			interface->addresses[i].addr;
	if (masquerading_read(&generation->maps, &before))
		masquerade.epoch = before.epoch + 1;
	masquerading_set(generation, &masquerade);
}

/* Build the generation of a policy, on the state of the one in force. */
static int build(const struct simulation *simulation, const struct policy *policy,
		 struct generation **generation, struct error *error)
{
	const struct generation *old = simulation->stand.generation;
	struct prefix *overlay = host_networks(&simulation->scenario->interface);
	struct mode mode;
	struct generation_spec spec = {
		.policy = policy,
		.mode = &mode,
		.overlay = overlay,
		.previous = old ? &old->maps : NULL,
		.instance_previous = old ? &old->instance : NULL,
		.mtu = simulation->scenario->interface.mtu,
		.l2_len = l2_len(simulation),
		.virtual_clock = true,
		.trace = true,
	};
	int err;

	if (!overlay)
		return error_no_memory(error);
	err = host_mode(simulation->scenario,
			&(struct mode_question){policy, &simulation->environment, NULL,
						simulation->warn, NULL},
			&mode, error);
	if (!err) {
		if (has_forwarder(policy, &mode))
			spec.n_overlay = simulation->scenario->interface.n_addresses;
		err = generation_build(&spec, generation, error);
	}
	free(overlay);
	if (!err && old)
		masquerading_carry(&old->maps, *generation);
	if (!err && mode.routing == ROUTING_NAT)
		set_uplink(simulation->scenario, policy, *generation);
	return err;
}

/* A policy comes into force.  NetBird's variables win over it, as they do on an interface. */
static int apply(struct simulation *simulation, struct policy *policy, struct error *error)
{
	const struct generation *old = simulation->stand.generation;
	struct stand made = {};
	int err;

	environment_apply(&simulation->environment, policy);
	err = build(simulation, policy, &made.generation, error);
	if (!err)
		err = testrun_open_records(&simulation->testrun, made.generation, &made.records,
					   error);
	if (!err)
		err = fill_addresses(simulation->scenario, &made.generation->maps, error);
	if (!err && old)
		err = generation_carry_state(&old->maps, made.generation, error);
	if (!err)
		err = generation_read_rules(&made.generation->maps, &made.rules, &made.n_rules,
					    error);
	if (err) {
		stand_free(&made);
		return err;
	}
	generation_sort_rules(made.rules, made.n_rules);
	stand_free(&simulation->stand);
	simulation->stand = made;
	return 0;
}

/**
 * simulation_new() - Build what judges a scenario, with its first policy in force
 * @scenario: outlives the simulation; its policies are changed by environment_apply()
 * @environment: NetBird's variables
 * @warn: called for variables that contradict each other, with NULL as argument
 * @simulation: becomes the simulation, for simulation_free()
 * @error: set on failure
 *
 * Return: 0; -EINVAL (invalid input) for a policy that cannot work; or another -errno.
 */
int simulation_new(const struct scenario *scenario, const struct environment *environment,
		   warn_fn warn, struct simulation **simulation, struct error *error)
{
	struct simulation *made = calloc(1, sizeof(*made));
	int err;

	if (!made)
		return error_no_memory(error);
	made->scenario = scenario;
	made->environment = *environment;
	made->warn = warn;
	err = testrun_begin(&made->testrun, error);
	if (!err)
		err = numbers_new(&made->numbers, error);
	if (!err)
		err = apply(made, scenario->policy, error);
	if (err) {
		simulation_free(made);
		return err;
	}
	*simulation = made;
	return 0;
}

/* The clone as it is to be for a trace now: what the programs know of ports is no map that both have. */
static int make_clone(struct stand *stand, struct error *error)
{
	const struct generation_spec spec = {
		.previous = &stand->generation->maps,
		.instance_previous = &stand->generation->instance,
		.virtual_clock = true,
		.trace = true,
		.dry_run = true,
		.clone = true,
	};
	int err = 0;

	if (!stand->clone)
		err = generation_build(&spec, &stand->clone, error);
	if (!err)
		masquerading_carry(&stand->generation->maps, stand->clone);
	return err;
}

/* One test run of simulation->packet; simulation->testrun holds what came of it. */
static int run(struct simulation *simulation, const struct generation *generation,
	       const struct scenario_step *step, struct error *error)
{
	const struct testrun_packet packet = {
		.bytes = simulation->packet,
		.len = step->len,
		.captured = step->len,
		.ethertype = step->ethertype,
		.direction = step->direction,
	};

	generation_set_time(generation, SIMULATE_START_NS + step->at_ns);
	return testrun_packet(&simulation->testrun, generation, simulation->stand.records, &packet,
			      error);
}

/* What an uplink has brought goes out by the interface, where its connection may have ended. */
static int run_out(struct simulation *simulation, const struct generation *generation,
		   const struct scenario_step *step, struct error *error)
{
	const struct trace_event in = simulation->testrun.event;
	const struct testrun_packet packet = {
		.bytes = simulation->packet,
		.len = step->len,
		.captured = step->len,
		.ethertype = step->ethertype,
		.direction = DIR_EGRESS,
		.mark = simulation->testrun.mark,
	};
	struct trace_event *event = &simulation->testrun.event;
	struct trace_event out;
	int err = testrun_packet(&simulation->testrun, generation, simulation->stand.records,
				 &packet, error);

	if (err)
		return err;
	out = *event;
	*event = in;
	event->flow_state = out.flow_state;
	if (out.verdict == VERDICT_DROP) {
		event->verdict = out.verdict;
		event->reason = out.reason;
		event->message[STAGE_COMPLETED] = MESSAGE_DONE_DROPPED;
	}
	return 0;
}

/* Write the packet of a step as it is to be judged. */
static int make_packet(struct simulation *simulation, const struct scenario_step *step,
		       struct error *error)
{
	uint32_t given = step->len - step->missing;

	memcpy(simulation->packet, step->bytes, given);
	memset(simulation->packet + given, 0, step->missing);
	return numbers_assign(simulation->numbers, step, simulation->packet, error);
}

/* What the programs were given of the packet is as it left, the rest as it was. */
static void take_packet(struct simulation *simulation, const struct scenario_step *step)
{
	uint32_t off = simulation->testrun.l2_len;
	uint32_t given = step->len < TESTRUN_FRAME_MAX - off ? step->len : TESTRUN_FRAME_MAX - off;

	memcpy(simulation->packet, simulation->testrun.frame + off, given);
}

/**
 * simulation_step() - Judge a packet, or apply a policy
 * @simulation: the simulation
 * @step: of its scenario, or made in the same way; not earlier than the step before
 * @result: is filled for packets and traces, untouched by an apply
 * @error: set on failure
 *
 * A policy that cannot be applied leaves the old one in force.
 *
 * Return: 0; -EINVAL (invalid input) for a policy that cannot work; or another -errno.
 */
int simulation_step(struct simulation *simulation, const struct scenario_step *step,
		    struct simulation_result *result, struct error *error)
{
	struct stand *stand = &simulation->stand;
	bool is_trace = step->kind == SCENARIO_TRACE;
	const struct generation *judge;
	int err = 0;

	if (step->kind == SCENARIO_APPLY)
		return apply(simulation, step->policy, error);
	if (step->direction == DIR_UPLINK && stand->generation->uplink_fds[0] < 0)
		return error_input(error, "packets of an uplink need 'routing: nat'");
	if (is_trace)
		err = make_clone(stand, error);
	judge = is_trace ? stand->clone : stand->generation;
	if (!err)
		err = make_packet(simulation, step, error);
	if (!err)
		err = run(simulation, judge, step, error);
	if (err)
		return err;
	take_packet(simulation, step);
	if (step->direction == DIR_UPLINK && simulation->testrun.event.verdict == VERDICT_FORWARD) {
		err = run_out(simulation, judge, step, error);
		if (err)
			return err;
		take_packet(simulation, step);
	}
	err = numbers_settle(simulation->numbers, step, simulation->testrun.event.verdict,
			     simulation->packet, error);
	if (err)
		return err;
	result->event = simulation->testrun.event;
	result->rule_id = generation_rule_id(stand->rules, stand->n_rules,
					     simulation->testrun.event.rule);
	result->packet = simulation->packet;
	result->len = step->len;
	return 0;
}

/**
 * simulation_counters() - What the programs have counted since simulation_new()
 * @simulation: the simulation
 * @totals: by enum direction
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int simulation_counters(const struct simulation *simulation, struct counters totals[DIR_MAX],
			struct error *error)
{
	return attached_counters(&simulation->stand.generation->maps, totals, error);
}

/**
 * simulation_free() - End a simulation; the thread may run on any of its CPUs again
 * @simulation: may be NULL
 */
void simulation_free(struct simulation *simulation)
{
	if (!simulation)
		return;
	stand_free(&simulation->stand);
	numbers_free(simulation->numbers);
	testrun_end(&simulation->testrun);
	free(simulation);
}
