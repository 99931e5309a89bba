/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "kernel/board.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "kernel/named_map.h"

#define KIND "bd"

/* The only key that is used; all bits of it count. */
static const struct {
	uint32_t prefixlen;
	uint32_t data;
} the_key = {32, 0};

/**
 * board_open() - Have a record that others can read
 * @what: its name
 * @ifname: of the interface that this process is in charge of
 * @size: bytes of the record
 * @fd: set to it; the record ends when it is closed
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int board_open(const char *what, const char *ifname, size_t size, int *fd, struct error *error)
{
	char name[BPF_OBJ_NAME_LEN];
	int err = named_map_name(KIND, what, ifname, name);
	int made = err ? err : named_map_make(name, size);

	if (made < 0)
		return error_set(error, -made, "cannot make a record of %s: %s", what,
				 strerror(-made));
	*fd = made;
	return 0;
}

/**
 * board_write() - Replace the record
 * @record: of the size that it was opened with
 *
 * Return: 0 or -errno.
 */
int board_write(int fd, const void *record)
{
	return bpf_map_update_elem(fd, &the_key, record, BPF_ANY) ? -errno : 0;
}

/**
 * board_read() - Read the record of a process in charge
 * @what, @ifname: as for board_open()
 * @record: is filled
 * @size: bytes of it
 *
 * Return: 0; -ENOENT: there is none; -EPROTO: it is another version's; or another -errno.
 */
int board_read(const char *what, const char *ifname, void *record, size_t size)
{
	struct bpf_map_info info = {};
	char name[BPF_OBJ_NAME_LEN];
	__u32 len = sizeof(info);
	int err = named_map_name(KIND, what, ifname, name);
	int fd = err ? err : named_map_find(name, UINT32_MAX);

	if (fd < 0)
		return fd;
	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		err = -errno;
	else if (info.value_size != size)
		err = -EPROTO;
	else if (bpf_map_lookup_elem(fd, &the_key, record))
		err = -errno;
	close(fd);
	return err;
}
