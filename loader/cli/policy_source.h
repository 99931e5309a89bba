/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * POLICY|IFACE: a policy that a question is about, of a file or in force.
 */
#ifndef SHRIKE_CLI_POLICY_SOURCE_H
#define SHRIKE_CLI_POLICY_SOURCE_H

#include <limits.h>

#include "cli/command.h"
#include "simulate/question.h"

/*
 * struct policy_source - one that has been named
 * @argument: as the user wrote it
 * @ifname: the interface that it is in force on, or that -i names; empty: none
 */
struct policy_source {
	const char *argument;
	char ifname[IF_NAMESIZE];
	struct question question;
};

bool policy_source_is_file(const char *argument);
int policy_source_path(const char *given, char path[PATH_MAX], struct error *error);
int policy_source_read(struct policy_source *source, const char *argument, const char *ifname,
		       struct error *error);
int policy_source_open(struct policy_source *source, const char *ifname, struct error *error);
void policy_source_close(struct policy_source *source);

#endif /* SHRIKE_CLI_POLICY_SOURCE_H */
