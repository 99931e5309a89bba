/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * After a change of policy: whether each flow is still allowed.
 */
#ifndef SHRIKE_FORWARD_RECHECK_H
#define SHRIKE_FORWARD_RECHECK_H

#include "forward/state.h"

void recheck_flows(struct worker *w, int judge_fd);

#endif /* SHRIKE_FORWARD_RECHECK_H */
