/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "daemon/beat.h"

#include <unistd.h>

#include "base/clock.h"
#include "kernel/board.h"

#define RECORD "run"

/* Putting a policy into force takes seconds where it is large or another command holds the lock. */
#define HUNG_NS (15 * NS_PER_S)

/**
 * beat_open() - Begin to say that this process is in charge of an interface
 * @ifname: the interface
 * @fd: set to what beat() takes; nothing is said any more when it is closed
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int beat_open(const char *ifname, int *fd, struct error *error)
{
	int err = board_open(RECORD, ifname, sizeof(struct beat), fd, error);

	if (!err)
		beat(*fd, false);
	return err;
}

/**
 * beat() - Say that this process is at work
 * @fd: of beat_open()
 * @is_waiting: for its interface
 */
void beat(int fd, bool is_waiting)
{
	const struct beat now = {
		.at_ns = clock_kernel_ns(CLOCK_BOOTTIME),
		.pid = getpid(),
		.is_waiting = is_waiting,
	};

	board_write(fd, &now);
}

/**
 * beat_read() - What the process in charge of an interface has said last
 * @ifname: the interface
 * @beat: is filled
 *
 * Return: 0; -ENOENT: there is none; or another -errno.
 */
int beat_read(const char *ifname, struct beat *beat)
{
	return board_read(RECORD, ifname, beat, sizeof(*beat));
}

/**
 * beat_is_hung() - Whether a process has said nothing for too long
 * @beat: of beat_read()
 */
bool beat_is_hung(const struct beat *beat)
{
	return clock_kernel_ns(CLOCK_BOOTTIME) - beat->at_ns > HUNG_NS;
}

/**
 * beat_is_there() - Whether a process is in charge of an interface, and at work
 * @ifname: the interface
 */
bool beat_is_there(const char *ifname)
{
	struct beat beat;

	return !beat_read(ifname, &beat) && !beat_is_hung(&beat);
}
