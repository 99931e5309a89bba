/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * `top` on a terminal: a full screen, keys, and nothing left behind.
 */
#ifndef SHRIKE_CLI_TOP_SCREEN_H
#define SHRIKE_CLI_TOP_SCREEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "top/rows.h"
#include "top/top.h"

/*
 * struct top_settings - how to look
 * @interval_ns: from one look to the next
 * @numeric: addresses instead of names
 */
struct top_settings {
	int64_t interval_ns;
	bool numeric;
};

int top_screen_run(struct top *top, struct top_question *question,
		   const struct top_settings *settings, struct error *error);

#endif /* SHRIKE_CLI_TOP_SCREEN_H */
