/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Headers of what arrives on TCP sockets.
 */
#ifndef SHRIKE_FORWARD_ANSWER_H
#define SHRIKE_FORWARD_ANSWER_H

#include "forward/state.h"

int answer_open(struct worker *w, struct error *error);
uint64_t answer_watch(const struct worker *w, int fd);
void answer_set_tos_ttl(struct worker *w, const struct ip_packet *packet);

#endif /* SHRIKE_FORWARD_ANSWER_H */
