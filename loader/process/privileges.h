/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a process gives up before it reads what others send: its user, all capabilities, and every
 * system call but a few.
 */
#ifndef SHRIKE_PROCESS_PRIVILEGES_H
#define SHRIKE_PROCESS_PRIVILEGES_H

#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

/* A call that may only have this argument. */
struct bound_call {
	int call;
	struct scmp_arg_cmp argument;
};

/*
 * struct system_calls - those that a process is left with, beside what all take
 * @free: whatever their arguments are; the kernel answers for these without running the filter
 * @bound: with one argument each
 */
struct system_calls {
	const int *free;
	size_t n_free;
	const struct bound_call *bound;
	size_t n_bound;
};

int privileges_become_nobody(void);
void privileges_kill(pid_t pid);
int privileges_drop(const struct system_calls *allowed, struct error *error);
uint32_t privileges_raise_files(void);

#endif /* SHRIKE_PROCESS_PRIVILEGES_H */
