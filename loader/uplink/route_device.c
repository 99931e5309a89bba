/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "uplink/route_device.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netlink/cache.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define NAME	    "shrike%d"
#define ALIAS_BYTES 40

static void alias_of(char alias[ALIAS_BYTES], const char *ifname)
{
	snprintf(alias, ALIAS_BYTES, "shrike-route:%s", ifname);
}

static int nl_error_set(struct error *error, int err)
{
	return error_set(error, EIO, "cannot look at the devices: %s", nl_geterror(err));
}

/* @name: of the device with the alias of an interface, empty where there is none */
static int find_device(const char *ifname, char name[IFNAMSIZ], struct error *error)
{
	struct nl_sock *socket = nl_socket_alloc();
	struct nl_cache *links = NULL;
	struct nl_object *object;
	char alias[ALIAS_BYTES];
	int err = socket ? nl_connect(socket, NETLINK_ROUTE) : -NLE_NOMEM;

	alias_of(alias, ifname);
	name[0] = '\0';
	if (!err)
		err = rtnl_link_alloc_cache(socket, AF_UNSPEC, &links);
	for (object = err ? NULL : nl_cache_get_first(links); object;
	     object = nl_cache_get_next(object)) {
		const char *other = rtnl_link_get_ifalias((struct rtnl_link *)object);

		if (other && !strcmp(other, alias))
			snprintf(name, IFNAMSIZ, "%s",
				 rtnl_link_get_name((struct rtnl_link *)object));
	}
	nl_cache_free(links);
	nl_socket_free(socket);
	return err ? nl_error_set(error, err) : 0;
}

static int set_alias(const char *name, const char *ifname, struct error *error)
{
	struct nl_sock *socket = nl_socket_alloc();
	struct rtnl_link *link = NULL, *change = rtnl_link_alloc();
	char alias[ALIAS_BYTES];
	int err = socket && change ? nl_connect(socket, NETLINK_ROUTE) : -NLE_NOMEM;

	alias_of(alias, ifname);
	if (!err)
		err = rtnl_link_get_kernel(socket, 0, name, &link);
	if (!err) {
		rtnl_link_set_ifalias(change, alias);
		err = rtnl_link_change(socket, link, change, 0);
	}
	rtnl_link_put(link);
	rtnl_link_put(change);
	nl_socket_free(socket);
	return err ? nl_error_set(error, err) : 0;
}

/* Open the device, which is made if its name has a %d, and have it stay or go. */
static int keep_device(char name[IFNAMSIZ], bool stays, struct error *error)
{
	struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	memcpy(request.ifr_name, name, IFNAMSIZ);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) || ioctl(fd, TUNSETPERSIST, stays)) {
		error_set(error, errno, "/dev/net/tun: %s", strerror(errno));
		if (fd >= 0)
			close(fd);
		return -error->code;
	}
	memcpy(name, request.ifr_name, IFNAMSIZ);
	close(fd);
	return 0;
}

/* Whether a setting is on already, which spares a right to write it. */
static bool is_on(const char *path)
{
	FILE *file = fopen(path, "re");
	bool on = file && fgetc(file) == '1';

	if (file)
		fclose(file);
	return on;
}

/* A kernel without IPv6 has no such setting. */
static int set_forwarding(const char *name, const char *family, struct error *error)
{
	char path[64 + IFNAMSIZ];
	FILE *file;
	int err = 0;

	snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/forwarding", family, name);
	if (is_on(path))
		return 0;
	file = fopen(path, "we");
	if (!file && errno == ENOENT && !strcmp(family, "ipv6"))
		return 0;
	if (!file || fputs("1", file) < 0 || fflush(file))
		err = error_set(error, errno, "%s: %s", path, strerror(errno));
	if (file)
		fclose(file);
	return err;
}

/**
 * route_device_make() - Have the device of an interface, made now or earlier
 * @ifname: the interface
 * @ifindex: set to the device
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int route_device_make(const char *ifname, uint32_t *ifindex, struct error *error)
{
	char name[IFNAMSIZ];
	bool is_new;
	int err = find_device(ifname, name, error);

	if (err)
		return err;
	is_new = !name[0];
	if (is_new) {
		strcpy(name, NAME);
		err = keep_device(name, true, error);
	}
	if (err)
		return err;
	if (is_new)
		err = set_alias(name, ifname, error);
	if (!err)
		err = set_forwarding(name, "ipv4", error);
	if (!err)
		err = set_forwarding(name, "ipv6", error);
	if (!err) {
		*ifindex = if_nametoindex(name);
		return 0;
	}
	if (is_new)
		keep_device(name, false, &(struct error){});
	return err;
}

/**
 * route_device_remove() - Remove the device of an interface, if there is one
 * @ifname: the interface
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int route_device_remove(const char *ifname, struct error *error)
{
	char name[IFNAMSIZ];
	int err = find_device(ifname, name, error);

	return err || !name[0] ? err : keep_device(name, false, error);
}
