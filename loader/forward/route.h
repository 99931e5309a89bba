/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where a destination leads, and whether it may be dialled.
 */
#ifndef SHRIKE_FORWARD_ROUTE_H
#define SHRIKE_FORWARD_ROUTE_H

#include "forward/state.h"

/* May the destination be dialled? */
enum route {
	ROUTE_OUT,   /* as it is, or the socket will say why not */
	ROUTE_LOCAL, /* this host, as local forwarding allows; @to is what to dial */
	ROUTE_REFUSED_LOCAL,
	ROUTE_REFUSED_BACK,
};

int route_open(struct worker *w, struct error *error);
enum route route_find(struct worker *w, const struct flow_name *name, union addr *to);
bool route_is_local(const struct worker *w, const union addr *addr);
uint8_t route_ttl(uint8_t ttl, bool is_local);
enum refusal_kind route_admit(struct worker *w, const struct flow_name *name, union addr *to);
bool route_has_moved(struct worker *w, struct flow_entry *flow, const union addr *to);

#endif /* SHRIKE_FORWARD_ROUTE_H */
