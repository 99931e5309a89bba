/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "daemon/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/names.h"
#include "dataplane/change.h"

#define COUNTING_NS (60 * NS_PER_S) /* a command that counts what it changes is done by then */

/**
 * log_line() - Log a line
 * @log: where
 * @level: how much it matters
 * @format: as of printf()
 */
void log_line(struct log *log, enum log_level level, const char *format, ...)
{
	char text[1200];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	log->write(text, level);
}

/**
 * log_once() - Log an error of what is tried every second, unless it was the last one logged
 */
void log_once(struct log *log, const struct error *error)
{
	if (strcmp(log->last_error, error->text))
		log_line(log, LEVEL_ERROR, "%s", error->text);
	snprintf(log->last_error, sizeof(log->last_error), "%s", error->text);
}

/**
 * log_forget_error() - What has failed works, or somebody asks for it again
 */
void log_forget_error(struct log *log)
{
	log->last_error[0] = '\0';
}

/* Whether the change to a generation is still being counted. */
static bool is_counting(const struct attached *attached, const struct change *change)
{
	return change->state == CHANGE_COUNTING &&
	       clock_ns(CLOCK_REALTIME) - attached->instance.applied_ns < COUNTING_NS;
}

/**
 * log_generation() - Log what is in force and why, once
 * @log: where
 * @attached: the generation in force
 *
 * Where a command counts what has changed the line comes when that is done.
 */
void log_generation(struct log *log, const struct attached *attached)
{
	const struct instance *instance = &attached->instance;
	char text[CHANGE_TEXT_MAX] = "";
	struct change change;

	if (instance->applied_ns == log->generation_ns)
		return;
	if (!change_read(&attached->maps, &change)) {
		if (is_counting(attached, &change))
			return;
		change_text(&change, text);
	}
	log->generation_ns = instance->applied_ns;
	log_line(log, LEVEL_INFO, "%s: generation %u in force%s%s; %u rule%s, %s, routing %s (%s)",
		 log->ifname, instance->config.generation, text[0] ? " " : "", text,
		 instance->rules, instance->rules == 1 ? "" : "s",
		 hook_kind_name(attached->hooks[attached->ingress].kind),
		 routing_name(instance->config.routing), instance->routing_why);
}

/**
 * log_failure() - Log that somebody has tried in vain to replace the policy in force, once
 * @log: where
 * @attached: the generation in force
 */
void log_failure(struct log *log, const struct attached *attached)
{
	char who[CHANGE_TEXT_MAX];
	struct change change;

	if (change_read(&attached->maps, &change))
		return;
	log->has_failed = change.failed_ns;
	if (!change.failed_ns || change.failed_ns == log->failed_ns)
		return;
	log->failed_ns = change.failed_ns;
	change_who(change.failed_cause, change.failed_uid, who);
	log_line(log, LEVEL_ERROR, "%s: the old policy stays (%s): %s", log->ifname, who,
		 change.failure);
}
