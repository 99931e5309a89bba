/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The host of a scenario: its addresses, and what a policy comes to there.
 */
#ifndef SHRIKE_SIMULATE_HOST_H
#define SHRIKE_SIMULATE_HOST_H

#include "dataplane/local_addresses.h"
#include "dataplane/mode.h"
#include "simulate/scenario.h"

int host_take(const char *ifname, struct scenario *scenario, struct error *error);
void host_release(struct scenario *scenario);
int host_local_addresses(const struct scenario *scenario, struct local_address **list, size_t *n,
			 struct error *error);
struct prefix *host_networks(const struct scenario_interface *interface);
int host_mode(const struct scenario *scenario, const struct mode_question *question,
	      struct mode *mode, struct error *error);

#endif /* SHRIKE_SIMULATE_HOST_H */
