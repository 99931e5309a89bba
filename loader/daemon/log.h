/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What `run` logs of one interface: one line for each change of what is in force, with its cause.
 */
#ifndef SHRIKE_DAEMON_LOG_H
#define SHRIKE_DAEMON_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "dataplane/attached.h"

/* How much a line matters. */
enum log_level {
	LEVEL_ERROR,   /* something failed, and goes on without it */
	LEVEL_WARNING, /* somebody should know */
	LEVEL_INFO,    /* what has changed, and why */
	LEVEL_DEBUG,
	LEVELS,
};

/* Takes one line. */
typedef void (*log_fn)(const char *text, enum log_level level);

/*
 * struct log - where lines go, and what has been logged
 * @has_failed: the last try to replace the policy in force, as of log_failure()
 */
struct log {
	const char *ifname;
	log_fn write;
	bool has_failed;

	/* private to log.c */
	uint64_t generation_ns; /* when the generation that is logged was applied */
	uint64_t failed_ns;	/* when the failure that is logged happened */
	char last_error[sizeof(((struct error *)0)->text)];
};

void log_line(struct log *log, enum log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void log_once(struct log *log, const struct error *error);
void log_forget_error(struct log *log);
void log_generation(struct log *log, const struct attached *attached);
void log_failure(struct log *log, const struct attached *attached);

#endif /* SHRIKE_DAEMON_LOG_H */
