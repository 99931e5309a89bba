/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SHRIKE_BASE_CAPABILITIES_H
#define SHRIKE_BASE_CAPABILITIES_H

#include <linux/capability.h>
#include <stdint.h>

#include "base/error.h"

#define CAPABILITY(name) (1ull << CAP_##name)

int capabilities_keep(uint64_t keep, struct error *error);

#endif /* SHRIKE_BASE_CAPABILITIES_H */
