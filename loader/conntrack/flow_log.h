/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The ring of the flow log (flow_event.h), which stays when its reader ends: the next one goes on
 * where this one has stopped.
 */
#ifndef SHRIKE_CONNTRACK_FLOW_LOG_H
#define SHRIKE_CONNTRACK_FLOW_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/error.h"
#include "flow_event.h"
#include "kernel/map_set.h"
#include "kernel/ring_reader.h"

/* What no record in the log tells of. */
struct flow_log_losses {
	uint64_t events;     /* that found the ring full */
	uint64_t unsampled;  /* drops beyond those that the log gets in a second */
	uint64_t unfollowed; /* connections that are too many to look whether they are displaced */
};

/*
 * struct flow_log_state - a flow log as others see it
 * @reader: process id of who reads it, 0: nobody
 * @ring_bytes: size of its ring
 * @used_bytes: of that, what has not been written down yet
 * @lost_events: those that found the ring full, since the interface was attached
 * @unsampled_drops: drops beyond those that the log gets in a second, likewise
 */
struct flow_log_state {
	uint32_t reader;
	uint64_t ring_bytes;
	uint64_t used_bytes;
	uint64_t lost_events;
	uint64_t unsampled_drops;
};

struct flow_log_reader {
	struct ring_reader ring;
	struct flow_gate *gate; /* mapped */
	int ring_fd;
	int lock_fd;
};

int flow_log_open(struct flow_log_reader *reader, const struct map_set *maps, const char *ifname,
		  uint64_t drops_per_s, struct error *error);
const struct flow_event *flow_log_next(struct flow_log_reader *reader);
struct flow_log_losses flow_log_losses(const struct flow_log_reader *reader);
void flow_log_begin(struct flow_log_reader *reader, const struct stat *file);
bool flow_log_unfinished(const struct flow_log_reader *reader, const struct stat *file,
			 off_t *bytes);
void flow_log_commit(struct flow_log_reader *reader, const struct flow_log_losses *reported);
void flow_log_close(struct flow_log_reader *reader);
int flow_log_look(const struct map_set *maps, const char *ifname, struct flow_log_state *state);
int flow_log_end(const struct map_set *maps, const char *ifname, struct error *error);

#endif /* SHRIKE_CONNTRACK_FLOW_LOG_H */
