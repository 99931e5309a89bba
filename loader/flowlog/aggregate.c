/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "flowlog/aggregate.h"

#include <stddef.h>
#include <string.h>

#define MASK (2 * AGGREGATES_MAX - 1)

_Static_assert((2 * AGGREGATES_MAX & MASK) == 0, "the hash takes the low bits");
_Static_assert(AGGREGATES_MAX <= UINT16_MAX, "a slot holds a place in the list");

static uint32_t hash(const struct flow_event *key)
{
	const uint8_t *byte = (const uint8_t *)key;
	uint64_t sum = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < sizeof(*key); i++)
		sum = (sum ^ byte[i]) * UINT64_C(0x100000001b3); /* FNV-1a */
	return sum ^ sum >> 32;
}

/* The slot of a key, or the free one where it would be. */
static uint16_t *find(struct aggregates *aggregates, const struct flow_event *key)
{
	uint32_t slot = hash(key) & MASK;

	while (aggregates->slots[slot] &&
	       memcmp(&aggregates->list[aggregates->slots[slot] - 1].key, key, sizeof(*key)))
		slot = (slot + 1) & MASK;
	return &aggregates->slots[slot];
}

/**
 * aggregates_add() - Add a dropped packet
 * @aggregates: where to
 * @drop: the event
 *
 * Return: false: there is no room for one more kind; add it again after aggregates_clear().
 */
bool aggregates_add(struct aggregates *aggregates, const struct flow_event *drop)
{
	struct flow_event key = *drop, *sum;
	uint16_t *slot;

	key.time_ns = key.created_ns = 0;
	key.packets[0] = key.bytes[0] = 0;
	key.port[0] = 0;
	slot = find(aggregates, &key);
	if (!*slot) {
		if (aggregates->n == AGGREGATES_MAX)
			return false;
		sum = &aggregates->list[aggregates->n].sum;
		aggregates->list[aggregates->n].key = key;
		*sum = *drop;
		sum->created_ns = drop->time_ns;
		*slot = ++aggregates->n;
		return true;
	}
	sum = &aggregates->list[*slot - 1].sum;
	sum->time_ns = drop->time_ns;
	sum->packets[0] += drop->packets[0];
	sum->bytes[0] += drop->bytes[0];
	if (sum->port[0] != drop->port[0])
		sum->port[0] = 0;
	return true;
}

/**
 * aggregates_clear() - Forget all
 */
void aggregates_clear(struct aggregates *aggregates)
{
	memset(aggregates->slots, 0, sizeof(aggregates->slots));
	aggregates->n = 0;
}
