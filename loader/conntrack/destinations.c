/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "conntrack/destinations.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(union addr));
}

/* Both ends are done with it, and its entry only waits for what may come late. */
static bool is_over(uint8_t state)
{
	return state == FLOW_STATE_TIME_WAIT || state == FLOW_STATE_CLOSING ||
	       state == FLOW_STATE_LAST_ACK || state == FLOW_STATE_CLOSED;
}

static int visit(void *arg, const struct flow_view *view)
{
	struct destinations *destinations = arg;

	if (is_over(view->state))
		return 0;
	if (destinations->n == destinations->room) {
		size_t more = destinations->room * 2 + 1024;
		union addr *larger = realloc(destinations->addrs, more * sizeof(*larger));

		if (!larger)
			return -ENOMEM;
		destinations->addrs = larger;
		destinations->room = more;
	}
	destinations->addrs[destinations->n++] = view->addr[1];
	return 0;
}

/**
 * destinations_read() - Read where the connections of a generation lead to
 * @maps: of the generation
 * @instance: of the generation
 * @destinations: filled, for destinations_free(); untouched on failure
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int destinations_read(const struct map_set *maps, const struct instance *instance,
		      struct destinations *destinations, struct error *error)
{
	struct destinations fresh = {.n = 0};
	struct conntrack conntrack;
	struct flow_clock clock;
	int err = conntrack_open(maps, &conntrack, error);

	if (err)
		return err;
	flow_clock_read(instance, &clock);
	err = conntrack_walk(&conntrack, &clock, NULL, visit, &fresh, error);
	if (err) {
		free(fresh.addrs);
		return err == -ENOMEM ? error_no_memory(error) : err;
	}
	if (fresh.n)
		qsort(fresh.addrs, fresh.n, sizeof(*fresh.addrs), compare);
	*destinations = fresh;
	return 0;
}

/**
 * destinations_have() - Whether a connection leads to an address of a prefix
 */
bool destinations_have(const struct destinations *destinations, const struct prefix *prefix)
{
	size_t low = 0, high = destinations->n;

	/* what is in a prefix begins with its first address */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare(&destinations->addrs[middle], &prefix->addr) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < destinations->n &&
	       prefix_contains_addr(prefix, &destinations->addrs[low], prefix->ip_version);
}

/**
 * destinations_free() - Release what was read
 */
void destinations_free(struct destinations *destinations)
{
	free(destinations->addrs);
	*destinations = (struct destinations){.n = 0};
}
