/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Every packet that the dataplane forwards is received, relayed, or in a loss that has a name
 * (forwarder.h).  The forwarder counts; its parent closes the account when it ends.
 */
#ifndef SHRIKE_FORWARD_ACCOUNT_H
#define SHRIKE_FORWARD_ACCOUNT_H

#include <stdbool.h>

void account_settle(int status_fd, int counters_fd);
bool account_is_open(int status_fd, int counters_fd);

#endif /* SHRIKE_FORWARD_ACCOUNT_H */
