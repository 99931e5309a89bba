/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How a parent notices that a child hangs.
 *
 * Both map one page.  The child notes in it when it begins a turn of its loop, when it has done
 * it, and how long it then means to sleep; the parent looks now and then.  A child that works
 * on one turn, oversleeps or has been stopped is silent, one that sleeps with nothing to do is not:
 * so it need not wake only to show that it lives.
 */
#ifndef SHRIKE_PROCESS_HEARTBEAT_H
#define SHRIKE_PROCESS_HEARTBEAT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define HANG_LOOKS 5 /* in which a child is silent before it hangs; its parent may not have run */

struct error;

struct heartbeat {
	uint32_t beats;	   /* odd while a turn is under way */
	uint64_t wakes_ns; /* the latest end of the sleep between two turns, CLOCK_MONOTONIC */
};

/* What the parent has seen of it. */
struct pulse {
	struct heartbeat *heartbeat;
	uint64_t hang_ns; /* of silence before it hangs */
	uint32_t beats;	  /* as of the last look */
	uint64_t looked_ns;
	uint32_t silences; /* looks in a row without a sign of life that was due */
	uint64_t since_ns; /* that there was none */
	bool is_stopped;   /* by a signal */
};

enum heartbeat_state {
	HEARTBEAT_ALIVE,
	HEARTBEAT_SILENT, /* to be looked at again soon */
	HEARTBEAT_HANGS,
};

int heartbeat_new(uint64_t hang_ns, struct pulse *pulse, struct error *error);
void heartbeat_free(struct pulse *pulse);
void heartbeat_reset(struct pulse *pulse);
enum heartbeat_state heartbeat_look(struct pulse *pulse, pid_t pid, bool is_ready, uint64_t now_ns);

/* The child's side */
void heartbeat_sleep(struct heartbeat *heartbeat, uint64_t wakes_ns);
void heartbeat_wake(struct heartbeat *heartbeat);

#endif /* SHRIKE_PROCESS_HEARTBEAT_H */
