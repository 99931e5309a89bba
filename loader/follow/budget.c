/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "follow/budget.h"

#include "base/clock.h"

#define COALESCE_NS (300 * NS_PER_MS) /* events come in bursts, and one map tells all of them */

/**
 * budget_init() - A whole budget
 * @interval_ns: in which a fetch is regained, not 0
 */
void budget_init(struct budget *budget, uint64_t interval_ns)
{
	*budget = (struct budget){.interval_ns = interval_ns, .left = BUDGET_FETCHES};
}

/* How many are left by now; those regained are no longer counted from @since_ns on. */
static uint32_t left_at(const struct budget *budget, uint64_t now_ns, uint64_t *since_ns)
{
	uint64_t regained = now_ns > budget->since_ns
				    ? (now_ns - budget->since_ns) / budget->interval_ns
				    : 0;

	if (budget->left + regained >= BUDGET_FETCHES) {
		*since_ns = now_ns;
		return BUDGET_FETCHES;
	}
	*since_ns = budget->since_ns + regained * budget->interval_ns;
	return budget->left + regained;
}

/**
 * budget_note_event() - The map has changed, or is to be fetched as if it had
 * @at_ns: when, CLOCK_MONOTONIC, not 0; one that is to come counts until there is an earlier one
 */
void budget_note_event(struct budget *budget, uint64_t at_ns)
{
	if (!budget->event_ns || at_ns < budget->event_ns)
		budget->event_ns = at_ns;
}

/**
 * budget_due_ns() - When the map is to be fetched next
 * @now_ns: CLOCK_MONOTONIC
 *
 * Return: CLOCK_MONOTONIC, perhaps over already; UINT64_MAX: no event waits.
 */
uint64_t budget_due_ns(const struct budget *budget, uint64_t now_ns)
{
	uint64_t since_ns, due_ns = budget->event_ns + COALESCE_NS;

	if (!budget->event_ns)
		return UINT64_MAX;
	if (left_at(budget, now_ns, &since_ns) || since_ns + budget->interval_ns < due_ns)
		return due_ns;
	return since_ns + budget->interval_ns;
}

/**
 * budget_take() - The map is being fetched: no event waits any more
 * @is_free: the fetch is none of the budget's
 * @now_ns: CLOCK_MONOTONIC
 */
void budget_take(struct budget *budget, bool is_free, uint64_t now_ns)
{
	budget->event_ns = 0;
	if (is_free)
		return;
	budget->left = left_at(budget, now_ns, &budget->since_ns);
	if (budget->left)
		budget->left--;
}
