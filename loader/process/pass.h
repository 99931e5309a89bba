/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Messages with descriptors (SCM_RIGHTS), over pairs of sockets that keep messages apart.
 */
#ifndef SHRIKE_PROCESS_PASS_H
#define SHRIKE_PROCESS_PASS_H

#include <stddef.h>
#include <sys/types.h>

#define PASS_FDS_MAX 253 /* of one message, as the kernel has it (SCM_MAX_FD) */

int pass_send(int socket, const void *data, size_t len, const int *fds, int n);
int pass_send_waiting(int socket, const void *data, size_t len);
ssize_t pass_receive(int socket, void *data, size_t len, int *fds, int *n);

#endif /* SHRIKE_PROCESS_PASS_H */
