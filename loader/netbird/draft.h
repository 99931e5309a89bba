/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Rules on their way from a network map to a policy.
 */
#ifndef SHRIKE_NETBIRD_DRAFT_H
#define SHRIKE_NETBIRD_DRAFT_H

#include <jansson.h>
#include <stdbool.h>

#include "netbird/rules.h"

#define NETBIRD_TEXT_MAX 64

/*
 * struct drafts - what has been read of a map
 * @notes: array of strings
 * @rules: those that are carried
 * @sets: the policy's named sets, all empty: for each an array of the domains it stands for
 * @n_dynamic: rules whose destination is a set, with domains and without any
 * @no_memory: something is missing
 */
struct drafts {
	json_t *notes;
	struct netbird_rules rules;
	json_t *sets;
	size_t n_dynamic[2];
	bool no_memory;
};

/*
 * struct draft - one rule
 * @where: in the map, for notes
 * @dropped: it is not to be carried
 * @rule: what it becomes
 */
struct draft {
	struct drafts *all;
	char where[NETBIRD_TEXT_MAX];
	bool dropped;
	struct netbird_rule rule;
};

/* A list of rules in the map; ids begin with @fallback where a rule names no policy. */
struct draft_list {
	const char *name;
	const char *fallback;
	enum acl acl;
};

int drafts_init(struct drafts *all);
void drafts_free(struct drafts *all);
void drafts_note(struct drafts *all, const char *format, ...) __attribute__((format(printf, 2, 3)));

void draft_doubt(struct draft *draft, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void draft_drop(struct draft *draft, const char *why);
void draft_start(struct draft *draft, struct drafts *all, const struct draft_list *list,
		 size_t index, const json_t *entry);
void draft_read_protocol(struct draft *draft, const json_t *entry);
void draft_read_ports(struct draft *draft, const json_t *entry);
void draft_add_source(struct draft *draft, const struct prefix *prefix);
void draft_set_domains(struct draft *draft, const json_t *entry);
void draft_commit(struct draft *draft);

const char *netbird_printable(char text[NETBIRD_TEXT_MAX], const char *raw);

#endif /* SHRIKE_NETBIRD_DRAFT_H */
