/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "dataplane/event_context.h"

#include "dataplane/masquerading.h"

/**
 * event_context_open() - Read what events of an interface refer to
 * @context: is filled; to be closed with event_context_close()
 * @ifindex: the interface
 * @error: set on failure
 *
 * Return: 0; -ENOENT: nothing is attached; or another -errno.
 */
int event_context_open(struct event_context *context, int ifindex, struct error *error)
{
	struct error ignored;
	int err = attached_open(ifindex, &context->attached, error);

	if (!err)
		err = rule_names_read(&context->rules, &context->attached.maps, error);
	if (err)
		return err;
	attached_names(&context->attached, &context->names, &ignored);
	masquerading_read(&context->attached.maps, &context->masquerade);
	return 0;
}

/**
 * event_context_refresh() - Look again: a new generation brings new rules
 * @error: set on failure
 *
 * Return: 0; -ENOENT: nothing is attached any more; or another -errno.
 */
int event_context_refresh(struct event_context *context, struct error *error)
{
	struct attached fresh, *attached = &context->attached;
	struct error ignored;
	int err = attached_open(attached->ifindex, &fresh, error);

	if (err)
		return err;
	if (fresh.instance.config.generation != attached->instance.config.generation) {
		err = rule_names_read(&context->rules, &fresh.maps, error);
		names_free(&context->names);
		attached_names(&fresh, &context->names, &ignored);
	}
	attached_close(attached);
	*attached = fresh;
	masquerading_read(&fresh.maps, &context->masquerade);
	return err;
}

/* The id of a rule, which may have come with a policy since. */
static const char *rule_id(struct event_context *context, uint32_t number)
{
	const char *id = rule_names_find(&context->rules, number);
	struct error ignored;
	struct attached fresh;

	if (id || number == RULE_NONE || attached_open(context->attached.ifindex, &fresh, &ignored))
		return id;
	rule_names_read(&context->rules, &fresh.maps, &ignored);
	attached_close(&fresh);
	return rule_names_find(&context->rules, number);
}

/**
 * event_context_names() - What an event refers to
 * @context: where to look
 * @event: the event
 *
 * Return: that, valid until @context changes; without the offset of the clock.
 */
struct flow_event_names event_context_names(struct event_context *context,
					    const struct flow_event *event)
{
	/* an uplink may have come since the last look */
	if (event->uplink && !masquerade_uplink(&context->masquerade, event->uplink - 1))
		masquerading_read(&context->attached.maps, &context->masquerade);
	return (struct flow_event_names){
		.rule_id = rule_id(context, event->rule),
		.masquerade = &context->masquerade,
		.names = &context->names,
	};
}

/**
 * event_context_close() - Free what was read
 */
void event_context_close(struct event_context *context)
{
	rule_names_free(&context->rules);
	names_free(&context->names);
	attached_close(&context->attached);
}
