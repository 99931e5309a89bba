/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The forwarder process: one thread around one epoll set.
 */
#ifndef SHRIKE_FORWARD_WORKER_H
#define SHRIKE_FORWARD_WORKER_H

#include "forward/order.h"

int worker_main(const struct worker_start *start);

#endif /* SHRIKE_FORWARD_WORKER_H */
