/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Names of addresses, as the key "names" of a policy gives them: to addresses where a user writes a
 * name, and back where an address is shown.
 *
 * Both ways take the same few steps however many names there are.
 */
#ifndef SHRIKE_POLICY_NAMES_H
#define SHRIKE_POLICY_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "base/keyed.h"

#define NAME_MAX_BYTES 63

/* An address that has a name. */
struct name_address {
	const char *name;
	union addr addr;
	uint8_t ip_version;
};

/*
 * struct names - names and their addresses; all zero: there are none
 * @list: addresses in the order of the file, those of one name together
 * @n_own: of these, with NetBird's part: the user's, which come first
 * @by_name: names, sorted after names_seal(); index is of the first of its addresses
 * @by_addr: hash table: 1 + an index into @list, 0 where a slot is free
 * @mask: slots of @by_addr, less one
 */
struct names {
	struct name_address *list;
	size_t n;
	size_t n_own;
	size_t room;
	struct keyed *by_name;
	size_t n_names;
	size_t names_room;
	uint32_t *by_addr;
	size_t mask;
};

bool names_is_valid(const char *name);
int names_add(struct names *names, const char *name);
int names_add_address(struct names *names, const union addr *addr, uint8_t ip_version);
int names_seal(struct names *names);
void names_free(struct names *names);

const struct name_address *names_find(const struct names *names, const char *name, size_t *n);
struct prefix names_prefix(const struct name_address *named);
const char *names_of(const struct names *names, const union addr *addr, uint8_t ip_version);

#endif /* SHRIKE_POLICY_NAMES_H */
