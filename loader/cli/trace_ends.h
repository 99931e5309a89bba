/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The ends of a packet to trace, as users name them: addresses, names, "self".
 */
#ifndef SHRIKE_CLI_TRACE_ENDS_H
#define SHRIKE_CLI_TRACE_ENDS_H

#include "base/error.h"
#include "packet/build.h"
#include "policy/names.h"

/*
 * struct ends - what the user said, and the packet that it is about
 * @end: SRC, DST
 */
struct ends {
	const char *end[2];
	struct packet_spec *spec;
};

int trace_ends_check(const struct ends *ends, struct error *error);
int trace_ends_set(const struct ends *ends, int ifindex, const struct names *names,
		   struct error *error);

#endif /* SHRIKE_CLI_TRACE_ENDS_H */
