/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Keeps everybody else from changing what is in force on an interface, until killed.
 *
 *	lock IFACE		"locked" on stdout
 */
#include <stdio.h>
#include <unistd.h>

#include "kernel/lock.h"

int main(int argc, char **argv)
{
	struct error error;
	int fd;

	if (argc != 2) {
		fprintf(stderr, "usage: lock IFACE\n");
		return 2;
	}
	if (lock_wait(LOCK_APPLY, argv[1], &fd, &error)) {
		fprintf(stderr, "lock: %s\n", error.text);
		return 1;
	}
	puts("locked");
	fflush(stdout);
	for (;;)
		pause();
}
