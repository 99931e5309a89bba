/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The addresses behind the domains of a network map, by the set that NetBird keeps them in.
 *
 * NetBird names a set after its domains, nb-XXXXXXXX.  With its firewall on it keeps them in
 * nftables, and what is listed there holds.  Without, they are taken from the answers of its DNS
 * forwarder.  NetBird itself forgets no address while there is the route.  Here those of answers, and
 * those of a set that has gone from nftables (the daemon starts again), are held for some time, and
 * after that while a connection uses them.  Of those that are too many go which no connection uses,
 * and where all are in use, those that are not in force yet.
 */
#ifndef SHRIKE_NETBIRD_DOMAIN_SETS_H
#define SHRIKE_NETBIRD_DOMAIN_SETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"

#define DOMAIN_SET_NAME_SIZE 12 /* "nb-", eight hexadecimal digits and NUL */
#define DOMAIN_SETS_MAX	     16384
#define DOMAIN_HELD_MAX	     1024 /* addresses that are held for one set, unless connections use more */
#define DOMAIN_HELD_NEW	     1024  /* beyond that, until domain_sets_make_room() */
#define DOMAIN_HELD_ALL	     65536 /* for all of them together, before answers are left out */
#define DOMAIN_HOLD_NS	     (3600 * (uint64_t)1000000000)

struct domain_sets;

/* Whether a connection has that destination. */
typedef bool (*domain_in_use_fn)(void *arg, const struct prefix *prefix);

bool domain_set_is_name(const char *name);

struct domain_sets *domain_sets_new(uint64_t hold_ns);
void domain_sets_free(struct domain_sets *sets);

int domain_sets_list(struct domain_sets *sets, const char *name, uint8_t ip_version,
		     struct prefix *prefixes, size_t n);
void domain_sets_unlist(struct domain_sets *sets, const char *name, uint8_t ip_version,
			uint64_t now_ns);
int domain_sets_hold(struct domain_sets *sets, const char *name, const struct prefix *prefix,
		     uint64_t until_ns);
int domain_sets_answer(struct domain_sets *sets, const char *name, const struct prefix *prefix,
		       int32_t ttl_s, uint64_t now_ns);
void domain_sets_expire(struct domain_sets *sets, uint64_t now_ns, domain_in_use_fn in_use,
			void *arg);
uint64_t domain_sets_due_ns(const struct domain_sets *sets);
bool domain_sets_are_over(const struct domain_sets *sets);
void domain_sets_make_room(struct domain_sets *sets, domain_in_use_fn in_use, void *arg);
size_t domain_sets_full(const struct domain_sets *sets, char name[DOMAIN_SET_NAME_SIZE]);

bool domain_sets_has_changed(const struct domain_sets *sets);
void domain_sets_taken(struct domain_sets *sets, uint64_t now_ns);
bool domain_sets_find(void *sets, const char *name, const struct prefix **prefixes, size_t *n);

#endif /* SHRIKE_NETBIRD_DOMAIN_SETS_H */
