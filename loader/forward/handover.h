/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A forwarder leaves its connections to the next one, which may be of another process and version.
 *
 * They go into a pair of sockets, in messages with descriptors: first the private network namespace,
 * that is what is open in it, then TCP connections.  The pair keeps them open until the next
 * forwarder reads them, be it held by the parent or by a service manager.  Who finds that he cannot
 * read it closes it, which resets them.
 */
#ifndef SHRIKE_FORWARD_HANDOVER_H
#define SHRIKE_FORWARD_HANDOVER_H

#include "forward/state.h"

int handover_pair(int *reader, int *writer);
void handover_give(struct worker *w, int writer);
bool handover_take_private(struct worker *w, int reader);
void handover_take_flows(struct worker *w, int reader);

#endif /* SHRIKE_FORWARD_HANDOVER_H */
