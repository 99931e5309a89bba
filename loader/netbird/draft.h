/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Rules on their way from a network map to a policy.
 */
#ifndef SHRIKE_NETBIRD_DRAFT_H
#define SHRIKE_NETBIRD_DRAFT_H

#include <jansson.h>
#include <stdbool.h>

#include "base/address.h"
#include "rule.h"

#define NETBIRD_TEXT_MAX 64

/*
 * struct drafts - what has been read of a map
 * @notes: array of strings
 * @rules: by enum acl: an object whose keys order the rules, whatever the order of the map
 * @sets: the policy's named sets, all empty
 * @set_of: name of the set by what it stands for
 * @no_memory: something is missing
 */
struct drafts {
	json_t *notes;
	json_t *rules[ACL_MAX];
	json_t *sets;
	json_t *set_of;
	bool no_memory;
};

/*
 * struct draft - one rule
 * @where: in the map, for notes
 * @base: of its id
 * @deny: what it does
 * @dropped: it is not to be carried
 * @source, @destination: arrays of strings; @destination is NULL in peer_acl
 * @protocol: a string or a number
 * @ports: an array, NULL for any
 */
struct draft {
	struct drafts *all;
	char where[NETBIRD_TEXT_MAX];
	char base[NETBIRD_TEXT_MAX];
	bool deny;
	bool dropped;
	json_t *source;
	json_t *destination;
	json_t *protocol;
	json_t *ports;
};

/* A list of rules in the map; ids begin with @fallback where a rule names no policy. */
struct draft_list {
	const char *name;
	const char *fallback;
};

int drafts_init(struct drafts *all);
void drafts_free(struct drafts *all);
void drafts_note(struct drafts *all, const char *format, ...) __attribute__((format(printf, 2, 3)));
json_t *drafts_finish(struct drafts *all, enum acl acl, json_t *ids);

void draft_doubt(struct draft *draft, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void draft_start(struct draft *draft, struct drafts *all, const struct draft_list *list,
		 size_t index, const json_t *entry);
void draft_read_protocol(struct draft *draft, const json_t *entry);
void draft_read_ports(struct draft *draft, const json_t *entry, bool is_peer_rule);
void draft_add_set(struct draft *draft, const char *meaning);
void draft_add_prefix(json_t *list, const struct prefix *prefix);
void draft_commit(struct draft *draft, enum acl acl);

const char *netbird_printable(char text[NETBIRD_TEXT_MAX], const char *raw);

#endif /* SHRIKE_NETBIRD_DRAFT_H */
