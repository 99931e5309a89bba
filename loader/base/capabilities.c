/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/capabilities.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What a program that is executed could have again.  It takes CAP_SETPCAP, which may be missing. */
static void narrow_bounding_set(uint64_t keep)
{
	for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++)
		if (!(keep >> capability & 1) && prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) &&
		    errno == EPERM)
			return;
}

/**
 * capabilities_keep() - Give up all capabilities but some, for good
 * @keep: CAPABILITY(...) of those that stay, as far as this process has them
 * @error: set on failure
 *
 * No program that is executed has others either: no_new_privs is set.
 *
 * Return: 0 or -errno.
 */
int capabilities_keep(uint64_t keep, struct error *error)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[2] = {};

	narrow_bounding_set(keep);
	if (syscall(SYS_capget, &header, sets))
		return error_set(error, errno, "cannot read capabilities: %s", strerror(errno));
	for (int i = 0; i < 2; i++) {
		sets[i].permitted &= (uint32_t)(keep >> 32 * i);
		sets[i].effective = sets[i].permitted;
		sets[i].inheritable = 0;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) ||
	    syscall(SYS_capset, &header, sets))
		return error_set(error, errno, "cannot give up capabilities: %s", strerror(errno));
	return 0;
}
