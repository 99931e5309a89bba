/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How other commands see that `run` is there, and whether it hangs: it says so every second.
 */
#ifndef SHRIKE_DAEMON_BEAT_H
#define SHRIKE_DAEMON_BEAT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/*
 * struct beat - what `run` says of itself
 * @at_ns: when, CLOCK_BOOTTIME
 * @pid: of the process, as it sees itself
 * @is_waiting: for its interface
 */
struct beat {
	uint64_t at_ns;
	uint32_t pid;
	uint8_t is_waiting;
	uint8_t pad[3];
};

int beat_open(const char *ifname, int *fd, struct error *error);
void beat(int fd, bool is_waiting);
int beat_read(const char *ifname, struct beat *beat);
bool beat_is_hung(const struct beat *beat);
bool beat_is_there(const char *ifname);

#endif /* SHRIKE_DAEMON_BEAT_H */
