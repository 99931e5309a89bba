/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "kernel/named_map.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernel/netns.h"

/* FNV-1a; the NUL at the end of a text counts, so that no two texts run into each other. */
static uint64_t hash(uint64_t sum, const void *data, size_t len)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < len; i++)
		sum = (sum ^ bytes[i]) * UINT64_C(0x100000001b3);
	return sum;
}

/**
 * named_map_name() - The name of a map
 * @kind: its first two letters
 * @what: what the map is for
 * @ifname: which interface, of the network namespace of this process
 * @name: set to it: a hash of 48 bits is what it has room for
 *
 * Return: 0 or -errno.
 */
int named_map_name(const char *kind, const char *what, const char *ifname,
		   char name[BPF_OBJ_NAME_LEN])
{
	uint64_t cookie, sum = UINT64_C(0xcbf29ce484222325);
	int err = netns_cookie(&cookie);

	if (err)
		return err;
	sum = hash(sum, what, strlen(what) + 1);
	sum = hash(sum, ifname, strlen(ifname) + 1);
	sum = hash(sum, &cookie, sizeof(cookie));
	snprintf(name, BPF_OBJ_NAME_LEN, "%.2s_%08x%04x", kind, (uint32_t)sum,
		 (uint16_t)(sum >> 32 ^ sum >> 48));
	return 0;
}

/**
 * named_map_make() - Make a map, whether there is one of that name or not
 * @name: of named_map_name()
 * @value_size: bytes of its one value
 *
 * Return: its descriptor, or -errno.
 */
int named_map_make(const char *name, uint32_t value_size)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_NO_PREALLOC);
	/* before Linux 6.13 a full one refuses to replace what it has */
	int fd = bpf_map_create(BPF_MAP_TYPE_LPM_TRIE, name, sizeof(uint64_t), value_size, 2,
				&opts);

	return fd < 0 ? -errno : fd;
}

/* The map of an id, if it is of that name, whose type proves who made it; -ENOENT: it is not. */
static int open_if(uint32_t id, const char *name)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);
	int fd = bpf_map_get_fd_by_id(id), err;

	if (fd < 0)
		return -errno; /* ENOENT: gone meanwhile */
	err = bpf_obj_get_info_by_fd(fd, &info, &len) ? -errno : 0;
	if (!err && info.type == BPF_MAP_TYPE_LPM_TRIE && !strcmp(info.name, name))
		return fd;
	close(fd);
	return err ? err : -ENOENT;
}

/**
 * named_map_find() - Look for a map by its name
 * @name: of named_map_name()
 * @end: only among maps whose id is smaller
 *
 * Return: its descriptor; -ENOENT: there is none; or another -errno.
 */
int named_map_find(const char *name, uint32_t end)
{
	uint32_t id = 0;
	int fd;

	while (!bpf_map_get_next_id(id, &id)) {
		if (id >= end)
			return -ENOENT;
		fd = open_if(id, name);
		if (fd != -ENOENT)
			return fd;
	}
	return -errno;
}
