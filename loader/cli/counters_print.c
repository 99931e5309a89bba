/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cli/counters_print.h"

#include "base/names.h"
#include "base/output.h"
#include "trace/record_print.h"

static void counter_since(const struct counter *before, const struct counter *now,
			  struct counter *growth)
{
	growth->packets = now->packets - before->packets;
	growth->bytes = now->bytes - before->bytes;
}

/**
 * counters_since() - What was counted between two readings
 * @before: the earlier one; all zero where the counters are new
 * @now: the later one, of the same map
 * @growth: is filled
 */
void counters_since(const struct counters *before, const struct counters *now,
		    struct counters *growth)
{
	counter_since(&before->seen, &now->seen, &growth->seen);
	for (int i = 0; i < VERDICT_MAX; i++)
		counter_since(&before->verdict[i], &now->verdict[i], &growth->verdict[i]);
	for (int i = 0; i < REASON_MAX; i++)
		counter_since(&before->reason[i], &now->reason[i], &growth->reason[i]);
	counter_since(&before->tcp_out_of_window, &now->tcp_out_of_window,
		      &growth->tcp_out_of_window);
	counter_since(&before->translated, &now->translated, &growth->translated);
}

/* In all, or with @seconds per second. */
static json_t *json_counter(const struct counter *counter, double seconds)
{
	if (seconds > 0)
		return json_pack("{s:o,s:o}", "packets_per_s",
				 output_real(counter->packets / seconds), "bytes_per_s",
				 output_real(counter->bytes / seconds));
	return json_pack("{s:I,s:I}", "packets", (json_int_t)counter->packets, "bytes",
			 (json_int_t)counter->bytes);
}

/* Reasons that did not happen are left out. */
static json_t *json_reasons(const struct counters *counters, bool drops, double seconds)
{
	json_t *reasons = json_object();

	for (int reason = 0; reason < REASON_MAX; reason++)
		if (counters->reason[reason].packets && reason_is_drop(reason) == drops)
			json_object_set_new(reasons, reason_name(reason),
					    json_counter(&counters->reason[reason], seconds));
	return reasons;
}

static json_t *json_direction(const struct counters *counters, double seconds)
{
	const struct counter *verdict = counters->verdict;

	return json_pack(
		"{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "seen", json_counter(&counters->seen, seconds),
		verdict_name(VERDICT_PASS), json_counter(&verdict[VERDICT_PASS], seconds),
		verdict_name(VERDICT_FORWARD), json_counter(&verdict[VERDICT_FORWARD], seconds),
		verdict_name(VERDICT_DROP), json_counter(&verdict[VERDICT_DROP], seconds),
		"pass_reasons", json_reasons(counters, false, seconds), "drop_reasons",
		json_reasons(counters, true, seconds), "tcp_out_of_window",
		json_counter(&counters->tcp_out_of_window, seconds), "translated",
		json_counter(&counters->translated, seconds));
}

/**
 * counters_json() - One direction's counters, and the residue of their sum
 *
 * Return: a new object, NULL without memory.
 */
json_t *counters_json(const struct counters *counters)
{
	uint64_t accounted = counters->verdict[VERDICT_PASS].packets +
			     counters->verdict[VERDICT_FORWARD].packets;
	json_t *object = json_direction(counters, 0);

	for (int reason = 0; reason < REASON_MAX; reason++)
		if (reason_is_drop(reason))
			accounted += counters->reason[reason].packets;
	if (object)
		json_object_set_new(object, "residue",
				    json_integer(counters->seen.packets - accounted));
	return object;
}

/**
 * counters_json_rates() - One direction's growth per second
 * @growth: of counters_since()
 * @seconds: in which it has grown, above 0
 *
 * Return: a new object, NULL without memory.
 */
json_t *counters_json_rates(const struct counters *growth, double seconds)
{
	return json_direction(growth, seconds);
}
