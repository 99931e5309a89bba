/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The records of a report as packets for `simulate --pcap`: their headers, in the order in which they
 * came.  A record of many packets gives one.
 */
#ifndef SHRIKE_INCIDENT_PAST_REPLAY_H
#define SHRIKE_INCIDENT_PAST_REPLAY_H

#include "incident/past.h"
#include "simulate/replay.h"
#include "trace/recorded.h"

/*
 * struct past_replay - where a replay is
 * @past: what is replayed
 * @policy: that was in force
 * @n: records so far
 * @bytes: of the last packet
 */
struct past_replay {
	struct incident_past past;
	struct policy_text policy;
	size_t n;
	uint8_t bytes[RECORDED_HEADERS_MAX];
};

int past_replay_open(struct past_replay *from, struct replay *replay, struct error *error);
void past_replay_close(struct past_replay *from);

#endif /* SHRIKE_INCIDENT_PAST_REPLAY_H */
