/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "flowlog/record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/output.h"

#define LEAST 4096

/**
 * record_of_event() - What a log says of an event
 *
 * As flow_event_json().
 *
 * Return: a new object, NULL if memory is out.
 */
json_t *record_of_event(const struct flow_event *event, const struct flow_event_names *names)
{
	return output_formed(flow_event_json(event, names));
}

/**
 * record_of_losses() - What a log says of what it lacks
 * @losses: since this was said last
 * @interface: whose log
 * @time_ns: by CLOCK_REALTIME
 *
 * Return: a new object, NULL if memory is out.
 */
json_t *record_of_losses(const struct flow_log_losses *losses, const char *interface,
			 uint64_t time_ns)
{
	char time[OUTPUT_TIME_LEN];

	return output_formed(json_pack(
		"{s:s,s:o,s:s,s:I,s:I,s:I}", "type", "loss", "interface",
		output_json_text(interface), "time", output_time(time, time_ns), "lost_events",
		(json_int_t)losses->events, "unsampled_drops", (json_int_t)losses->unsampled,
		"unfollowed_connections", (json_int_t)losses->unfollowed));
}

/* Have room for @len bytes more. */
static int make_room(struct text *text, size_t len)
{
	size_t size = text->size ? text->size : LEAST;
	char *data;

	while (size - text->len < len)
		size *= 2;
	if (size == text->size)
		return 0;
	data = realloc(text->data, size);
	if (!data)
		return -ENOMEM;
	text->data = data;
	text->size = size;
	return 0;
}

/**
 * text_append() - Append bytes
 *
 * Return: 0 or -ENOMEM.
 */
int text_append(struct text *text, const void *data, size_t len)
{
	int err = make_room(text, len);

	if (err)
		return err;
	memcpy(text->data + text->len, data, len);
	text->len += len;
	return 0;
}

/**
 * text_append_json() - Append an object, and a newline
 * @text: where to
 * @json: is freed; NULL: memory is out
 *
 * Return: 0 or -ENOMEM.
 */
int text_append_json(struct text *text, json_t *json)
{
	size_t len = json ? json_dumpb(json, NULL, 0, OUTPUT_JSON_FLAGS) : 0;
	int err = len ? make_room(text, len + 1) : -ENOMEM;

	if (!err) {
		json_dumpb(json, text->data + text->len, len, OUTPUT_JSON_FLAGS);
		text->data[text->len + len] = '\n';
		text->len += len + 1;
	}
	json_decref(json);
	return err;
}
