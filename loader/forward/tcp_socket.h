/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the TCP sockets of both sides have in common.
 */
#ifndef SHRIKE_FORWARD_TCP_SOCKET_H
#define SHRIKE_FORWARD_TCP_SOCKET_H

#include "forward/tcp_flow.h"

void tcp_set_option(int fd, int level, int name, int value);
void tcp_set_options(int fd);
void tcp_bound_buffers(int fd, uint32_t connections);
void tcp_set_dscp(struct tcp_flow *flow, uint8_t tos);
void tcp_close(int fd, bool reset);

#endif /* SHRIKE_FORWARD_TCP_SOCKET_H */
