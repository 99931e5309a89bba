/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The socket on which metrics are served: ADDR:PORT or unix:PATH.
 */
#ifndef SHRIKE_METRICS_LISTEN_H
#define SHRIKE_METRICS_LISTEN_H

#include "base/error.h"

int listen_open(const char *address, int *fd, struct error *error);
void listen_close(const char *address, int fd);

#endif /* SHRIKE_METRICS_LISTEN_H */
