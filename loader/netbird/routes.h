/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The routes of a network map: which of them this peer serves, and what a policy cannot say of them.
 */
#ifndef SHRIKE_NETBIRD_ROUTES_H
#define SHRIKE_NETBIRD_ROUTES_H

#include <jansson.h>
#include <stdbool.h>

#include "netbird/draft.h"

/*
 * struct netbird_routes - what is known of them; all zero: nothing
 * @listed: the map has a list of them
 * @routes: an array of {"peer", "name", "masquerade", "domains"}, for routes_finish()
 * @has_domains: this peer serves a route to domains; set by routes_finish()
 */
struct netbird_routes {
	json_t *routes;
	bool listed;
	bool has_domains;
};

int routes_add(struct netbird_routes *routes, const json_t *entry);
void routes_finish(struct netbird_routes *routes, const json_t *others, struct drafts *all);
void routes_free(struct netbird_routes *routes);

#endif /* SHRIKE_NETBIRD_ROUTES_H */
