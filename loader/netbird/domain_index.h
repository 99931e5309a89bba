/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which sets the addresses of a name belong to, by the domains that each stands for.
 *
 * A domain is a name, or "*." and a name: that name and all below it, as NetBird reads it.
 */
#ifndef SHRIKE_NETBIRD_DOMAIN_INDEX_H
#define SHRIKE_NETBIRD_DOMAIN_INDEX_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct domain_index;

typedef void (*domain_match_fn)(void *arg, const char *set);

struct domain_index *domain_index_new(void);
struct domain_index *domain_index_read(const json_t *sets);
int domain_index_add(struct domain_index *index, const char *domain, const char *set);
void domain_index_sort(struct domain_index *index);
bool domain_index_match(const struct domain_index *index, const char *name,
			domain_match_fn on_match, void *arg);
void domain_index_free(struct domain_index *index);

#endif /* SHRIKE_NETBIRD_DOMAIN_INDEX_H */
