/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cli/path_stages.h"

#include <linux/if_ether.h>
#include <stdio.h>
#include <string.h>

#include "base/names.h"
#include "trace/record_print.h"

_Static_assert(sizeof(((struct path_stage *)0)->message) >= RECORD_MESSAGE_MAX, "room for each");

/**
 * path_stages_open() - Begin to ask
 * @stages: becomes ready, for path_stages_close()
 * @ifindex: the interface
 * @error: set on failure
 *
 * Return: 0; -ENOENT: nothing is attached; or another -errno.
 */
int path_stages_open(struct path_stages *stages, int ifindex, struct error *error)
{
	int err;

	*stages = (struct path_stages){.attached.ifindex = ifindex};
	err = attached_open(ifindex, &stages->attached, error);
	if (err)
		return err;
	err = testrun_begin(&stages->testrun, error);
	if (!err)
		err = clone_open_attached(&stages->attached, &stages->testrun, &stages->clone,
					  error);
	if (err)
		path_stages_close(stages);
	return err;
}

/* The stage that decided: the first that did not let the packet on, else the last one that was passed. */
static enum stage deciding_stage(const struct trace_event *event)
{
	enum stage last = STAGE_COMPLETED;

	for (enum stage stage = 0; stage < STAGE_MAX; stage++) {
		if (!event->message[stage])
			continue;
		if (!record_allowed(event, stage))
			return stage;
		if (stage != STAGE_COMPLETED)
			last = stage;
	}
	return last;
}

/**
 * path_stages_ask() - Ask what becomes of a packet
 * @stages: opened
 * @spec: the packet
 * @direction: DIR_EGRESS: a probe; DIR_INGRESS: an answer
 * @stage: is filled
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int path_stages_ask(struct path_stages *stages, const struct packet_spec *spec,
		    enum direction direction, struct path_stage *stage, struct error *error)
{
	const struct trace_event *event = &stages->testrun.event;
	uint8_t bytes[TESTRUN_FRAME_MAX];
	struct testrun_packet packet = {
		.bytes = bytes,
		.ethertype = spec->ip_version == IP_VERSION_4 ? ETH_P_IP : ETH_P_IPV6,
		.direction = direction,
	};
	const struct record_names names = {.maps = &stages->attached.maps};
	const struct rule_view *rule;
	enum stage deciding;
	size_t len;
	int err = packet_build(spec, bytes, sizeof(bytes), &len, error);

	if (err)
		return err;
	packet.len = packet.captured = (uint32_t)len;
	err = clone_ask(&stages->clone, &stages->testrun, &packet, error);
	if (err)
		return err;
	deciding = deciding_stage(event);
	rule = clone_rule(&stages->clone, event->rule);
	*stage = (struct path_stage){
		.drops = event->verdict == VERDICT_DROP,
		.no_connection = deciding == STAGE_CONNTRACK,
		.title = record_stage_title(deciding),
		.reason = reason_name(event->reason),
	};
	record_message(event, &names, deciding, stage->message, sizeof(stage->message));
	if (rule)
		snprintf(stage->rule, sizeof(stage->rule), "%s", rule->rule.id);
	return 0;
}

/**
 * path_stages_close() - End asking
 */
void path_stages_close(struct path_stages *stages)
{
	clone_close(&stages->clone);
	testrun_end(&stages->testrun);
	attached_close(&stages->attached);
}
