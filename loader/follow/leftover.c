/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "follow/leftover.h"

#include <stddef.h>

#include "base/clock.h"
#include "follow/bundle.h"

#define LOOK_NS (120 * NS_PER_S) /* the daemon may be about to make one for somebody else first */

/**
 * leftover_asked() - The child asks for a bundle
 */
void leftover_asked(struct leftover *leftover)
{
	leftover->asked_ns = clock_ns(CLOCK_REALTIME_COARSE); /* by which files are dated */
}

/**
 * leftover_answered() - The child waits for no bundle any more
 * @leftover: what is left of others
 * @path: the one that has come, which is not removed: those of others were made before; NULL: none
 */
void leftover_answered(struct leftover *leftover, const char *path)
{
	leftover->asked_ns = 0;
	if (!path)
		return;
	while (leftover->n && bundle_clear(leftover->since_ns, path))
		leftover->n--;
	leftover->n = 0;
}

/**
 * leftover_child_ended() - Nobody takes the bundle that the child has asked for
 */
void leftover_child_ended(struct leftover *leftover)
{
	if (!leftover->asked_ns)
		return;
	if (!leftover->n)
		leftover->since_ns = leftover->asked_ns;
	leftover->n++;
	leftover->until_ns = clock_ns(CLOCK_MONOTONIC) + LOOK_NS;
	leftover->asked_ns = 0;
}

/**
 * leftover_look() - Remove what has come meanwhile; to be called every second
 *
 * While a child waits for a bundle, only its answer tells which one is whose.
 */
void leftover_look(struct leftover *leftover)
{
	if (!leftover->n || leftover->asked_ns)
		return;
	while (leftover->n && bundle_clear(leftover->since_ns, NULL))
		leftover->n--;
	if (clock_ns(CLOCK_MONOTONIC) > leftover->until_ns)
		leftover->n = 0;
}

/**
 * leftover_daemon_gone() - Remove what is there: no more will come
 */
void leftover_daemon_gone(struct leftover *leftover)
{
	leftover_look(leftover);
	leftover->n = 0;
}
