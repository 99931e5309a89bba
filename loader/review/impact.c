/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "review/impact.h"

#include <bpf/bpf.h>
#include <endian.h>
#include <errno.h>
#include <linux/icmp.h>
#include <linux/if_ether.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "conntrack/flow_id.h"
#include "dataplane/preview.h"
#include "maps.h"
#include "packet/build.h"

#define PACKET_ROOM 128 /* bytes; headers without options are at most 60 */

/*
 * struct question - a connection, as the programs are asked about it
 * @peer, @host: which of the view's ends is the peer, and which is this host or behind it
 * @wire_addr, @wire_port: the peer's address and this host's port on the interface's side of
 *	translation
 */
struct question {
	const struct flow_view *view;
	unsigned int peer;
	unsigned int host;
	union addr wire_addr;
	uint16_t wire_port;
};

/* What a clone makes of a connection. */
struct answer {
	struct impact_cause cause;
	bool passes;
};

static bool is_of_peer(const struct flow_view *view)
{
	return view->flow->flags & FLOW_BY_PEER;
}

/* ---- asking ---- */

static void set_question(const struct impacts *impacts, const struct flow_view *view,
			 struct question *question)
{
	*question = (struct question){.view = view, .peer = is_of_peer(view) ? 0 : 1};
	question->host = !question->peer;
	question->wire_addr = view->addr[question->peer];
	question->wire_port = view->port[question->host];
	if (is_of_peer(view) && flow_nat_port(view->flow))
		question->wire_port = be16toh(flow_nat_port(view->flow));
	if (impacts->translated_fd >= 0) /* where it has no entry, the address stays */
		bpf_map_lookup_elem(impacts->translated_fd, &view->addr[question->peer],
				    &question->wire_addr);
}

/* ICMP: the end that opened the connection sends requests, the other one replies. */
static int16_t icmp_type(const struct question *question, unsigned int from)
{
	if (from == 0)
		return PACKET_ICMP_ECHO;
	return question->view->ip_version == IP_VERSION_4 ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY;
}

/*
 * The next packet of an end.  Of TCP that is a segment from the midst of the connection, or the
 * answer that this host waits for; what its numbers are is all the same to the verdict.
 */
static void set_packet(const struct question *question, enum direction direction,
		       struct packet_spec *spec)
{
	const struct flow_view *view = question->view;
	unsigned int from = direction == DIR_INGRESS ? question->peer : question->host;

	packet_spec_init(spec);
	spec->saddr = view->addr[from];
	spec->daddr = view->addr[!from];
	spec->sport = view->port[from];
	spec->dport = view->port[!from];
	spec->ip_version = view->ip_version;
	spec->l4_proto = view->l4_proto;
	spec->icmp_id = view->icmp_id;
	spec->icmp_type = icmp_type(question, from);
	spec->tcp_flags = PACKET_TCP_ACK;
	if (direction == DIR_EGRESS)
		return;
	spec->saddr = question->wire_addr;
	spec->dport = question->wire_port;
	if (view->state == FLOW_STATE_SYN_SENT)
		spec->tcp_flags |= PACKET_TCP_SYN;
}

/* Run the packet of a question through a clone. */
static int ask(struct impacts *impacts, const struct clone *clone, const struct question *question,
	       enum direction direction)
{
	uint8_t bytes[PACKET_ROOM];
	struct testrun_packet packet = {
		.bytes = bytes,
		.ethertype = question->view->ip_version == IP_VERSION_4 ? ETH_P_IP : ETH_P_IPV6,
		.direction = direction,
	};
	struct packet_spec spec;
	size_t len;
	int err;

	set_packet(question, direction, &spec);
	err = packet_build(&spec, bytes, sizeof(bytes), &len, impacts->error);
	if (err)
		return err;
	packet.len = packet.captured = len;
	return clone_ask(clone, &impacts->testrun, &packet, impacts->error);
}

/* ---- reading the answer ---- */

/* Whether a packet from the peer is still one of its connection once it is translated. */
static bool is_same_in(const struct question *question, const struct trace_event *event)
{
	const struct flow_view *view = question->view;

	if (memcmp(&event->nat_addr, &view->addr[question->peer], sizeof(event->nat_addr)))
		return false;
	return !l4_has_ports(view->l4_proto) ||
	       be16toh(event->nat_port) == view->port[question->host];
}

/* Whether a packet to the peer goes where the peer is, and comes from where the peer expects. */
static bool is_same_out(const struct question *question, const struct trace_event *event)
{
	if (memcmp(&event->nat_addr, &question->wire_addr, sizeof(event->nat_addr)))
		return false;
	return !l4_has_ports(question->view->l4_proto) ||
	       be16toh(event->nat_port) == question->wire_port;
}

/*
 * Connections of this host go on because they are tracked.  One that is unknown to a policy that
 * tracks has outlived the timeout, or did not fit.
 */
static uint8_t why_unknown(const struct clone *clone, const struct flow_view *view)
{
	const struct config *config = &clone->generation->instance.config;

	return view->idle_ns > config->timeout_ns[view->state] ? IMPACT_TIMEOUT : IMPACT_NO_ROOM;
}

/* What a clone's record says about the connection. */
static void read_answer(const struct impacts *impacts, const struct clone *clone,
			const struct question *question, struct answer *answer)
{
	const struct flow_view *view = question->view;
	const struct trace_event *event = &impacts->testrun.event;
	bool forwards = event->verdict == VERDICT_FORWARD;
	bool waits = event->reason == REASON_NO_FORWARDER && impacts->forwarder_comes;

	answer->passes = false;
	answer->cause = (struct impact_cause){.why = event->reason};
	if (event->reason != REASON_ESTABLISHED && (event->reason != REASON_NO_FORWARDER || waits))
		answer->cause.rule = clone_rule(clone, event->rule);
	if (!is_same_in(question, event))
		answer->cause = (struct impact_cause){.why = IMPACT_TRANSLATE};
	else if (event->verdict != VERDICT_DROP || waits)
		answer->passes = true;
	else if (!is_of_peer(view) && clone->generation->instance.config.stateful &&
		 event->flow_state == FLOW_STATE_NONE)
		answer->cause = (struct impact_cause){.why = why_unknown(clone, view)};
	if (answer->passes && view->l4_proto == IPPROTO_TCP && is_of_peer(view) &&
	    (forwards || waits) != !!(view->flow->flags & FLOW_FORWARD)) {
		answer->passes = false;
		answer->cause = (struct impact_cause){.why = IMPACT_HANDED};
	}
}

/* Ask about an inbound packet and, where addresses are translated, about an outbound one. */
static int ask_clone(struct impacts *impacts, const struct clone *clone,
		     const struct question *question, struct answer *answer)
{
	int err = ask(impacts, clone, question, DIR_INGRESS);

	if (err)
		return err;
	read_answer(impacts, clone, question, answer);
	if (!answer->passes || !impacts->translates)
		return 0;
	err = ask(impacts, clone, question, DIR_EGRESS);
	if (!err && !is_same_out(question, &impacts->testrun.event)) {
		answer->passes = false;
		answer->cause = (struct impact_cause){.why = IMPACT_TRANSLATE};
	}
	return err;
}

/* ---- all of them ---- */

/* Whether two answers that let a connection go on name the same cause. */
static bool is_same_cause(const struct impact_cause *a, const struct impact_cause *b)
{
	if (a->rule && b->rule)
		return a->rule->rule.number == b->rule->rule.number;
	return !a->rule && !b->rule && a->why == b->why;
}

/* Append a connection to the list of a kind. */
static int add_impact(struct impacts *impacts, const struct flow_view *view, enum impact_kind kind,
		      const struct impact_cause *before, const struct impact_cause *after)
{
	struct impact *impact;

	if (impacts->n == impacts->room) {
		size_t room = impacts->room * 3 / 2 + 1024;
		struct impact *list = realloc(impacts->list, room * sizeof(*list));

		if (!list)
			return error_no_memory(impacts->error);
		impacts->list = list;
		impacts->room = room;
	}
	impact = &impacts->list[impacts->n++];
	memset(impact, 0, sizeof(*impact));
	memcpy(impact->addr, view->addr, sizeof(impact->addr));
	memcpy(impact->port, view->port, sizeof(impact->port));
	impact->id = flow_view_id(view);
	impact->icmp_id = view->icmp_id;
	impact->ip_version = view->ip_version;
	impact->l4_proto = view->l4_proto;
	impact->state = view->state;
	impact->kind = kind;
	impact->before = *before;
	impact->after = *after;
	impacts->n_kind[kind]++;
	return 0;
}

static void set_translation(struct impacts *impacts)
{
	const struct config *before = &impacts->before.generation->instance.config;
	const struct config *after = &impacts->after.generation->instance.config;

	impacts->translates = before->nat_port || before->nat_one_to_one || after->nat_port ||
			      after->nat_one_to_one;
	impacts->translated_fd =
		before->nat_one_to_one ? map_set_fd(&impacts->before.generation->maps, MAP_NAT_ORIG)
				       : -1;
}

/**
 * impacts_open() - Prepare to look at connections
 * @attached: the generation in force
 * @after: the other policy, of dataplane_clone(); belongs to @impacts from now on, even on failure
 * @impacts: is filled; for impacts_close(), in the same thread, which stays on its CPU meanwhile
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int impacts_open(const struct attached *attached, struct generation *after, struct impacts *impacts,
		 struct error *error)
{
	int err;

	memset(impacts, 0, sizeof(*impacts));
	err = testrun_begin(&impacts->testrun, error);
	if (err)
		generation_free(after);
	else
		err = clone_open(after, &impacts->testrun, &impacts->after, error);
	if (!err)
		err = clone_open_attached(attached, &impacts->testrun, &impacts->before, error);
	if (err)
		impacts_close(impacts);
	else
		set_translation(impacts);
	return err;
}

/**
 * impacts_open_verdicts() - Prepare to count connections that a change has cut
 * @before: the generation that was in force
 * @after: the one that is
 * @impacts: is filled; impacts_is_cut() is all that it is for, then impacts_close()
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int impacts_open_verdicts(const struct attached *before, const struct attached *after,
			  struct impacts *impacts, struct error *error)
{
	int err;

	memset(impacts, 0, sizeof(*impacts));
	err = clone_open_silent(after, &impacts->after, error);
	if (!err)
		err = clone_open_silent(before, &impacts->before, error);
	if (err)
		impacts_close(impacts);
	else
		set_translation(impacts);
	impacts->error = error;
	return err;
}

/**
 * impacts_is_cut() - Whether the next packet from the peer passed before and is dropped now
 * @impacts: of impacts_open_verdicts()
 * @view: the connection
 * @is_cut: set to the answer
 *
 * Return: 0 or -errno, with @impacts->error set.
 */
int impacts_is_cut(struct impacts *impacts, const struct flow_view *view, bool *is_cut)
{
	struct question question;
	bool passed;
	int err;

	set_question(impacts, view, &question);
	err = ask(impacts, &impacts->before, &question, DIR_INGRESS);
	passed = !impacts->testrun.drops;
	if (!err)
		err = ask(impacts, &impacts->after, &question, DIR_INGRESS);
	*is_cut = !err && passed && impacts->testrun.drops;
	return err;
}

/**
 * impacts_visit() - Find out what becomes of one connection; fits conntrack_walk()
 * @impacts: struct impacts; gets the connection if the policies differ about it
 * @view: the connection
 *
 * Return: 0 or -errno, with @impacts->error set.
 */
int impacts_visit(void *impacts, const struct flow_view *view)
{
	struct impacts *all = impacts;
	struct answer before, after;
	struct question question;
	int err;

	all->n_flows++;
	set_question(all, view, &question);
	err = ask_clone(all, &all->before, &question, &before);
	if (!err)
		err = ask_clone(all, &all->after, &question, &after);
	if (err)
		return err;
	if (before.passes && !after.passes)
		return add_impact(all, view, IMPACT_CUT, &before.cause, &after.cause);
	if (!before.passes && after.passes)
		return add_impact(all, view, IMPACT_OPENED, &before.cause, &after.cause);
	if (before.passes && !is_same_cause(&before.cause, &after.cause))
		return add_impact(all, view, IMPACT_MOVED, &before.cause, &after.cause);
	return 0;
}

/* Rules come first, in their order. */
static int compare_causes(const struct impact_cause *a, const struct impact_cause *b)
{
	if (a->rule && b->rule)
		return (a->rule->index > b->rule->index) - (a->rule->index < b->rule->index);
	if (a->rule || b->rule)
		return a->rule ? -1 : 1;
	return (a->why > b->why) - (a->why < b->why);
}

static int compare_impacts(const void *a, const void *b)
{
	const struct impact *x = a, *y = b;
	int order = x->kind - y->kind;

	if (!order)
		order = compare_causes(&x->before, &y->before);
	if (!order)
		order = compare_causes(&x->after, &y->after);
	return order ? order : memcmp(x->addr, y->addr, sizeof(x->addr));
}

/**
 * impacts_sort() - Order connections by kind, by the rule before and by the rule after
 */
void impacts_sort(struct impacts *impacts)
{
	if (impacts->n)
		qsort(impacts->list, impacts->n, sizeof(*impacts->list), compare_impacts);
}

/**
 * impacts_same_group() - Whether the same becomes of two connections for the same reasons
 */
bool impacts_same_group(const struct impact *a, const struct impact *b)
{
	return a->kind == b->kind && !compare_causes(&a->before, &b->before) &&
	       !compare_causes(&a->after, &b->after);
}

/**
 * impacts_close() - Let go of the clones and the list
 * @impacts: opened, or all zero
 */
void impacts_close(struct impacts *impacts)
{
	clone_close(&impacts->before);
	clone_close(&impacts->after);
	testrun_end(&impacts->testrun);
	free(impacts->list);
	impacts->list = NULL;
	impacts->n = impacts->room = 0;
}
