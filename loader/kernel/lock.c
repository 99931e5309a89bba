/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "kernel/lock.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kernel/named_map.h"

#define LOCK_RETRY_NS 10000000 /* a holder is done within a fraction of a second */
#define LOCK_RETRIES  3000     /* 30 s in all */

/* Parts of the locks' names, so that processes of another version mean the same locks. */
static const char *const lock_names[] = {
	[LOCK_RUN] = "run",
	[LOCK_APPLY] = "apply",
	[LOCK_TRACE] = "trace",
	[LOCK_UPLINK] = "uplink",
};
_Static_assert(sizeof(lock_names) / sizeof(*lock_names) == LOCK_LISTEN, "each lock has a name");

static int set_name(enum lock lock, const char *ifname, char name[BPF_OBJ_NAME_LEN])
{
	char what[24];

	if (lock < LOCK_LISTEN)
		snprintf(what, sizeof(what), "%s", lock_names[lock]);
	else
		snprintf(what, sizeof(what), "listen%u", lock - LOCK_LISTEN);
	return named_map_name("lk", what, ifname, name);
}

/* Look for a lock among the maps that were made before @end: 1, 0, or -errno. */
static int find_lock(const char *name, uint32_t end)
{
	int fd = named_map_find(name, end);

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	close(fd);
	return 1;
}

static int map_id(int fd, uint32_t *id)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return -errno;
	*id = info.id;
	return 0;
}

/* Make a lock, unless there is one: of several made at once the first one counts. */
static int make_lock(const char *name, int *fd)
{
	int found = find_lock(name, UINT32_MAX), lock, err;
	uint32_t id = 0;

	if (found)
		return found < 0 ? found : -EADDRINUSE;
	lock = named_map_make(name, sizeof(uint32_t));
	if (lock < 0)
		return lock;
	err = map_id(lock, &id);
	if (!err)
		err = find_lock(name, id);
	if (err) {
		close(lock);
		return err < 0 ? err : -EADDRINUSE;
	}
	*fd = lock;
	return 0;
}

/**
 * lock_try() - Take a lock if nobody holds it
 * @lock: which one of the interface
 * @ifname: the interface
 * @fd: set to the lock; closing it, or ending the process, lets go
 * @error: set on failure
 *
 * Return: 0; -EADDRINUSE: it is held; or another -errno.
 */
int lock_try(enum lock lock, const char *ifname, int *fd, struct error *error)
{
	char name[BPF_OBJ_NAME_LEN];
	int err = set_name(lock, ifname, name);

	if (!err)
		err = make_lock(name, fd);
	if (err)
		return error_set(error, -err, "cannot lock %s: %s%s",
				 ifname[0] ? ifname : lock_names[lock], strerror(-err),
				 err == -EPERM ? " (root, or CAP_BPF and CAP_SYS_ADMIN)" : "");
	return 0;
}

/**
 * lock_is_held() - Whether somebody holds a lock, without taking it even for a moment
 * @lock: which one of the interface
 * @ifname: the interface
 */
bool lock_is_held(enum lock lock, const char *ifname)
{
	char name[BPF_OBJ_NAME_LEN];

	return !set_name(lock, ifname, name) && find_lock(name, UINT32_MAX) > 0;
}

/**
 * lock_wait() - Take a lock, waiting for its holder
 *
 * As lock_try(), but gives up only after 30 s.
 */
int lock_wait(enum lock lock, const char *ifname, int *fd, struct error *error)
{
	const struct timespec pause = {.tv_nsec = LOCK_RETRY_NS};
	int err = -EADDRINUSE;

	for (int i = 0; i < LOCK_RETRIES && err == -EADDRINUSE; i++) {
		err = lock_try(lock, ifname, fd, error);
		if (err == -EADDRINUSE)
			nanosleep(&pause, NULL);
	}
	return err;
}
