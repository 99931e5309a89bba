/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * TCP: dial the destination, let the handshake of the peer through, relay.
 */
#ifndef SHRIKE_FORWARD_TCP_H
#define SHRIKE_FORWARD_TCP_H

#include "forward/tcp_flow.h"

void tcp_input(struct worker *w, const struct ip_packet *p, const uint8_t *mac);
void tcp_listen_ready(struct worker *w, struct watch *watch, uint32_t events);
void tcp_tun_ready(struct worker *w, struct watch *watch, uint32_t events);
int tcp_save(const struct tcp_flow *flow, struct tcp_handover *handover, int fds[2]);
void tcp_resume(struct worker *w, const struct tcp_handover *handover, int host_fd, int peer_fd);
void tcp_write_tun(void *arg, const struct iovec *parts, int n);

#endif /* SHRIKE_FORWARD_TCP_H */
