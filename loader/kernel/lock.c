/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "kernel/lock.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/netlink.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LOCK_RETRY_NS 10000000 /* a holder is done within a fraction of a second */
#define LOCK_RETRIES  3000     /* 30 s in all */

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

/* Parts of the locks' names, so that processes of another version mean the same locks. */
static const char *const lock_names[] = {
	[LOCK_RUN] = "run",
	[LOCK_APPLY] = "apply",
	[LOCK_TRACE] = "trace",
};
_Static_assert(sizeof(lock_names) / sizeof(*lock_names) == LOCK_LISTEN, "each lock has a name");

/* FNV-1a; the NUL at the end of a text counts, so that no two texts run into each other. */
static uint64_t hash(uint64_t sum, const void *data, size_t len)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < len; i++)
		sum = (sum ^ bytes[i]) * UINT64_C(0x100000001b3);
	return sum;
}

/* A number that the kernel gives to no other network namespace until it boots again. */
static int netns_cookie(uint64_t *cookie)
{
	int sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), err = 0;
	socklen_t len = sizeof(*cookie);

	if (sock < 0)
		return -errno;
	if (getsockopt(sock, SOL_SOCKET, SO_NETNS_COOKIE, cookie, &len))
		err = -errno;
	close(sock);
	return err;
}

/* A hash of 48 bits is what the name of a map has room for. */
static int set_name(enum lock lock, const char *ifname, char name[BPF_OBJ_NAME_LEN])
{
	uint64_t cookie, sum = UINT64_C(0xcbf29ce484222325);
	int err = netns_cookie(&cookie);
	char what[24];

	if (err)
		return err;
	if (lock < LOCK_LISTEN)
		snprintf(what, sizeof(what), "%s", lock_names[lock]);
	else
		snprintf(what, sizeof(what), "listen%u", lock - LOCK_LISTEN);
	sum = hash(sum, what, strlen(what) + 1);
	sum = hash(sum, ifname, strlen(ifname) + 1);
	sum = hash(sum, &cookie, sizeof(cookie));
	snprintf(name, BPF_OBJ_NAME_LEN, "lk_%08x%04x", (uint32_t)sum,
		 (uint16_t)(sum >> 32 ^ sum >> 48));
	return 0;
}

/* Whether a map is the lock of that name; the type proves that whoever made it had CAP_BPF. */
static int is_lock(uint32_t id, const char *name)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);
	int fd = bpf_map_get_fd_by_id(id), err;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno; /* gone meanwhile */
	err = bpf_obj_get_info_by_fd(fd, &info, &len) ? -errno : 0;
	close(fd);
	if (err)
		return err;
	return info.type == BPF_MAP_TYPE_LPM_TRIE && !strcmp(info.name, name);
}

/* Look for a lock among the maps that were made before @end: 1, 0, or -errno. */
static int find_lock(const char *name, uint32_t end)
{
	uint32_t id = 0;
	int found = 0;

	while (!found && !bpf_map_get_next_id(id, &id) && id < end)
		found = is_lock(id, name);
	return found || errno == ENOENT || id >= end ? found : -errno;
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
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_NO_PREALLOC);
	int found = find_lock(name, UINT32_MAX), lock, err;
	uint32_t id = 0;

	if (found)
		return found < 0 ? found : -EADDRINUSE;
	lock = bpf_map_create(BPF_MAP_TYPE_LPM_TRIE, name, sizeof(uint64_t), sizeof(uint32_t), 1,
			      &opts);
	if (lock < 0)
		return -errno;
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
		return error_set(error, -err, "cannot lock %s: %s%s", ifname, strerror(-err),
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
