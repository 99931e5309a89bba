/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * NetBird's map as it is now, asked for once.
 */
#ifndef SHRIKE_FOLLOW_NEWEST_H
#define SHRIKE_FOLLOW_NEWEST_H

#include <stdint.h>

#include "base/error.h"
#include "policy/part.h"

/* What the daemon has. */
struct newest {
	uint64_t serial;
	struct part_text part; /* NetBird's, of a policy */
};

int newest_fetch(const char *ifname, const char *socket, struct newest *newest,
		 struct error *error);

#endif /* SHRIKE_FOLLOW_NEWEST_H */
