/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "dataplane/rule_names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/generation_rules.h"

static int by_number(const void *a, const void *b)
{
	uint32_t x = ((const struct rule_name *)a)->number;
	uint32_t y = ((const struct rule_name *)b)->number;

	return (x > y) - (x < y);
}

/**
 * rule_names_seal() - Have names found that were put into @names->names by hand
 */
void rule_names_seal(struct rule_names *names)
{
	qsort(names->names, names->n, sizeof(*names->names), by_number);
}

/**
 * rule_names_read() - Learn the names of a generation's rules
 * @names: what is known already stays
 * @maps: of the generation
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int rule_names_read(struct rule_names *names, const struct map_set *maps, struct error *error)
{
	struct rule_view *rules;
	struct rule_name *grown;
	size_t n_rules, n = names->n;
	int err;

	err = generation_read_rules(maps, &rules, &n_rules, error);
	if (err)
		return err;
	grown = realloc(names->names, (n + n_rules + 1) * sizeof(*grown));
	if (!grown) {
		free(rules);
		return error_no_memory(error);
	}
	names->names = grown;
	for (size_t i = 0; i < n_rules; i++) {
		const struct rule *rule = &rules[i].rule;

		if (rule->number == RULE_NONE || rule_names_find(names, rule->number))
			continue;
		grown[n].number = rule->number;
		memcpy(grown[n].id, rule->id, sizeof(grown[n].id));
		grown[n++].id[RULE_ID_MAX - 1] = '\0';
	}
	names->n = n;
	rule_names_seal(names);
	free(rules);
	return 0;
}

/**
 * rule_names_find() - The id of a rule number, NULL where it is not known
 */
const char *rule_names_find(const struct rule_names *names, uint32_t number)
{
	const struct rule_name key = {.number = number};
	const struct rule_name *found;

	if (number == RULE_NONE || !names->n)
		return NULL;
	found = bsearch(&key, names->names, names->n, sizeof(key), by_number);
	return found ? found->id : NULL;
}

/**
 * rule_names_number() - The number of a rule id, RULE_NONE where it is not known
 */
uint32_t rule_names_number(const struct rule_names *names, const char *id)
{
	for (size_t i = 0; i < names->n; i++)
		if (!strcmp(names->names[i].id, id))
			return names->names[i].number;
	return RULE_NONE;
}

/**
 * rule_names_free() - Forget all names
 */
void rule_names_free(struct rule_names *names)
{
	free(names->names);
	memset(names, 0, sizeof(*names));
}
