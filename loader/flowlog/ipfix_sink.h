/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A flow log as IPFIX, to a collector by UDP or TCP.
 */
#ifndef SHRIKE_FLOWLOG_IPFIX_SINK_H
#define SHRIKE_FLOWLOG_IPFIX_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "flowlog/sink.h"

#define COLLECTOR_HOST_MAX 256

struct collector {
	char host[COLLECTOR_HOST_MAX]; /* a name or an address */
	char port[6];
	bool is_tcp;
};

int collector_parse(const char *text, struct collector *collector, struct error *error);
struct sink *ipfix_sink_new(const struct collector *collector, uint32_t ifindex,
			    const char *interface, struct error *error);

#endif /* SHRIKE_FLOWLOG_IPFIX_SINK_H */
