/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "follow/calls.h"

#include <fcntl.h>

/* Of the bundle's file, which is open. */
static const int free_calls[] = {SCMP_SYS(pread64), SCMP_SYS(fstat)};

static const struct bound_call bound_calls[] = {
	{SCMP_SYS(newfstatat), SCMP_A3_32(SCMP_CMP_EQ, AT_EMPTY_PATH, 0)},
};

const struct system_calls follow_calls = {
	.free = free_calls,
	.n_free = sizeof(free_calls) / sizeof(*free_calls),
	.bound = bound_calls,
	.n_bound = sizeof(bound_calls) / sizeof(*bound_calls),
};
