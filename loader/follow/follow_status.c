/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "follow/follow_status.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "kernel/board.h"

#define AGE_MAX 32

/* In the largest unit of which there are two or more. */
static const char *age(uint64_t ns, char text[AGE_MAX])
{
	static const struct {
		uint64_t seconds;
		const char *name;
	} units[] = {{24 * 3600, "days"}, {3600, "h"}, {60, "min"}, {1, "s"}};
	uint64_t seconds = ns / NS_PER_S;
	size_t i = 0;

	while (units[i].seconds > 1 && seconds < 2 * units[i].seconds)
		i++;
	snprintf(text, AGE_MAX, "%llu %s", (unsigned long long)(seconds / units[i].seconds),
		 units[i].name);
	return text;
}

static uint64_t since(uint64_t then_ns, uint64_t now_ns)
{
	return now_ns > then_ns ? now_ns - then_ns : 0;
}

/**
 * follow_status_read() - What the `run` of an interface says of following
 * @status: is filled
 *
 * Return: whether it follows.
 */
bool follow_status_read(const char *ifname, struct follow_status *status)
{
	return !board_read(FOLLOW_RECORD, ifname, status, sizeof(*status));
}

/**
 * follow_status_sentence() - What there is to say of NetBird's map
 * @now_ns: CLOCK_MONOTONIC of the kernel
 * @text: set to it
 *
 * Return: @text.
 */
const char *follow_status_sentence(const struct follow_status *status, uint64_t now_ns,
				   char text[FOLLOW_SENTENCE_MAX])
{
	char text_of_age[AGE_MAX];
	int len;

	if (status->map_ns)
		len = snprintf(text, FOLLOW_SENTENCE_MAX, "NetBird map serial %llu, %s old",
			       (unsigned long long)status->serial,
			       age(since(status->map_ns, now_ns), text_of_age));
	else
		len = snprintf(text, FOLLOW_SENTENCE_MAX, "no NetBird map yet");
	if (status->why[0])
		len += snprintf(text + len, FOLLOW_SENTENCE_MAX - len, ", stale for %s: %s",
				age(since(status->stale_ns, now_ns), text_of_age), status->why);
	if (status->is_fetching)
		len += snprintf(text + len, FOLLOW_SENTENCE_MAX - len, "; it is being fetched");
	else if (status->due_ns)
		len += snprintf(text + len, FOLLOW_SENTENCE_MAX - len,
				"; a newer one is fetched in %s",
				age(since(now_ns, status->due_ns) + NS_PER_S - 1, text_of_age));
	if (status->full_sets == 1)
		len += snprintf(text + len, FOLLOW_SENTENCE_MAX - len, "; domain set %s is full",
				status->full_set);
	else if (status->full_sets)
		len += snprintf(text + len, FOLLOW_SENTENCE_MAX - len,
				"; %u domain sets are full, as %s is", status->full_sets,
				status->full_set);
	if (status->missing[0])
		snprintf(text + len, FOLLOW_SENTENCE_MAX - len,
			 "; the map does not have these names of the policy: %s", status->missing);
	return text;
}
