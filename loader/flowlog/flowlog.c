/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A batch is what is in the ring, with drops summed up.  It is made, written, and then given up in
 * the ring; what cannot be written stays and is tried again, and the ring fills meanwhile.
 */
#include "flowlog/flowlog.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "conntrack/events.h"
#include "conntrack/missing_ends.h"
#include "dataplane/event_context.h"
#include "flowlog/aggregate.h"
#include "maps.h"

struct flowlog {
	struct sink *sink;
	struct event_context context;
	struct flow_log_reader reader;
	struct missing_ends *missing_ends;
	struct aggregates drops;
	struct flow_log_losses losses; /* in the batch */
	uint64_t reported_unfollowed;
	uint64_t offset_ns;
	bool numeric;
	bool has_batch; /* that is to be written */
};

/* Put an event into the batch. */
static int add(void *arg, const struct flow_event *event)
{
	struct flowlog *flowlog = arg;
	struct flow_event_names names = event_context_names(&flowlog->context, event);

	names.interface = flowlog->sink->interface;
	names.offset_ns = flowlog->offset_ns;
	if (flowlog->numeric)
		names.names = NULL;
	flowlog->has_batch = true;
	return flowlog->sink->ops->add(flowlog->sink, event, &names);
}

/* Put the drops that were summed up into the batch. */
static int add_drops(struct flowlog *flowlog)
{
	int err = 0;

	for (uint32_t i = 0; i < flowlog->drops.n && !err; i++)
		err = add(flowlog, &flowlog->drops.list[i].sum);
	aggregates_clear(&flowlog->drops);
	return err;
}

/* Put an event of the ring into the batch, or to the drops. */
static int take(struct flowlog *flowlog, const struct flow_event *event)
{
	int err;

	if (event->type != FLOW_EVENT_DROP) {
		missing_ends_note(flowlog->missing_ends, event);
		return add(flowlog, event);
	}
	if (aggregates_add(&flowlog->drops, event))
		return 0;
	err = add_drops(flowlog);
	aggregates_add(&flowlog->drops, event);
	return err;
}

/* Put into the batch how much is missing. */
static int add_losses(struct flowlog *flowlog)
{
	flowlog->losses = flow_log_losses(&flowlog->reader);
	flowlog->losses.unfollowed = missing_ends_skipped(flowlog->missing_ends) -
				     flowlog->reported_unfollowed;
	if (!flowlog->losses.events && !flowlog->losses.unsampled && !flowlog->losses.unfollowed)
		return 0;
	if (flowlog->losses.events) /* any of them may have been an end */
		missing_ends_clear(flowlog->missing_ends);
	flowlog->has_batch = true;
	return flowlog->sink->ops->add_losses(flowlog->sink, &flowlog->losses,
					      clock_ns(CLOCK_REALTIME));
}

/* Make a batch of what there is. */
static int make_batch(struct flowlog *flowlog, struct error *error)
{
	const struct flow_event *event;
	int err = 0;

	flowlog->offset_ns = flow_clock_offset_ns();
	while (!err && (event = flow_log_next(&flowlog->reader)))
		if (event->type < FLOW_EVENT_MAX)
			err = take(flowlog, event);
	if (!err)
		err = add_drops(flowlog);
	if (!err)
		err = add_losses(flowlog);
	return err ? error_no_memory(error) : 0;
}

/**
 * flowlog_write() - Write what has come
 * @flowlog: the flow log
 * @error: set on failure
 *
 * Return: 0; -ENOMEM; or another -errno: the sink takes nothing, to be tried again.
 */
int flowlog_write(struct flowlog *flowlog, struct error *error)
{
	const struct sink_ops *ops = flowlog->sink->ops;
	int err = flowlog->has_batch ? 0 : make_batch(flowlog, error);

	if (!err && flowlog->has_batch) {
		err = ops->open(flowlog->sink, error);
		if (!err) {
			flow_log_begin(&flowlog->reader,
				       ops->file ? ops->file(flowlog->sink) : NULL);
			err = ops->flush(flowlog->sink, error);
		}
	}
	if (err)
		return err;
	flow_log_commit(&flowlog->reader, &flowlog->losses);
	flowlog->reported_unfollowed += flowlog->losses.unfollowed;
	flowlog->losses = (struct flow_log_losses){};
	flowlog->has_batch = false;
	return 0;
}

/**
 * flowlog_look() - Look after the interface and its connections; to be called every second
 * @flowlog: the flow log
 * @error: set on failure
 *
 * Return: 0; -ENOENT: nothing is attached any more; -ESTALE: what is attached has another log; or
 * another -errno.
 */
int flowlog_look(struct flowlog *flowlog, struct error *error)
{
	const struct attached *attached = &flowlog->context.attached;
	const struct map_entry *gate = map_set_find(&attached->maps, MAP_FLOW_GATE);
	uint32_t gate_id = gate ? gate->id : 0;
	int err = event_context_refresh(&flowlog->context, error);

	if (err)
		return error_prefix(error, "%s", flowlog->sink->interface);
	gate = map_set_find(&attached->maps, MAP_FLOW_GATE);
	if (!gate || gate->id != gate_id)
		return error_set(error, ESTALE, "%s: attached anew, with another log",
				 flowlog->sink->interface);
	if (flowlog->has_batch) /* the sink takes nothing */
		return 0;
	flowlog->offset_ns = flow_clock_offset_ns();
	if (missing_ends_scan(flowlog->missing_ends, &attached->maps,
			      clock_kernel_ns(CLOCK_MONOTONIC), add, flowlog))
		return error_no_memory(error);
	return 0;
}

/**
 * flowlog_fd() - What to wait on until there are events
 */
int flowlog_fd(const struct flowlog *flowlog)
{
	return flowlog->reader.ring_fd;
}

/**
 * flowlog_is_full() - Whether a quarter of the ring is used, so that it is not to wait longer
 */
bool flowlog_is_full(const struct flowlog *flowlog)
{
	return ring_reader_fill(&flowlog->reader.ring) >= flowlog->reader.ring.bytes / 4;
}

/**
 * flowlog_reopen() - Another process has moved the file away: write to a new one
 */
void flowlog_reopen(struct flowlog *flowlog)
{
	if (flowlog->sink->ops->reopen)
		flowlog->sink->ops->reopen(flowlog->sink);
}

/* Cut off what a reader that was killed has written of a batch that is still in the ring. */
static int cut_unfinished(struct flowlog *flowlog, struct error *error)
{
	const struct sink_ops *ops = flowlog->sink->ops;
	const struct stat *file = ops->file ? ops->file(flowlog->sink) : NULL;
	off_t bytes;

	if (!file || !flow_log_unfinished(&flowlog->reader, file, &bytes))
		return 0;
	return ops->cut(flowlog->sink, bytes, error);
}

/* Know the connections that there are: what becomes of them is to be in the log. */
static int note_connections(struct flowlog *flowlog, struct error *error)
{
	const struct attached *attached = &flowlog->context.attached;
	struct conntrack conntrack;
	struct flow_clock clock;
	int err = conntrack_open(&attached->maps, &conntrack, error);

	flow_clock_read(&attached->instance, &clock);
	return err ? err
		   : missing_ends_begin(flowlog->missing_ends, &conntrack, &clock,
					attached->ifindex, error);
}

/**
 * flowlog_open() - Read the flow log of an interface
 * @settings: which, and where to; the sink is freed also on failure
 * @error: set on failure
 *
 * Return: the flow log, for flowlog_close(); NULL on failure.
 */
struct flowlog *flowlog_open(const struct flowlog_settings *settings, struct error *error)
{
	struct flowlog *flowlog = calloc(1, sizeof(*flowlog));
	int err;

	if (!flowlog) {
		settings->sink->ops->free(settings->sink);
		error_no_memory(error);
		return NULL;
	}
	flowlog->sink = settings->sink;
	flowlog->numeric = settings->numeric;
	flowlog->reader.ring_fd = flowlog->reader.lock_fd = -1;
	map_set_init(&flowlog->context.attached.maps);
	flowlog->missing_ends = missing_ends_new();
	err = flowlog->missing_ends ? 0 : error_no_memory(error);
	if (!err && event_context_open(&flowlog->context, settings->ifindex, error))
		err = error_prefix(error, "%s", settings->ifname);
	if (!err)
		err = flow_log_open(&flowlog->reader, &flowlog->context.attached.maps,
				    settings->ifname, settings->drops_per_s, error);
	if (!err)
		err = note_connections(flowlog, error);
	if (!err)
		err = cut_unfinished(flowlog, error);
	if (!err)
		return flowlog;
	flowlog_close(flowlog);
	return NULL;
}

/**
 * flowlog_close() - Stop; the log goes on without a reader
 */
void flowlog_close(struct flowlog *flowlog)
{
	flow_log_close(&flowlog->reader);
	event_context_close(&flowlog->context);
	missing_ends_free(flowlog->missing_ends);
	flowlog->sink->ops->free(flowlog->sink);
	free(flowlog);
}
