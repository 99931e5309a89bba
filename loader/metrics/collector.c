/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "metrics/collector.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "process/inherit.h"
#include "process/pass.h"

#define PAUSE_MIN_NS NS_PER_S
#define PAUSE_PARTS                                                                                \
	9 /* of the time that it took: collecting takes a tenth of a processor at most */
#define LIFE_S 60

/**
 * collector_pause_ns() - How long to wait before metrics are collected once more
 * @took_ns: how long it has taken
 */
uint64_t collector_pause_ns(uint64_t took_ns)
{
	uint64_t pause_ns = PAUSE_PARTS * took_ns;

	return pause_ns < PAUSE_MIN_NS ? PAUSE_MIN_NS : pause_ns;
}

/* Write the texts into a memory file; its descriptor or -errno. */
static int write_texts(const struct metrics_texts *texts, struct metrics_report *report)
{
	int fd = memfd_create("shrike-metrics", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	for (int format = 0; format < METRICS_FORMAT_MAX; format++) {
		size_t len = texts->len[format];

		if (len > REPORT_LEN_MAX || write(fd, texts->text[format], len) != (ssize_t)len) {
			close(fd);
			return -EFBIG;
		}
		report->len[format] = len;
	}
	return fd;
}

/**
 * collector_begin() - Be the collector
 * @start: what it needs, and keeps: nothing else of the parent's stays open
 * @parent: whose end is its end
 */
void collector_begin(struct collector_start *start, pid_t parent)
{
	uint64_t began_ns = clock_ns(CLOCK_MONOTONIC);
	int *const inherited[] = {&start->control_fd};
	struct metrics_report report = {};
	struct metrics_texts texts;
	struct error error;
	int fd = -1, err;

	inherit_only(parent, inherited, 1, 1);
	prctl(PR_SET_NAME, "shrike-collect");
	alarm(LIFE_S);
	err = start->collect(start->ifname, &texts, &error);
	if (!err) {
		fd = write_texts(&texts, &report);
		err = fd < 0 ? error_set(&error, -fd, "cannot hand metrics over: %s", strerror(-fd))
			     : 0;
	}
	if (err)
		snprintf(report.failure, sizeof(report.failure), "%.*s\n", REPORT_TEXT_SIZE - 2,
			 error.text);
	report.serve_ns = collector_pause_ns(clock_ns(CLOCK_MONOTONIC) - began_ns);
	_exit(pass_send(start->control_fd, &report, sizeof(report), &fd, fd >= 0) != 0);
}
