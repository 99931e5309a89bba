/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "metrics/calls.h"

/* Of clients, and of the memory file that holds the texts. */
static const int free_calls[] = {
	SCMP_SYS(accept4),    SCMP_SYS(shutdown), SCMP_SYS(setsockopt),
	SCMP_SYS(getsockopt), SCMP_SYS(pread64),
};

const struct system_calls metrics_calls = {
	.free = free_calls,
	.n_free = sizeof(free_calls) / sizeof(*free_calls),
};
