/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "classify/intern.h"

#include <errno.h>
#include <stdlib.h>

/**
 * intern_mix() - Add a value to a hash
 * @hash: so far; begin with a random seed, so that nobody can aim at collisions
 * @value: what to add
 *
 * Return: the new hash; every bit of it depends on every bit of both (finalizer of splitmix64).
 */
uint64_t intern_mix(uint64_t hash, uint64_t value)
{
	hash ^= value + 0x9e3779b97f4a7c15 + (hash << 6) + (hash >> 2);
	hash = (hash ^ hash >> 30) * 0xbf58476d1ce4e5b9;
	hash = (hash ^ hash >> 27) * 0x94d049bb133111eb;
	return hash ^ hash >> 31;
}

/**
 * intern_find() - The number of a thing that is in the table already
 * @table: the table
 * @hash: the thing's hash
 * @equal: whether the thing in question is the one of a number
 * @context: the thing in question, for @equal
 *
 * Return: its number, or INTERN_NONE.
 */
uint32_t intern_find(const struct intern *table, uint64_t hash, intern_equal *equal,
		     const void *context)
{
	size_t i = hash;

	if (!table->size)
		return INTERN_NONE;
	for (;; i++) {
		const struct intern_slot *slot = &table->slots[i & (table->size - 1)];

		if (slot->id == INTERN_NONE)
			return INTERN_NONE;
		if (slot->hash == hash && equal(context, slot->id))
			return slot->id;
	}
}

static void place(struct intern *table, uint64_t hash, uint32_t id)
{
	size_t i = hash;

	while (table->slots[i & (table->size - 1)].id != INTERN_NONE)
		i++;
	table->slots[i & (table->size - 1)] = (struct intern_slot){.hash = hash, .id = id};
}

/* Double the table, and put everything into it again. */
static int grow(struct intern *table)
{
	struct intern bigger = {.size = table->size ? table->size * 2 : 64};

	bigger.slots = malloc(bigger.size * sizeof(*bigger.slots));
	if (!bigger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < bigger.size; i++)
		bigger.slots[i].id = INTERN_NONE;
	for (size_t i = 0; i < table->size; i++)
		if (table->slots[i].id != INTERN_NONE)
			place(&bigger, table->slots[i].hash, table->slots[i].id);
	bigger.used = table->used;
	free(table->slots);
	*table = bigger;
	return 0;
}

/**
 * intern_add() - Enter a thing that intern_find() did not find
 * @table: the table
 * @hash: the thing's hash
 * @id: its number, not INTERN_NONE
 *
 * Return: 0 or -ENOMEM.
 */
int intern_add(struct intern *table, uint64_t hash, uint32_t id)
{
	if (table->used * 2 >= table->size && grow(table))
		return -ENOMEM;
	place(table, hash, id);
	table->used++;
	return 0;
}

/**
 * intern_free() - Release a table's memory and leave it empty
 * @table: the table
 */
void intern_free(struct intern *table)
{
	free(table->slots);
	*table = (struct intern){0};
}
