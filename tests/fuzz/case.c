/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Cases: making them, running them on both sides, making them small, printing them.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "policy/block_list.h"
#include "simulate/simulate.h"

#define STEPS_MAX     12000
#define MINIMISE_RUNS 80 /* each builds the programs anew */

static const char *const verdict_names[] = {"pass", "drop", "forward"};

static const char *const reason_names[] = {
#define REASON(id, name, help) name,
	REASONS(REASON)
#undef REASON
};

static const char *const state_names[] = {
#define STATE(id, name) name,
	FLOW_STATES(STATE)
#undef STATE
};

static void set_prefix(struct prefix *prefix, const char *text)
{
	struct error error;
	char address[ADDR_TEXT_MAX];
	const char *slash = strchr(text, '/');

	snprintf(address, sizeof(address), "%.*s", (int)(slash ? slash - text : 45), text);
	if (addr_parse(address, &prefix->addr, &prefix->ip_version, &error))
		abort();
	prefix->len = slash ? (unsigned int)atoi(slash + 1) : prefix_bits(prefix->ip_version);
}

static void make_uplink(struct fuzz_random *random, struct scenario_uplink *uplink)
{
	static const uint16_t mtus[] = {1500, 1500, 1280, 576, 9000};

	strcpy(uplink->name, "eth0");
	uplink->interface.addresses = calloc(2, sizeof(struct prefix));
	if (!uplink->interface.addresses)
		abort();
	set_prefix(&uplink->interface.addresses[0], fuzz_uplink4);
	set_prefix(&uplink->interface.addresses[1], fuzz_uplink6);
	uplink->interface.n_addresses = fuzz_chance(random, 90) ? 2 : 1;
	uplink->interface.mtu = mtus[fuzz_random(random, 5)];
	uplink->interface.ethernet = true;
}

static struct scenario *make_host(struct fuzz_random *random)
{
	static const uint16_t mtus[] = {1280, 1420, 1500, 576, 9000};
	struct scenario *scenario = calloc(1, sizeof(*scenario));

	if (!scenario)
		abort();
	scenario->interface.addresses = calloc(2, sizeof(struct prefix));
	scenario->local_addresses = calloc(2, sizeof(struct prefix));
	scenario->steps = calloc(STEPS_MAX, sizeof(*scenario->steps));
	if (!scenario->interface.addresses || !scenario->local_addresses || !scenario->steps)
		abort();
	set_prefix(&scenario->interface.addresses[0], fuzz_interface4);
	set_prefix(&scenario->interface.addresses[1], fuzz_interface6);
	scenario->interface.n_addresses = 2;
	set_prefix(&scenario->local_addresses[0], "192.168.1.1");
	set_prefix(&scenario->local_addresses[1], "2001:db8:1::1");
	scenario->n_local_addresses = 2;
	scenario->interface.mtu = mtus[fuzz_random(random, 5)];
	scenario->interface.ethernet = fuzz_chance(random, 40);
	if (fuzz_chance(random, 85))
		make_uplink(random, &scenario->uplink);
	scenario->ip_forward = fuzz_chance(random, 50);
	return scenario;
}

/* The next packet, numbered; from here on its bytes are all that counts. */
static void make_packet(struct fuzz_traffic *traffic, struct numbers *numbers, bool traces,
			struct model *model, struct scenario_step *step)
{
	struct model_result result;
	struct error error;

	fuzz_traffic_next(traffic, step);
	if (traces && fuzz_chance(traffic->random, 5))
		step->kind = SCENARIO_TRACE;
	fuzz_number(traffic->random, numbers, step);
	model_step(model, step, &result);
	if (numbers_settle(numbers, step, result.verdict, result.packet.bytes, &error))
		abort();
	step->tcp_off = 0;
	if (step->kind == SCENARIO_PACKET && step->direction == DIR_EGRESS)
		fuzz_traffic_left(traffic, result.packet.bytes, result.packet.len);
	if (step->kind == SCENARIO_PACKET && step->direction == DIR_INGRESS &&
	    result.verdict == VERDICT_FORWARD)
		fuzz_traffic_sent(traffic, step, result.packet.bytes);
}

/**
 * fuzz_scenario() - Make the case of a seed
 * @seed: any number
 *
 * The model judges while the case is made, so that packets can quote what has left, and go on
 * where those before have come.
 *
 * Return: the scenario, for scenario_free(); the process ends where memory is out.
 */
struct scenario *fuzz_scenario(uint64_t seed)
{
	struct fuzz_random random = {(seed + 1) * UINT64_C(0x9e3779b97f4a7c15) | 1};
	struct scenario *scenario = make_host(&random);
	struct fuzz_traffic *traffic = calloc(1, sizeof(*traffic));
	size_t n_steps = 1000 + fuzz_random(&random, STEPS_MAX - 1000);
	bool traces = fuzz_chance(&random, 15);
	struct numbers *numbers;
	struct model *model;
	struct error error;

	if (!traffic || numbers_new(&numbers, &error))
		abort();
	scenario->policy = fuzz_policy(&random);
	traffic->random = &random;
	traffic->policy = scenario->policy;
	traffic->ethernet = scenario->interface.ethernet;
	traffic->has_uplink = scenario->uplink.name[0];
	for (size_t i = 0; i < scenario->uplink.interface.n_addresses; i++)
		traffic->uplink[i] = scenario->uplink.interface.addresses[i].addr;
	model = model_new(scenario);
	for (size_t i = 0; i < n_steps; i++) {
		struct scenario_step *step = &scenario->steps[i];

		if (fuzz_random(&random, 1500) == 0) {
			*step = (struct scenario_step){.kind = SCENARIO_APPLY,
						       .at_ns = traffic->now_ns};
			step->policy = fuzz_policy(&random);
			traffic->policy = step->policy;
			model_step(model, step, NULL);
		} else {
			make_packet(traffic, numbers, traces, model, step);
		}
	}
	scenario->n_steps = n_steps;
	model_free(model);
	numbers_free(numbers);
	free(traffic);
	return scenario;
}

static void describe(char *what, size_t size, const char *field, const char *ours,
		     const char *theirs)
{
	size_t len = strlen(what);

	snprintf(what + len, size - len, "%s%s: model %s, programs %s", len ? "; " : "", field,
		 ours, theirs);
}

static void compare_packets(const struct model_result *model,
			    const struct simulation_result *programs, char *what, size_t size)
{
	char ours[32], theirs[32];

	if (model->verdict == VERDICT_DROP || model->packet.len != programs->len ||
	    model_bytes_same(&model->packet, programs->packet))
		return;
	for (uint32_t i = 0; i < model->packet.len; i++) {
		if (model->packet.bytes[i] == programs->packet[i])
			continue;
		snprintf(ours, sizeof(ours), "%02x at byte %u", model->packet.bytes[i], i);
		snprintf(theirs, sizeof(theirs), "%02x", programs->packet[i]);
		describe(what, size, "packet", ours, theirs);
		return;
	}
}

static bool compare(const struct model_result *model, const struct simulation_result *programs,
		    uint64_t out_of_window, struct fuzz_difference *difference)
{
	const struct trace_event *event = &programs->event;
	const char *rule = programs->rule_id ? programs->rule_id : "";
	size_t size = sizeof(difference->what);
	char *what = difference->what;

	what[0] = '\0';
	if (model->verdict != event->verdict)
		describe(what, size, "verdict", verdict_names[model->verdict],
			 verdict_names[event->verdict]);
	if (model->reason != event->reason)
		describe(what, size, "reason", reason_names[model->reason],
			 reason_names[event->reason]);
	if (strcmp(model->rule_id, rule))
		describe(what, size, "rule", model->rule_id, rule);
	if (model->state != event->flow_state)
		describe(what, size, "state", state_names[model->state],
			 state_names[event->flow_state]);
	if (model->out_of_window != out_of_window)
		describe(what, size, "tcp_out_of_window", model->out_of_window ? "yes" : "no",
			 out_of_window == 1 ? "yes"
			 : out_of_window    ? "twice"
					    : "no");
	if (!what[0])
		compare_packets(model, programs, what, size);
	if (!what[0])
		return false;
	difference->found = true;
	difference->model = *model;
	return true;
}

static void keep_silent(const char *text, void *arg)
{
	(void)text;
	(void)arg;
}

/* NAT has one hook, whatever the others'. */
static void set_hook_of(struct policy *policy, enum policy_hook hook)
{
	if (policy->mode.routing != POLICY_ROUTING_NAT)
		policy->mode.hook = hook;
}

static void set_hook(const struct scenario *scenario, enum policy_hook hook)
{
	set_hook_of(scenario->policy, hook);
	for (size_t i = 0; i < scenario->n_steps; i++)
		if (scenario->steps[i].kind == SCENARIO_APPLY)
			set_hook_of(scenario->steps[i].policy, hook);
}

/* How many segments did not fit their connection, so far. */
static int count_out_of_window(const struct simulation *simulation, uint64_t *n,
			       struct error *error)
{
	struct counters totals[DIR_MAX];
	int err = simulation_counters(simulation, totals, error);

	*n = 0;
	for (int i = 0; i < DIR_MAX && !err; i++)
		*n += totals[i].tcp_out_of_window.packets;
	return err;
}

/**
 * fuzz_run() - Run a case on both sides, up to the first difference
 * @scenario: the case; the hook of its policies is changed
 * @hook: where its inbound packets are judged
 * @difference: set to the difference
 * @error: why the case could not be run
 *
 * Return: 0, with or without a difference, or -errno.
 */
int fuzz_run(const struct scenario *scenario, enum policy_hook hook,
	     struct fuzz_difference *difference, struct error *error)
{
	const struct environment environment = {};
	struct simulation *simulation = NULL;
	struct simulation_result programs;
	struct model_result result;
	const struct policy *policy = scenario->policy;
	uint64_t before = 0, now = 0;
	struct model *model;
	int err;

	set_hook(scenario, hook);
	difference->found = false;
	err = simulation_new(scenario, &environment, keep_silent, &simulation, error);
	if (err)
		return err;
	model = model_new(scenario);
	for (size_t i = 0; i < scenario->n_steps && !err; i++) {
		const struct scenario_step *step = &scenario->steps[i];

		if (step->kind == SCENARIO_APPLY)
			policy = step->policy;
		if (step->direction == DIR_UPLINK && policy->mode.routing != POLICY_ROUTING_NAT)
			continue; /* its policy was left out */
		model_step(model, step, &result);
		err = simulation_step(simulation, step, &programs, error);
		if (!err)
			err = count_out_of_window(simulation, &now, error);
		if (err || step->kind == SCENARIO_APPLY)
			continue;
		difference->step = i;
		if (compare(&result, &programs, now - before, difference))
			break;
		before = now;
	}
	model_free(model);
	simulation_free(simulation);
	return err;
}

/* Whether a case still shows a difference without some of its steps; if so they are left out. */
static int try_without(struct scenario *scenario, size_t from, size_t n, enum policy_hook hook,
		       struct fuzz_difference *difference, bool *still, struct error *error)
{
	struct fuzz_difference found;
	struct scenario shorter = *scenario;
	int err;

	shorter.steps = calloc(scenario->n_steps, sizeof(*shorter.steps));
	if (!shorter.steps)
		return error_set(error, ENOMEM, "out of memory");
	shorter.n_steps = scenario->n_steps - n;
	memcpy(shorter.steps, scenario->steps, from * sizeof(*shorter.steps));
	memcpy(shorter.steps + from, scenario->steps + from + n,
	       (shorter.n_steps - from) * sizeof(*shorter.steps));
	err = fuzz_run(&shorter, hook, &found, error);
	*still = !err && found.found;
	if (*still) {
		for (size_t i = from; i < from + n; i++) {
			free(scenario->steps[i].bytes);
			policy_free(scenario->steps[i].policy);
		}
		memcpy(scenario->steps, shorter.steps, shorter.n_steps * sizeof(*shorter.steps));
		scenario->n_steps = shorter.n_steps;
		*difference = found;
	}
	free(shorter.steps);
	return err;
}

/**
 * fuzz_minimise() - Leave out the steps that a difference does not need
 * @scenario: the case; loses steps
 * @hook: where it differs
 * @difference: as fuzz_run() found it; becomes that of the smaller case
 * @error: why a case could not be run
 *
 * Ever smaller groups of steps are left out; what is after the difference goes first.
 *
 * Return: 0 or -errno.
 */
int fuzz_minimise(struct scenario *scenario, enum policy_hook hook,
		  struct fuzz_difference *difference, struct error *error)
{
	size_t group = scenario->n_steps, runs = 0;
	bool still;
	int err = 0;

	while (group && !err && runs < MINIMISE_RUNS) {
		size_t end = difference->step;

		if (group > end) {
			group = end;
			continue;
		}
		while (end >= group && !err && runs++ < MINIMISE_RUNS) {
			err = try_without(scenario, end - group, group, hook, difference, &still,
					  error);
			end -= group;
			if (end > difference->step)
				end = difference->step;
		}
		group = group > 1 ? (group + 1) / 2 : 0;
	}
	return err;
}

static void print_policy(FILE *file, const struct policy *policy, enum policy_hook hook)
{
	const char *text = policy->text, *hook_at = strstr(text, "hook: xdp");

	if (!hook_at) {
		fputs(text, file);
		return;
	}
	fprintf(file, "%.*shook: %s%s", (int)(hook_at - text), text,
		hook == POLICY_HOOK_XDP ? "xdp" : "tc", hook_at + strlen("hook: xdp"));
}

static void print_expectation(FILE *file, const struct model_result *model)
{
	fprintf(file, ",\n     expect: {verdict: %s, reason: %s, rule: %s, state: %s}",
		verdict_names[model->verdict], reason_names[model->reason],
		model->rule_id[0] ? model->rule_id : "null",
		model->state == FLOW_STATE_NONE ? "null" : state_names[model->state]);
}

static void print_packet(FILE *file, const struct scenario *scenario,
			 const struct scenario_step *step, const struct model_result *expected)
{
	fprintf(file, "%s%sdirection: %s, ", step->kind == SCENARIO_TRACE ? "trace: true, " : "",
		step->direction == DIR_UPLINK ? "interface: eth0, " : "",
		step->direction == DIR_EGRESS ? "out" : "in");
	if (scenario->interface.ethernet)
		fprintf(file, "ethertype: 0x%04x, ", step->ethertype);
	fputs("hex: \"", file);
	for (uint32_t i = 0; i < step->len; i++)
		fprintf(file, "%02x", step->bytes[i]);
	fputs("\"", file);
	if (expected)
		print_expectation(file, expected);
}

static void print_uplink(FILE *file, const struct scenario_uplink *uplink)
{
	if (uplink->name[0])
		fprintf(file, "uplink: {name: %s, addresses: [%s%s%s], mtu: %u}\n", uplink->name,
			fuzz_uplink4, uplink->interface.n_addresses > 1 ? ", " : "",
			uplink->interface.n_addresses > 1 ? fuzz_uplink6 : "",
			uplink->interface.mtu);
}

/* Who is blocked is no part of a scenario: it is for the reader. */
static void print_blocked(FILE *file, const struct policy *policy)
{
	const struct block_list *list = policy->blocked;
	char text[PREFIX_TEXT_MAX];

	for (size_t i = 0; list && i < list->n; i++) {
		struct prefix prefix = block_list_prefix(&list->peers[i]);

		fprintf(file, "# blocked: %s, until %" PRIu64 " ns\n",
			prefix_format(&prefix, text, sizeof(text)),
			(uint64_t)list->peers[i].until_ns);
	}
}

/**
 * fuzz_print() - Print a case as a scenario file
 * @file: where
 * @scenario: the case
 * @seed: that made it
 * @hook: where it differs
 * @difference: what it shows
 */
void fuzz_print(FILE *file, const struct scenario *scenario, uint64_t seed, enum policy_hook hook,
		const struct fuzz_difference *difference)
{
	fprintf(file, "# seed %" PRIu64 ", step %zu: %s\npolicy: ", seed, difference->step,
		difference->what);
	print_policy(file, scenario->policy, hook);
	fprintf(file,
		"\ninterface: {addresses: [%s, \"%s\"], mtu: %u, link: %s}\n"
		"local_addresses: [192.168.1.1, \"2001:db8:1::1\"]\nip_forward: %s\n",
		fuzz_interface4, fuzz_interface6, scenario->interface.mtu,
		scenario->interface.ethernet ? "ethernet" : "l3",
		scenario->ip_forward ? "true" : "false");
	print_uplink(file, &scenario->uplink);
	print_blocked(file, scenario->policy);
	fputs("packets:\n", file);
	for (size_t i = 0; i <= difference->step; i++) {
		const struct scenario_step *step = &scenario->steps[i];

		fprintf(file, "  - {at: %" PRIu64 ".%09" PRIu64 "s, ", step->at_ns / NS_PER_S,
			step->at_ns % NS_PER_S);
		if (step->kind == SCENARIO_APPLY) {
			fputs("apply: ", file);
			print_policy(file, step->policy, hook);
			fputs("}\n", file);
			print_blocked(file, step->policy);
			continue;
		}
		print_packet(file, scenario, step,
			     i == difference->step ? &difference->model : NULL);
		fputs("}\n", file);
	}
}
