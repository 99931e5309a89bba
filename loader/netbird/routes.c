/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "netbird/routes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "netbird/proto.h"

#define NAMED_MAX 3 /* routes that a note names */

/**
 * routes_add() - Add a route of the map
 *
 * Return: 0 or -ENOMEM.
 */
int routes_add(struct netbird_routes *routes, const json_t *entry)
{
	const char *name = proto_text(entry, "NetID");
	char text[NETBIRD_TEXT_MAX];
	json_t *route;

	if (!routes->routes)
		routes->routes = json_array();
	name = netbird_printable(text, *name ? name : proto_text(entry, "Network"));
	route = json_pack("{s:s,s:s,s:b,s:b}", "peer", proto_text(entry, "Peer"), "name", name,
			  "masquerade", json_is_true(proto_get(entry, "Masquerade")), "domains",
			  json_array_size(proto_get(entry, "Domains")) > 0);
	return json_array_append_new(routes->routes, route) ? -ENOMEM : 0;
}

/* Add a name to a list of some; the rest are only counted. */
static void add_name(char *list, size_t size, const char *name, size_t index)
{
	size_t used = strlen(list);

	if (index < NAMED_MAX)
		snprintf(list + used, size - used, "%s%s", index ? ", " : "", name);
	else if (index == NAMED_MAX)
		snprintf(list + used, size - used, ", ...");
}

/**
 * routes_finish() - Say what a policy cannot say of the routes
 * @routes: all of them
 * @others: an object of the keys of the other peers, or NULL: what is routed by none of them is
 *	    routed by this peer
 * @all: gets the notes
 */
void routes_finish(struct netbird_routes *routes, const json_t *others, struct drafts *all)
{
	char names[NAMED_MAX * (NETBIRD_TEXT_MAX + 2) + 8] = "";
	size_t own = 0, plain = 0, i;
	const json_t *route;

	json_array_foreach (routes->routes, i, route) {
		const char *peer = json_string_value(json_object_get(route, "peer"));

		if (json_object_get(others, peer))
			continue;
		own++;
		routes->has_domains |= json_is_true(json_object_get(route, "domains"));
		if (json_is_true(json_object_get(route, "masquerade")))
			continue;
		add_name(names, sizeof(names), json_string_value(json_object_get(route, "name")),
			 plain++);
	}
	if (plain)
		drafts_note(all,
			    "routes of this peer without masquerade: %zu (%s); hosts there see the "
			    "addresses of peers and need a route back, and routing: nat and "
			    "userspace would masquerade",
			    plain, names);
	if (routes->listed && !own)
		drafts_note(all, "this peer routes nothing: no route of the map is its own");
}

/**
 * routes_free() - Release all routes
 */
void routes_free(struct netbird_routes *routes)
{
	json_decref(routes->routes);
}
