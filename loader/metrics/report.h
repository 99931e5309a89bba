/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is said between the three processes that serve metrics: `run`, the server, which has no rights
 * and asks `run` for texts, and the collector, which `run` forks to make them and which hands them to
 * the server.
 */
#ifndef SHRIKE_METRICS_REPORT_H
#define SHRIKE_METRICS_REPORT_H

#include <stdint.h>

#include "metrics/exposition.h"

#define REPORT_REQUEST	 'w' /* the byte by which the server asks */
#define REPORT_TEXT_SIZE 512
#define REPORT_LEN_MAX	 (64u << 20)

/* The texts in all formats. */
struct metrics_texts {
	char *text[METRICS_FORMAT_MAX];
	size_t len[METRICS_FORMAT_MAX];
};

/* Makes the texts of an interface; 0 or -errno.  The caller frees them. */
typedef int (*metrics_collect)(const char *ifname, struct metrics_texts *texts,
			       struct error *error);

/*
 * struct metrics_report - from the collector or `run` to the server, with a memory file of the texts,
 * one behind the other
 * @serve_ns: how long they may be served before newer ones are asked for
 * @failure: why there are none, else empty
 */
struct metrics_report {
	uint64_t serve_ns;
	uint32_t len[METRICS_FORMAT_MAX];
	char failure[REPORT_TEXT_SIZE];
};

#endif /* SHRIKE_METRICS_REPORT_H */
