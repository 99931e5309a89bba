/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/clock.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/timerfd.h>

/*
 * What this process's time namespace adds to a clock; nothing where the kernel has none.  A line of
 * the file reads "monotonic SECONDS NANOSECONDS", the latter never negative.
 */
static int64_t namespace_offset_ns(const char *clock, bool *known)
{
	FILE *file = fopen("/proc/self/timens_offsets", "re");
	long long seconds, ns;
	int64_t offset_ns = 0;
	char name[16];

	if (!file) {
		*known = errno == ENOENT;
		return 0;
	}
	while (fscanf(file, "%15s %lld %lld", name, &seconds, &ns) == 3)
		if (!strcmp(name, clock))
			offset_ns = seconds * NS_PER_S + ns;
	fclose(file);
	*known = true;
	return offset_ns;
}

/**
 * clock_ns() - A clock as this process reads it, in ns
 */
uint64_t clock_ns(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

/**
 * clock_kernel_ns() - A clock as the kernel itself and its BPF programs read it
 * @id: CLOCK_MONOTONIC or CLOCK_BOOTTIME
 *
 * A container may have a time namespace with clocks of its own.  To judge by those what the
 * programs have noted would make every connection look expired, or none.  The namespace of a
 * process does not change while it runs, so its offsets are read once.
 */
uint64_t clock_kernel_ns(clockid_t id)
{
	static int64_t monotonic_ns, boottime_ns;
	static bool known;

	if (!known) {
		monotonic_ns = namespace_offset_ns("monotonic", &known);
		boottime_ns = namespace_offset_ns("boottime", &known);
	}
	return clock_ns(id) - (id == CLOCK_BOOTTIME ? boottime_ns : monotonic_ns);
}

/**
 * clock_arm() - Have a timer go off once
 * @timer_fd: of timerfd_create(), by CLOCK_MONOTONIC
 * @ns: from now; 0: at once
 *
 * From a second on it goes off at the nearest whole second of the clock, so that all timers of a
 * process that has little to do wake it at once.
 */
void clock_arm(int timer_fd, uint64_t ns)
{
	struct itimerspec when = {
		.it_value = {.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S},
	};
	int flags = 0;

	if (!ns)
		when.it_value.tv_nsec = 1;
	if (ns >= (uint64_t)NS_PER_S) {
		flags = TFD_TIMER_ABSTIME;
		when.it_value.tv_sec = (clock_ns(CLOCK_MONOTONIC) + ns + NS_PER_S / 2) / NS_PER_S;
		when.it_value.tv_nsec = 0;
	}
	timerfd_settime(timer_fd, flags, &when, NULL);
}
