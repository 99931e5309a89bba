/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the forwarder gives up before it reads its first packet: its user, and all capabilities.
 */
#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "capabilities.h"
#include "worker.h"

#define NOBODY 65534

/**
 * privileges_raise_files() - Allow this process as many descriptors as it may have
 *
 * Return: how many that is.
 */
uint32_t privileges_raise_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return 1024;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) && getrlimit(RLIMIT_NOFILE, &limit))
		return 1024;
	return limit.rlim_cur > 1 << 20 ? 1 << 20 : limit.rlim_cur;
}

/**
 * privileges_become_nobody() - Change the user and the groups of this process, for good
 *
 * Return: 0 or -errno.
 */
int privileges_become_nobody(void)
{
	if (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
	    setresuid(NOBODY, NOBODY, NOBODY))
		return -errno;
	return 0;
}

/**
 * privileges_drop() - Become nobody, without capabilities, for good
 *
 * Return: 0 or -errno.
 */
int privileges_drop(struct error *error)
{
	int err = privileges_become_nobody();

	if (err)
		return error_set(error, -err, "cannot drop privileges: %s", strerror(-err));
	return capabilities_keep(0, error);
}
