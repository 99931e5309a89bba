/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "trace/drops.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "dataplane/clone.h"
#include "review/boxes.h"
#include "trace/recorded.h"
#include "trace/why.h"

/* Who is asked, and where the answers go. */
struct question {
	struct testrun testrun;
	struct clone clone;
	struct drops *drops;
};

/* Whether the policy has decided, and not the packet itself or the state of the host. */
static bool is_by_policy(uint8_t reason)
{
	return (reason >= REASON_PEER_ACL_DENIED && reason <= REASON_ROUTING_DISABLED) ||
	       reason == REASON_MARTIAN_DEST;
}

static void add(struct drop_count *count, const struct why_kind *kind)
{
	count->packets += kind->record.count;
	count->kinds++;
}

/* Note packets that no rule allows; the rule that denies them is NULL where none does. */
static void refuse(struct drops *drops, const struct why_kind *kind, uint8_t reason,
		   const struct rule_view *rule)
{
	struct drop_refusal *refusal = &drops->refusals[drops->n_refusals++];

	*refusal = (struct drop_refusal){.reason = reason};
	add(&refusal->count, kind);
	if (rule)
		memcpy(refusal->rule, rule->rule.id, sizeof(refusal->rule));
}

/* The group of a destination, whether the policy has rules for groups or not. */
static uint8_t group_of(const struct trace_event *event)
{
	struct prefix addr = {event->daddr, event->ip_version, prefix_bits(event->ip_version)};
	enum local_kind kind = event->local_kind;

	if (kind != LOCAL_BROADCAST)
		kind = point_group(prefix_range(&addr).first);
	if (kind == LOCAL_BROADCAST)
		return GROUP_BROADCAST;
	return kind == LOCAL_MULTICAST ? GROUP_MULTICAST : 0;
}

/* The ACL whose rule could allow a packet; ACL_MAX: none can. */
static enum acl acl_of(const struct trace_event *event)
{
	switch (event->reason) {
	case REASON_PEER_ACL_DEFAULT:
		return ACL_PEER;
	case REASON_ROUTE_ACL_DEFAULT:
		return ACL_ROUTE;
	case REASON_MARTIAN_DEST:
	case REASON_ROUTING_DISABLED: /* as no rule names a group so far */
		return group_of(event) ? ACL_PEER : ACL_MAX;
	default:
		return ACL_MAX;
	}
}

/* Note a packet that a rule could allow, as the rule would see it. */
static void want(struct drops *drops, const struct why_kind *kind, const struct trace_event *event)
{
	enum acl acl = acl_of(event);
	bool is_icmp = l4_is_icmp(event->l4_proto, event->ip_version);

	drops->packets[drops->n_packets++] = (struct suggest_packet){
		.packets = kind->record.count,
		.first_ns = kind->record.time_ns,
		.last_ns = kind->last_ns,
		.source = event->nat_addr,
		.destination = event->daddr,
		.port = is_icmp ? event->icmp_type << 8 | event->icmp_code : ntohs(event->nat_port),
		.ip_version = event->ip_version,
		.l4_proto = event->l4_proto,
		.acl = acl,
		.group = acl == ACL_PEER ? group_of(event) : 0,
	};
}

/* What would become of the first packet of a kind now? */
static int ask(struct question *question, const struct why_kind *kind, struct error *error)
{
	const struct trace_event *event = &question->testrun.event;
	bool ipv6 = kind->record.flags & RECORD_IP6;
	uint8_t bytes[RECORDED_HEADERS_MAX];
	struct testrun_packet packet = {
		.bytes = bytes,
		.ethertype = ipv6 ? ETH_P_IPV6 : ETH_P_IP,
		.direction = DIR_INGRESS,
	};
	struct drops *drops = question->drops;
	size_t len;
	int err;

	if (!is_by_policy(kind->record.reason) ||
	    kind->record.flags & (RECORD_EGRESS | RECORD_UPLINK | RECORD_FRAGMENT) ||
	    !recorded_headers(&kind->record, bytes, &len)) {
		refuse(drops, kind, kind->record.reason, NULL);
		return 0;
	}
	packet.len = packet.captured = len;
	err = clone_ask(&question->clone, &question->testrun, &packet, error);
	if (err)
		return err;
	if (event->verdict != VERDICT_DROP)
		add(&drops->allowed, kind);
	else if (acl_of(event) != ACL_MAX)
		want(drops, kind, event);
	else
		refuse(drops, kind, event->reason, clone_rule(&question->clone, event->rule));
	return 0;
}

static int by_cause(const void *a, const void *b)
{
	const struct drop_refusal *x = a, *y = b;
	int order = (x->reason > y->reason) - (x->reason < y->reason);

	return order ? order : strcmp(x->rule, y->rule);
}

static int by_packets(const void *a, const void *b)
{
	const struct drop_refusal *x = a, *y = b;
	int order = (x->count.packets < y->count.packets) - (x->count.packets > y->count.packets);

	return order ? order : by_cause(a, b);
}

/* Put refusals of one cause together. */
static void merge_refusals(struct drops *drops)
{
	struct drop_refusal *list = drops->refusals;
	size_t n = 0;

	qsort(list, drops->n_refusals, sizeof(*list), by_cause);
	for (size_t i = 0; i < drops->n_refusals; i++) {
		if (!n || by_cause(&list[n - 1], &list[i])) {
			list[n++] = list[i];
			continue;
		}
		list[n - 1].count.packets += list[i].count.packets;
		list[n - 1].count.kinds += list[i].count.kinds;
	}
	drops->n_refusals = n;
	qsort(list, n, sizeof(*list), by_packets);
}

/* Ask about each kind. */
static int ask_all(const struct attached *attached, const struct why_kind *kinds, size_t n,
		   struct drops *drops, struct error *error)
{
	struct question question = {.drops = drops};
	int err;

	drops->packets = calloc(n + 1, sizeof(*drops->packets));
	drops->refusals = calloc(n + 1, sizeof(*drops->refusals));
	if (!drops->packets || !drops->refusals)
		return error_no_memory(error);
	err = testrun_begin(&question.testrun, error);
	if (!err)
		err = clone_open_attached(attached, &question.testrun, &question.clone, error);
	for (size_t i = 0; i < n && !err; i++) {
		if (kinds[i].record.flags & RECORD_REST)
			drops->rest.packets += kinds[i].record.count;
		else
			err = ask(&question, &kinds[i], error);
	}
	merge_refusals(drops);
	clone_close(&question.clone);
	testrun_end(&question.testrun);
	return err;
}

/**
 * drops_ask() - Ask what a rule could do about what was dropped
 * @attached: the interface
 * @from_ns: CLOCK_MONOTONIC; what was seen before does not matter
 * @drops: is filled, for drops_free() also on failure
 * @error: set on failure
 *
 * Return: 0; -ENODATA: nothing is recorded; or another -errno.
 */
int drops_ask(const struct attached *attached, uint64_t from_ns, struct drops *drops,
	      struct error *error)
{
	struct why why = {.from_ns = from_ns, .to_ns = UINT64_MAX};
	struct why_kind *kinds;
	struct record *records;
	size_t n;
	int err;

	*drops = (struct drops){.n_packets = 0};
	trace_options_init(&why.filter);
	why.filter.verdict = VERDICT_DROP;
	err = recorded_read(&attached->maps, &records, &n, error);
	if (err)
		return err;
	kinds = calloc(n + 1, sizeof(*kinds));
	if (kinds)
		err = ask_all(attached, kinds, why_kinds(&why, records, n, kinds), drops, error);
	else
		err = error_no_memory(error);
	free(kinds);
	free(records);
	return err;
}

/**
 * drops_free() - Free what drops_ask() has noted
 */
void drops_free(struct drops *drops)
{
	free(drops->packets);
	free(drops->refusals);
	*drops = (struct drops){.n_packets = 0};
}
