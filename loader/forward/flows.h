/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tables of flows and peers.
 */
#ifndef SHRIKE_FORWARD_FLOWS_H
#define SHRIKE_FORWARD_FLOWS_H

#include "forward/state.h"

uint64_t flow_hash(const struct worker *w, const struct flow_name *name);
void flow_name_set(struct flow_name *name, const struct ip_packet *p, uint16_t sport,
		   uint16_t dport);
struct flow_entry *flow_lookup(struct worker *w, const struct flow_name *name);
bool flow_insert(struct worker *w, struct flow_entry *flow, const struct flow_name *name,
		 const uint8_t *mac);
void flow_remove(struct worker *w, struct flow_entry *flow);
void flow_move(struct worker *w, struct flow_entry *flow, struct flow_list *to);
void flow_touch(struct worker *w, struct flow_entry *flow);
void flows_expire(struct worker *w);
uint64_t flows_expire_in(struct worker *w);
void flows_reap(struct worker *w);
uint32_t flows_count(const struct worker *w);
struct peer *peer_find(struct worker *w, const union addr *addr, uint8_t version);
struct peer *peer_learn(struct worker *w, const union addr *addr, uint8_t version,
			const uint8_t *mac);

#endif /* SHRIKE_FORWARD_FLOWS_H */
