/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * When the daemon may be asked for its map: it takes the daemon seconds, in which it answers nobody
 * else, so there is a budget of fetches that comes back with time.
 *
 * Nothing is counted by a clock that ticks: what is left follows from when fetches were taken.
 */
#ifndef SHRIKE_FOLLOW_BUDGET_H
#define SHRIKE_FOLLOW_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#define BUDGET_FETCHES 2

/*
 * struct budget - the budget, and what it is to be spent for
 * @interval_ns: in which a fetch is regained
 * @left: as of @since_ns
 * @since_ns: from when on the next one is regained
 * @event_ns: when the first event came that no fetch has followed, or is taken to; 0: none has come
 */
struct budget {
	uint64_t interval_ns;
	uint32_t left;
	uint64_t since_ns;
	uint64_t event_ns;
};

void budget_init(struct budget *budget, uint64_t interval_ns);
void budget_note_event(struct budget *budget, uint64_t at_ns);
uint64_t budget_due_ns(const struct budget *budget, uint64_t now_ns);
void budget_take(struct budget *budget, bool is_free, uint64_t now_ns);

#endif /* SHRIKE_FOLLOW_BUDGET_H */
