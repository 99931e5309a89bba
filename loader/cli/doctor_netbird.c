/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Doctor, about NetBird: does its daemon answer, is it followed, and who filters?
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/doctor.h"
#include "follow/follow.h"
#include "follow/version.h"
#include "kernel/bypassed.h"

#define CHAINS_MAX 4096

/* Whether NetBird's own firewall has rules in nftables. */
static bool has_firewall(void)
{
	char chains[CHAINS_MAX];
	struct error ignored;

	return !bypassed_list(BYPASSED_CHAINS, chains, sizeof(chains), &ignored) &&
	       (strstr(chains, "ip netbird ") || strstr(chains, "ip6 netbird "));
}

/* What filters by NetBird's rules; @status: of following, NULL where nobody does. */
static void check_firewall(struct report *report, const struct follow_status *status)
{
	bool is_on = has_firewall();

	if (is_on && status)
		find(report, FINDING_NOTE, "netbird_firewall",
		     "on, so both filter and a packet needs both; 'netbird up --disable-firewall' "
		     "leaves it to shrike");
	else if (is_on)
		find(report, FINDING_OK, "netbird_firewall", "on: NetBird filters by its map");
	else if (status && status->map_ns)
		find(report, FINDING_OK, "netbird_firewall",
		     "off: shrike filters by NetBird's map");
	else if (status)
		find(report, FINDING_NOTE, "netbird_firewall",
		     "off, and shrike waits for NetBird's map: it filters by what was in force "
		     "before, or by your own rules alone");
	else
		find(report, FINDING_NOTE, "netbird_firewall",
		     "nothing in nftables, and its map is not followed: NetBird filters in its own "
		     "process, or nobody does by its map");
}

/* Whether the newest map is in force, as far as anybody knows. */
static bool is_current(const struct follow_status *status)
{
	return status->map_ns && !status->why[0];
}

/**
 * doctor_check_netbird() - Look at NetBird's daemon, if there is one or one is to be followed
 * @report: gets the findings
 * @ifname: the interface
 * @policy: of it; NULL: none is known
 * @given: the daemon's socket; NULL: as it is followed, or as the policy says
 */
void doctor_check_netbird(struct report *report, const char *ifname, const struct policy *policy,
			  const char *given)
{
	const char *named = given ? given : policy ? policy->follow_netbird : NULL;
	const char *socket = named ? named : FOLLOW_SOCKET;
	char version[DAEMON_NAME_MAX], sentence[FOLLOW_SENTENCE_MAX];
	struct follow_status status;
	bool is_followed = follow_status_read(ifname, &status);
	struct error error;

	if (is_followed && !given)
		socket = status.socket;
	else if (!named && access(socket, F_OK))
		return;
	if (daemon_version(socket, version, &error))
		find(report, FINDING_NOTE, "netbird", "%s", error.text);
	else
		find(report, is_followed && !is_current(&status) ? FINDING_NOTE : FINDING_OK,
		     "netbird", "daemon %s answers at %s; %s",
		     version[0] ? version : "of unknown version", socket,
		     is_followed ? follow_status_sentence(&status, clock_kernel_ns(CLOCK_MONOTONIC),
							  sentence)
				 : "not followed, which takes 'shrike run --netbird'");
	check_firewall(report, is_followed ? &status : NULL);
}
