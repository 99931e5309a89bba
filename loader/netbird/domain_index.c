/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "netbird/domain_index.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/keyed.h"
#include "netbird/proto.h"

#define DOMAIN_MAX 255 /* bytes of a domain; longer ones no name can match */

/* A domain of a set: the texts follow each other, the domain in lower case. */
struct entry {
	const char *set;
	char domain[];
};

/*
 * struct domain_index - the domains
 * @entries: in the order in which they were added
 * @keys: their domains, sorted by domain_index_sort()
 */
struct domain_index {
	struct entry **entries;
	struct keyed *keys;
	size_t n;
	size_t room;
};

/**
 * domain_index_new() - Begin without any domain
 *
 * Return: for domain_index_free(), or NULL without memory.
 */
struct domain_index *domain_index_new(void)
{
	return calloc(1, sizeof(struct domain_index));
}

static int make_room(struct domain_index *index)
{
	size_t more = index->room * 2 + 64;
	struct entry **entries;
	struct keyed *keys;

	if (index->n < index->room)
		return 0;
	entries = realloc(index->entries, more * sizeof(*entries));
	if (entries)
		index->entries = entries;
	keys = realloc(index->keys, more * sizeof(*keys));
	if (keys)
		index->keys = keys;
	if (!entries || !keys)
		return -ENOMEM;
	index->room = more;
	return 0;
}

/**
 * domain_index_add() - Add a domain of a set
 * @index: the domains
 * @domain: the domain
 * @set: name of the set; a set may have many domains, a domain many sets
 *
 * Return: 0; -EINVAL: no name can match it; -ENOMEM.
 */
int domain_index_add(struct domain_index *index, const char *domain, const char *set)
{
	size_t len = strlen(domain), set_len = strlen(set);
	struct entry *entry;

	if (!len || len > DOMAIN_MAX)
		return -EINVAL;
	entry = make_room(index) ? NULL : malloc(sizeof(*entry) + len + set_len + 2);
	if (!entry)
		return -ENOMEM;
	for (size_t i = 0; i <= len; i++)
		entry->domain[i] = tolower((unsigned char)domain[i]);
	entry->set = memcpy(entry->domain + len + 1, set, set_len + 1);
	index->keys[index->n] = (struct keyed){entry->domain, len, index->n};
	index->entries[index->n++] = entry;
	return 0;
}

/**
 * domain_index_sort() - Have domains found that were added
 */
void domain_index_sort(struct domain_index *index)
{
	keyed_sort(index->keys, index->n);
}

/* Report the sets of a domain. */
static bool report(const struct domain_index *index, const char *domain, size_t len,
		   domain_match_fn on_match, void *arg)
{
	const struct keyed *first = keyed_find(index->keys, index->n, domain, len);
	const struct keyed *end = index->keys + index->n;

	for (const struct keyed *key = first; key && key < end; key++) {
		if (key->len != len || memcmp(key->key, domain, len))
			break;
		on_match(arg, index->entries[key->index]->set);
	}
	return first != NULL;
}

static int add_all(struct domain_index *index, const json_t *sets)
{
	const char *name;
	json_t *domains, *domain;
	size_t i;

	json_object_foreach ((json_t *)sets, name, domains)
		json_array_foreach (domains, i, domain)
			if (proto_string(domain) &&
			    domain_index_add(index, proto_string(domain), name) == -ENOMEM)
				return -ENOMEM;
	return 0;
}

/**
 * domain_index_read() - The domains of a map
 * @sets: an object: for each set an array of texts (struct netbird_import)
 *
 * Return: for domain_index_free(), sorted, or NULL without memory.
 */
struct domain_index *domain_index_read(const json_t *sets)
{
	struct domain_index *index = domain_index_new();

	if (index && add_all(index, sets)) {
		domain_index_free(index);
		return NULL;
	}
	if (index)
		domain_index_sort(index);
	return index;
}

/**
 * domain_index_match() - Find the sets of a name
 * @index: sorted
 * @name: in lower case, without a dot at its end
 * @on_match: called with each of them; with the same one again, if the name is in two of its domains
 * @arg: for @on_match
 *
 * Return: whether there is any.
 */
bool domain_index_match(const struct domain_index *index, const char *name,
			domain_match_fn on_match, void *arg)
{
	char wildcard[2 + DOMAIN_MAX + 1] = "*.";
	size_t len = strlen(name);
	bool found;

	/* a dot within a label is none between two */
	if (!len || len > DOMAIN_MAX || strchr(name, '\\'))
		return false;
	found = report(index, name, len, on_match, arg);
	for (const char *rest = name; rest;
	     rest = strchr(rest, '.') ? strchr(rest, '.') + 1 : NULL) {
		len = strlen(rest);
		memcpy(wildcard + 2, rest, len);
		found |= report(index, wildcard, len + 2, on_match, arg);
	}
	return found;
}

/**
 * domain_index_free() - Forget all; NULL is nothing and fine
 */
void domain_index_free(struct domain_index *index)
{
	if (!index)
		return;
	for (size_t i = 0; i < index->n; i++)
		free(index->entries[i]);
	free(index->entries);
	free(index->keys);
	free(index);
}
