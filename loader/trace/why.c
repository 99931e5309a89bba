/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "trace/why.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/names.h"
#include "base/output.h"
#include "trace/explain.h"
#include "trace/record_json.h"
#include "trace/record_print.h"

/* What a reason says of the stages in which it comes up. */
static const struct {
	uint8_t routing; /* enum trace_message of these stages */
	uint8_t peer;
	uint8_t route;
	uint8_t forwarding;
	uint8_t completed;
} stages_of[REASON_MAX] = {
	[REASON_PEER_ACL_ALLOWED] = {MESSAGE_ROUTE_LOCAL, .peer = MESSAGE_PEER_ALLOWED},
	[REASON_PEER_ACL_DENIED] = {MESSAGE_ROUTE_LOCAL, MESSAGE_PEER_BLOCKED,
				    .completed = MESSAGE_DONE_ACL},
	[REASON_PEER_ACL_DEFAULT] = {MESSAGE_ROUTE_LOCAL, MESSAGE_PEER_BLOCKED,
				     .completed = MESSAGE_DONE_ACL},
	[REASON_ROUTE_ACL_ALLOWED] = {MESSAGE_ROUTE_ENABLED, .route = MESSAGE_ACL_ALLOWED},
	[REASON_ROUTE_ACL_DENIED] = {MESSAGE_ROUTE_ENABLED, .route = MESSAGE_ACL_BLOCKED,
				     .completed = MESSAGE_DONE_ACL},
	[REASON_ROUTE_ACL_DEFAULT] = {MESSAGE_ROUTE_ENABLED, .route = MESSAGE_ACL_BLOCKED,
				      .completed = MESSAGE_DONE_ACL},
	[REASON_OVERLAY_BLOCKED] = {MESSAGE_ROUTE_ENABLED, .route = MESSAGE_ACL_BLOCKED,
				    .completed = MESSAGE_DONE_ACL},
	[REASON_ROUTING_DISABLED] = {MESSAGE_ROUTE_DISABLED, .completed = MESSAGE_DONE_ROUTING},
	[REASON_NATIVE_ROUTER] = {.route = MESSAGE_ROUTE_NATIVE,
				  .forwarding = MESSAGE_FORWARD_NATIVE},
	[REASON_NO_FORWARDER] = {MESSAGE_ROUTE_ENABLED, .forwarding = MESSAGE_FORWARD_NONE},
	[REASON_NO_ROUTE] = {MESSAGE_ROUTE_ENABLED, .forwarding = MESSAGE_FORWARD_REFUSED},
	[REASON_NO_NEIGHBOUR] = {MESSAGE_ROUTE_ENABLED, .forwarding = MESSAGE_FORWARD_REFUSED},
	[REASON_UPLINK_DOWN] = {MESSAGE_ROUTE_ENABLED, .forwarding = MESSAGE_FORWARD_REFUSED},
	[REASON_NO_PORT] = {MESSAGE_ROUTE_ENABLED, .forwarding = MESSAGE_FORWARD_REFUSED},
	[REASON_REMOTE_TAKEN] = {MESSAGE_ROUTE_ENABLED, .forwarding = MESSAGE_FORWARD_REFUSED},
	[REASON_OUTBOUND] = {.completed = MESSAGE_DONE_OUTGOING},
};

/* Whether a packet was dropped before it had been understood. */
static bool is_unparsed(uint8_t reason)
{
	return (reason >= REASON_NOT_IP && reason <= REASON_FRAGMENT_TINY) ||
	       reason == REASON_SOURCE_ROUTE;
}

/* What a trace would have said of each stage, as far as the reason tells. */
static void add_stages(struct trace_event *event)
{
	uint8_t reason = event->reason < REASON_MAX ? event->reason : REASON_INTERNAL;
	uint8_t completed = stages_of[reason].completed;

	if (!is_unparsed(reason)) {
		event->message[STAGE_RECEIVED] = MESSAGE_RECEIVED;
		if (event->direction == DIR_INGRESS && !event->fragment)
			event->message[STAGE_CONNTRACK] = MESSAGE_CT_NONE;
	}
	event->message[STAGE_ROUTING] = stages_of[reason].routing;
	event->message[STAGE_PEER_ACL] = stages_of[reason].peer;
	event->message[STAGE_ROUTE_ACL] = stages_of[reason].route;
	event->message[STAGE_FORWARDING] = stages_of[reason].forwarding;
	if (!completed)
		completed = event->verdict == VERDICT_DROP ? MESSAGE_DONE_DROPPED : MESSAGE_DONE;
	event->message[STAGE_COMPLETED] = completed;
}

/* The stage that decided; its message says why. */
static enum stage deciding_stage(const struct trace_event *event)
{
	static const enum stage order[] = {STAGE_FORWARDING, STAGE_ROUTE_ACL, STAGE_PEER_ACL};

	for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++)
		if (event->message[order[i]] && (event->verdict == VERDICT_DROP || i))
			return order[i];
	return STAGE_COMPLETED;
}

/* The policy by which a record was judged, NULL: it is not kept. */
static const struct past_policy *policy_of(const struct why *why, const struct record *record)
{
	return past_policies_find(why->past, record->generation, record->time_ns + why->offset_ns);
}

/* What the policy of then made of an inbound packet before the ACLs saw it (nat_in()). */
static void translate(const struct policy *policy, struct trace_event *event)
{
	static const union addr any;

	if (event->direction != DIR_INGRESS)
		return;
	for (size_t i = 0; i < policy->n_one_to_one; i++) {
		const struct nat_one_to_one *nat = &policy->one_to_one[i];

		if (nat->ip_version != event->ip_version ||
		    memcmp(&nat->translated, &event->saddr, sizeof(nat->translated)))
			continue;
		event->nat_addr = nat->original;
		event->message[STAGE_NAT_ONE_IN] = MESSAGE_NAT_APPLIED;
	}
	for (size_t i = 0; i < policy->n_nat_port; i++) {
		const struct nat_port_rule *rule = &policy->nat_port[i];

		if (rule->l4_proto != event->l4_proto || rule->port != ntohs(event->dport) ||
		    (memcmp(&rule->addr, &any, sizeof(any)) &&
		     memcmp(&rule->addr, &event->daddr, sizeof(any))))
			continue;
		event->nat_port = htons(rule->to);
		event->message[STAGE_NAT_PORT_IN] = MESSAGE_NAT_APPLIED;
	}
}

/**
 * why_rule() - The id of the rule that decided
 * @why: what it refers to
 * @event: of the record
 * @record: the record
 *
 * Numbers of rules that are gone are not known; then the text of that time says it.
 *
 * Return: the id, NULL: no rule has decided, or it is not known.
 */
const char *why_rule(const struct why *why, const struct trace_event *event,
		     const struct record *record)
{
	const char *id = rule_names_find(why->rules, record->rule);
	const struct past_policy *then = id || record->rule == RULE_NONE ? NULL
									 : policy_of(why, record);
	struct trace_event translated = *event;

	if (!then)
		return id;
	translate(then->policy, &translated);
	return trace_explain_rule(then->policy, &translated);
}

/* Whether a record is among those that are asked for. */
static bool is_wanted(const struct why *why, const struct record *record)
{
	const struct filter *one = &why->filter.one;
	struct trace_filter filter;
	struct trace_event event;
	struct trace_subject subject;
	const char *rule;

	recorded_event(record, &event);
	trace_options_filter(&why->filter, 1, &filter);
	filter.rule = RULE_NONE;
	subject = (struct trace_subject){
		.addr = {&event.saddr, &event.daddr},
		.port = {ntohs(event.sport), ntohs(event.dport)},
		.has_ports = record_has_ports(&event),
		.is_icmp = record_is_icmp(&event),
		.ip_version = event.ip_version,
		.l4_proto = event.l4_proto,
		.direction = event.direction == DIR_UPLINK ? DIR_INGRESS : event.direction,
		.verdict = event.verdict,
		.reason = event.reason,
		.flow_state = TRACE_FILTER_ANY,
	};
	if (record->flags & RECORD_REST) /* of any addresses */
		return trace_filter_is(filter.verdict, event.verdict) &&
		       trace_filter_is(filter.reason, event.reason) && !one->rule_id[0];
	if (!trace_filter_match(&filter, &subject) || !trace_options_match(&why->filter, &event))
		return false;
	rule = one->rule_id[0] ? why_rule(why, &event, record) : NULL;
	return !one->rule_id[0] || (rule && !strcmp(rule, one->rule_id));
}

/* Orders kinds by all that tells them apart, and then by time. */
static int by_kind(const void *a, const void *b)
{
	const struct record *x = &((const struct why_kind *)a)->record;
	const struct record *y = &((const struct why_kind *)b)->record;
	int order = memcmp(&x->saddr, &y->saddr, 2 * sizeof(x->saddr));

	if (!order)
		order = (x->rule > y->rule) - (x->rule < y->rule);
	if (!order)
		order = (x->generation > y->generation) - (x->generation < y->generation);
	if (!order)
		order = (x->dport > y->dport) - (x->dport < y->dport);
	if (!order)
		order = (x->l4_proto > y->l4_proto) - (x->l4_proto < y->l4_proto);
	if (!order)
		order = (x->reason > y->reason) - (x->reason < y->reason);
	return order ? order : (x->flags > y->flags) - (x->flags < y->flags);
}

static int by_last(const void *a, const void *b)
{
	const struct why_kind *x = a, *y = b;

	return (x->last_ns > y->last_ns) - (x->last_ns < y->last_ns);
}

/* Put a kind into the one before it, which is the same. */
static void merge(struct why_kind *into, const struct why_kind *kind)
{
	uint32_t count = into->record.count + kind->record.count;

	if (kind->record.time_ns < into->record.time_ns)
		into->record = kind->record;
	if (kind->last_ns > into->last_ns)
		into->last_ns = kind->last_ns;
	into->record.count = count < kind->record.count ? UINT32_MAX : count;
}

/**
 * why_kinds() - What the records that are asked for come to
 * @why: what is asked
 * @records: as recorded_read() has read them
 * @n: of them
 * @kinds: room for as many; is filled, the one that was seen last at the end
 *
 * Return: how many kinds.
 */
size_t why_kinds(const struct why *why, const struct record *records, size_t n,
		 struct why_kind *kinds)
{
	size_t wanted = 0, distinct = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t last_ns = recorded_last_ns(&records[i]);

		if (last_ns < why->from_ns || records[i].time_ns >= why->to_ns ||
		    !is_wanted(why, &records[i]))
			continue;
		kinds[wanted++] = (struct why_kind){records[i], last_ns};
	}
	qsort(kinds, wanted, sizeof(*kinds), by_kind);
	for (size_t i = 0; i < wanted; i++) {
		if (distinct && !by_kind(&kinds[distinct - 1], &kinds[i]))
			merge(&kinds[distinct - 1], &kinds[i]);
		else
			kinds[distinct++] = kinds[i];
	}
	qsort(kinds, distinct, sizeof(*kinds), by_last);
	return distinct;
}

/* "37 packets until TIME", nothing of a single one. */
static void put_count(const struct why *why, const struct why_kind *kind, FILE *out)
{
	const char *what = kind->record.flags & RECORD_DROP ? "packets" : "connections";
	char time[OUTPUT_TIME_LEN];

	if (kind->record.count > 1)
		fprintf(out, "    %" PRIu32 " %s until %s\n", kind->record.count, what,
			output_time(time, kind->last_ns + why->offset_ns));
}

/* Which policy that was, unless it is the one in force. */
static void put_policy(const struct past_policy *then, FILE *out)
{
	char time[OUTPUT_TIME_LEN];

	if (!then)
		fputs("    The policy of that time is not kept.\n", out);
	else if (then->number)
		fprintf(out, "    By policy %" PRIu32 " of the history, in force from %s:\n",
			then->number, output_time(time, then->from_ns));
}

/* Print lines, each behind an indent. */
static void put_indented(const char *text, FILE *out)
{
	while (*text) {
		int len = (int)strcspn(text, "\n");

		fprintf(out, "    %.*s\n", len, text);
		text += len + (text[len] == '\n');
	}
}

/* What could not be told apart. */
static void put_rest(const struct why *why, const struct why_kind *kind, FILE *out)
{
	bool drop = kind->record.flags & RECORD_DROP;
	char first[OUTPUT_TIME_LEN], last[OUTPUT_TIME_LEN];

	fprintf(out, "%s %" PRIu32 " %s until %s of too many kinds to be told apart%s%s\n",
		output_time(first, kind->record.time_ns + why->offset_ns), kind->record.count,
		drop ? "drops" : "connections", output_time(last, kind->last_ns + why->offset_ns),
		drop ? ": " : "", drop ? reason_name(kind->record.reason) : "");
}

/* The packet, how often it came, and the stage that decided or each. */
static void put_packet(const struct why *why, const struct why_kind *kind,
		       const struct trace_event *event, const struct record_names *names, FILE *out)
{
	bool colour = event->verdict == VERDICT_DROP && output_wants_colour(out);
	char time[OUTPUT_TIME_LEN], message[RECORD_MESSAGE_MAX];
	enum stage stage = deciding_stage(event);

	fprintf(out, "%s %s", output_time(time, event->time_ns + why->offset_ns),
		output_colour_on(colour, OUTPUT_RED));
	record_write_line(event, names, out);
	fprintf(out, "%s\n", output_colour_off(colour));
	put_count(why, kind, out);
	if (why->verbose)
		record_write_stages(event, names, "    ", out);
	else if (record_message(event, names, stage, message, sizeof(message)))
		fprintf(out, "    %s: %s\n", record_stage_title(stage), message);
}

/**
 * why_print() - A kind in words
 * @why: what it refers to
 * @kind: the kind
 * @out: where to
 * @error: set on failure
 *
 * Return: 0, or -ENOMEM.
 */
int why_print(const struct why *why, const struct why_kind *kind, FILE *out, struct error *error)
{
	const struct past_policy *then = policy_of(why, &kind->record);
	struct record_names names = {.names = why->names};
	struct trace_event event;
	char *more;

	if (kind->record.flags & RECORD_REST) {
		put_rest(why, kind, out);
		return 0;
	}
	recorded_event(&kind->record, &event);
	add_stages(&event);
	names.rule_id = why_rule(why, &event, &kind->record);
	if (then)
		translate(then->policy, &event);
	put_packet(why, kind, &event, &names, out);
	put_policy(then, out);
	more = then ? trace_explain_text(then->policy, &event, names.rule_id) : NULL;
	if (then && !more)
		return error_no_memory(error);
	if (more)
		put_indented(more, out);
	free(more);
	return 0;
}

static json_t *time_json(const struct why *why, uint64_t time_ns)
{
	char time[OUTPUT_TIME_LEN];

	return json_string(output_time(time, time_ns + why->offset_ns));
}

/* Which policy judged it; null: that is not known. */
static json_t *policy_json(const struct past_policy *then)
{
	char time[OUTPUT_TIME_LEN];

	if (!then)
		return json_null();
	return json_pack("{s:o,s:s}", "number",
			 then->number ? json_integer(then->number) : json_null(), "from",
			 output_time(time, then->from_ns));
}

/* What several kinds together have. */
static json_t *rest_json(const struct why *why, const struct trace_event *event)
{
	return json_pack("{s:s,s:s,s:s,s:s?}", "interface", why->interface, "direction",
			 direction_name(event->direction), "verdict", verdict_name(event->verdict),
			 "reason",
			 event->verdict == VERDICT_DROP ? reason_name(event->reason) : NULL);
}

/* The packet as a trace has it, with the rules that come nearest. */
static json_t *packet_json(const struct why *why, const struct record *record,
			   struct trace_event *event)
{
	const struct past_policy *then = policy_of(why, record);
	const struct record_names names = {
		.names = why->names,
		.interface = why->interface,
		.rule_id = why_rule(why, event, record),
	};
	json_t *json, *not_routed = NULL;

	if (then) {
		translate(then->policy, event);
		not_routed = trace_explain_not_routed(then->policy, event);
	}
	json = record_json(event, &names);
	json_object_set_new(json, "policy", policy_json(then));
	json_object_set_new(json, "nearest",
			    then ? trace_explain(then->policy, event) : json_array());
	if (not_routed)
		json_object_set_new(json, "not_routed", not_routed);
	return json;
}

/**
 * why_json() - A kind as JSON
 * @why: what it refers to
 * @kind: the kind
 *
 * Return: a new object; NULL if memory is out.
 */
json_t *why_json(const struct why *why, const struct why_kind *kind)
{
	struct trace_event event;
	json_t *json, *more;

	more = json_pack("{s:o,s:o,s:I,s:I,s:b}", "first", time_json(why, kind->record.time_ns),
			 "last", time_json(why, kind->last_ns), "count",
			 (json_int_t)kind->record.count, "generation",
			 (json_int_t)kind->record.generation, "rest",
			 !!(kind->record.flags & RECORD_REST));
	recorded_event(&kind->record, &event);
	add_stages(&event);
	json = kind->record.flags & RECORD_REST ? rest_json(why, &event)
						: packet_json(why, &kind->record, &event);
	if (json_object_update_new(json, more)) {
		json_decref(json);
		return NULL;
	}
	return json;
}
