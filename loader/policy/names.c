/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "policy/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS	"0123456789"

/**
 * names_is_valid() - Whether a policy may give this name to an address
 * @name: 1 to 63 letters, digits, '.', '-' and '_', of which the first is neither '.' nor '-';
 *	  no number, and no word that means something where addresses stand
 */
bool names_is_valid(const char *name)
{
	static const char *const words[] = {"any",  "self",	 "local",
					    "none", "broadcast", "multicast"};
	size_t len = strlen(name);

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (!strcmp(name, words[i]))
			return false;
	return len > 0 && len <= NAME_MAX_BYTES && strspn(name, LETTERS DIGITS "._-") == len &&
	       strspn(name, DIGITS ".") != len && name[0] != '.' && name[0] != '-';
}

/* Room for one more in an array. */
static void *grow(void *array, size_t n, size_t *room, size_t size)
{
	void *larger = array;

	if (n == *room) {
		larger = realloc(array, (*room * 2 + 16) * size);
		if (larger)
			*room = *room * 2 + 16;
	}
	return larger;
}

/**
 * names_add() - Begin a name
 * @names: not yet sealed
 * @name: is copied; its addresses follow by names_add_address()
 *
 * Return: 0 or -ENOMEM.
 */
int names_add(struct names *names, const char *name)
{
	struct keyed *larger = grow(names->by_name, names->n_names, &names->names_room,
				    sizeof(*larger));
	char *copy = larger ? strdup(name) : NULL;

	if (larger)
		names->by_name = larger;
	if (!copy)
		return -ENOMEM;
	names->by_name[names->n_names++] =
		(struct keyed){.key = copy, .len = strlen(copy), .index = names->n};
	return 0;
}

/**
 * names_add_address() - Add an address to the name that was begun last
 * @names: not yet sealed
 * @addr: the address
 * @ip_version: 4 or 6
 *
 * Return: 0 or -ENOMEM.
 */
int names_add_address(struct names *names, const union addr *addr, uint8_t ip_version)
{
	struct name_address *larger = grow(names->list, names->n, &names->room, sizeof(*larger));

	if (!larger)
		return -ENOMEM;
	names->list = larger;
	names->list[names->n++] = (struct name_address){
		.name = names->by_name[names->n_names - 1].key,
		.addr = *addr,
		.ip_version = ip_version,
	};
	return 0;
}

/* Where a table of addresses begins to look for one. */
static size_t slot_of(const struct names *names, const union addr *addr)
{
	uint64_t sum = 0;

	for (int i = 0; i < 4; i++)
		sum = (sum ^ addr->word[i]) * UINT64_C(0x9e3779b97f4a7c15);
	return (size_t)(sum >> 32) & names->mask;
}

/**
 * names_seal() - Done with adding: prepare for finding
 *
 * An address with several names has the first one.  More may be added later, and sealed again.
 *
 * Return: 0 or -ENOMEM.
 */
int names_seal(struct names *names)
{
	size_t slots = 16;

	while (slots < 2 * names->n)
		slots *= 2;
	free(names->by_addr);
	names->by_addr = calloc(slots, sizeof(*names->by_addr));
	if (!names->by_addr)
		return -ENOMEM;
	names->mask = slots - 1;
	for (size_t i = 0; i < names->n; i++) {
		const struct name_address *entry = &names->list[i];
		size_t slot = slot_of(names, &entry->addr);

		if (names_of(names, &entry->addr, entry->ip_version))
			continue;
		while (names->by_addr[slot])
			slot = (slot + 1) & names->mask;
		names->by_addr[slot] = (uint32_t)i + 1;
	}
	keyed_sort(names->by_name, names->n_names);
	return 0;
}

/**
 * names_free() - Release all names
 */
void names_free(struct names *names)
{
	for (size_t i = 0; i < names->n_names; i++)
		free((void *)names->by_name[i].key);
	free(names->by_name);
	free(names->list);
	free(names->by_addr);
	*names = (struct names){0};
}

/**
 * names_find() - The addresses of a name
 * @names: sealed, or none at all
 * @name: to find
 * @n: set to their number, 0 where there are none of this name
 *
 * Return: the first of them, or NULL.
 */
const struct name_address *names_find(const struct names *names, const char *name, size_t *n)
{
	const struct keyed *found = keyed_find(names->by_name, names->n_names, name, strlen(name));
	size_t end;

	*n = 0;
	if (!found)
		return NULL;
	for (end = found->index; end < names->n && names->list[end].name == found->key; end++)
		++*n;
	return *n ? &names->list[found->index] : NULL;
}

/**
 * names_prefix() - An address that has a name as a prefix
 */
struct prefix names_prefix(const struct name_address *named)
{
	return (struct prefix){
		.addr = named->addr,
		.ip_version = named->ip_version,
		.len = (uint8_t)prefix_bits(named->ip_version),
	};
}

/**
 * names_of() - The name of an address
 * @names: sealed, or none at all
 * @addr: the address
 * @ip_version: 4 or 6
 *
 * Return: the name, NULL where it has none.
 */
const char *names_of(const struct names *names, const union addr *addr, uint8_t ip_version)
{
	size_t slot;

	if (!names->by_addr)
		return NULL;
	for (slot = slot_of(names, addr); names->by_addr[slot]; slot = (slot + 1) & names->mask) {
		const struct name_address *entry = &names->list[names->by_addr[slot] - 1];

		if (entry->ip_version == ip_version && !memcmp(&entry->addr, addr, sizeof(*addr)))
			return entry->name;
	}
	return NULL;
}
