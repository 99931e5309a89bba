/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Filters of traffic control that others have at the hooks of an interface.  What is attached by TCX is
 * hooks.h's.
 */
#ifndef SHRIKE_KERNEL_FILTERS_H
#define SHRIKE_KERNEL_FILTERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/*
 * struct tc_filter - a filter
 * @kind: "bpf", "flower", ...
 * @name: of a BPF program, empty: it is of another kind
 * @preference: its priority, 1 comes first
 * @is_egress: it sees what leaves, else what comes in
 */
struct tc_filter {
	char kind[16];
	char name[64];
	uint32_t preference;
	bool is_egress;
};

typedef void (*tc_filter_fn)(void *arg, const struct tc_filter *filter);

int tc_filters_read(int ifindex, tc_filter_fn on_filter, void *arg, struct error *error);

#endif /* SHRIKE_KERNEL_FILTERS_H */
