/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What `shrike doctor` finds.
 */
#ifndef SHRIKE_CLI_DOCTOR_H
#define SHRIKE_CLI_DOCTOR_H

#include <jansson.h>
#include <stdbool.h>

#include "dataplane/attached.h"
#include "kernel/netlink.h"
#include "policy/policy.h"

enum finding {
	FINDING_OK,
	FINDING_NOTE, /* works, with a limit */
	FINDING_BAD,
	FINDING_MAX,
};

struct report {
	json_t *checks;
	bool bad;
};

void find(struct report *report, enum finding finding, const char *what, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

void doctor_check_tables(struct report *report, const struct attached *attached);
void doctor_check_nat(struct report *report, const struct link_info *link,
		      const struct policy_uplinks *wanted);
void doctor_check_netbird(struct report *report, const char *ifname, const struct policy *policy,
			  const char *given);

#endif /* SHRIKE_CLI_DOCTOR_H */
