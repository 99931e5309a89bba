/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "netbird/dns_memory.h"

#include <string.h>

/* The entry of a name's address, a free one, or the one that expires first. */
static struct dns_memory_entry *find(struct dns_memory *memory, const char *name,
				     const struct prefix *prefix)
{
	struct dns_memory_entry *first = memory->entries;

	for (size_t i = 0; i < memory->n; i++) {
		struct dns_memory_entry *entry = &memory->entries[i];

		if (prefix_equal(&entry->prefix, prefix) && !strcmp(entry->name, name))
			return entry;
		if (entry->until_s < first->until_s)
			first = entry;
	}
	return memory->n < DNS_MEMORY_ENTRIES ? &memory->entries[memory->n++] : first;
}

/**
 * dns_memory_note() - Remember an answer
 * @memory: where
 * @answer: what was answered
 * @now_s: when, on any clock that only goes forwards
 */
void dns_memory_note(struct dns_memory *memory, const struct dns_answer *answer, int64_t now_s)
{
	if (strlen(answer->name) >= DNS_MEMORY_NAME)
		return;
	for (size_t i = 0; i < answer->n; i++) {
		const struct dns_address *address = &answer->addresses[i];
		struct dns_memory_entry *entry = find(memory, answer->name, &address->prefix);

		strcpy(entry->name, answer->name);
		entry->prefix = address->prefix;
		entry->until_s = now_s + address->ttl_s;
	}
}
