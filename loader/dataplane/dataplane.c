/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "dataplane/dataplane.h"

#include <stdlib.h>
#include <unistd.h>

#include "kernel/hooks.h"
#include "policy/policy.h"

/**
 * dataplane_new() - Nothing in force yet
 *
 * Return: to be freed by dataplane_free(), or NULL where memory ran out.
 */
struct dataplane *dataplane_new(void)
{
	struct dataplane *dataplane = calloc(1, sizeof(*dataplane));

	if (!dataplane)
		return NULL;
	for (int i = 0; i < HOOK_POINTS; i++)
		dataplane->link_fds[i] = -1;
	for (int i = 0; i < UPLINKS_MAX; i++)
		dataplane->uplink_fds[i] = -1;
	return dataplane;
}

/**
 * dataplane_free() - Let go of what is in force; with pins it stays in force
 */
void dataplane_free(struct dataplane *dataplane)
{
	if (!dataplane)
		return;
	hooks_close(dataplane->link_fds);
	for (int i = 0; i < UPLINKS_MAX; i++)
		if (dataplane->uplink_fds[i] >= 0)
			close(dataplane->uplink_fds[i]);
	generation_free(dataplane->generation);
	policy_free(dataplane->policy);
	free(dataplane);
}
