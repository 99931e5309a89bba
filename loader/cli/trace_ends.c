/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cli/trace_ends.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "kernel/netlink.h"

/* The interface's own address of a family; 0: of the first it has. */
static int own_address(int ifindex, uint8_t ip_version, union addr *addr, uint8_t *found,
		       struct error *error)
{
	struct interface_address *list;
	size_t n;
	int err = netlink_read_addresses(&list, &n, error);

	if (err)
		return err;
	err = -EADDRNOTAVAIL;
	for (size_t i = 0; i < n && err; i++) {
		bool link_local = list[i].ip_version == IP_VERSION_6 &&
				  list[i].addr.bytes[0] == 0xfe &&
				  (list[i].addr.bytes[1] & 0xc0) == 0x80;

		if (list[i].ifindex != ifindex || link_local ||
		    (ip_version && list[i].ip_version != ip_version))
			continue;
		*addr = list[i].addr;
		*found = list[i].ip_version;
		err = 0;
	}
	free(list);
	if (!err)
		return 0;
	return error_input(error, "self: the interface has no %saddress",
			   ip_version == IP_VERSION_4	? "IPv4 "
			   : ip_version == IP_VERSION_6 ? "IPv6 "
							: "");
}

/* Whether an end of the packet can only be a name. */
static bool is_name(const char *end)
{
	union addr addr;
	uint8_t ip_version;
	struct error ignored;

	return strcmp(end, "self") && names_is_valid(end) &&
	       addr_parse(end, &addr, &ip_version, &ignored);
}

/* Look a name up: its first address of a family. */
static int named_address(const char *name, const struct names *names, uint8_t ip_version,
			 union addr *addr, struct error *error)
{
	size_t n;
	const struct name_address *named = names_find(names, name, &n);

	if (!named)
		return error_input(error,
				   "'%s' is neither an address nor a name of the policy in force",
				   name);
	for (size_t i = 0; i < n; i++)
		if (named[i].ip_version == ip_version) {
			*addr = named[i].addr;
			return 0;
		}
	return error_input(error, "'%s' has no %s address", name,
			   ip_version == IP_VERSION_4 ? "IPv4" : "IPv6");
}

/* Set the ends that are addresses. */
static int set_given(const struct ends *ends, uint8_t version[2], struct error *error)
{
	union addr *addr[2] = {&ends->spec->saddr, &ends->spec->daddr};

	for (int i = 0; i < 2; i++)
		if (strcmp(ends->end[i], "self") && !is_name(ends->end[i]) &&
		    addr_parse(ends->end[i], addr[i], &version[i], error))
			return error_prefix(error, "%s", i ? "destination" : "source");
	return 0;
}

/**
 * trace_ends_check() - Check the ends that are neither names nor "self"
 * @ends: what the user said
 * @error: set on failure
 *
 * Return: 0, or -EINVAL (invalid input).
 */
int trace_ends_check(const struct ends *ends, struct error *error)
{
	uint8_t ignored[2];

	return set_given(ends, ignored, error);
}

/* Set the ends that are names, of a family that both have. */
static int set_named(const struct ends *ends, uint8_t version[2], const struct names *names,
		     struct error *error)
{
	union addr *addr[2] = {&ends->spec->saddr, &ends->spec->daddr};
	const bool named[2] = {is_name(ends->end[0]), is_name(ends->end[1])};
	uint8_t given = version[0] ? version[0] : version[1];
	uint8_t family = given ? given : IP_VERSION_4;
	int err = 0;

	for (;; family = IP_VERSION_6) {
		err = 0;
		for (int i = 0; i < 2 && !err; i++)
			if (named[i] && named_address(ends->end[i], names, family, addr[i], error))
				err = error_prefix(error, "%s", i ? "destination" : "source");
		if (!err || given || family == IP_VERSION_6)
			break;
	}
	for (int i = 0; i < 2 && !err; i++)
		if (named[i])
			version[i] = family;
	return err;
}

/**
 * trace_ends_set() - Set the addresses of a packet
 * @ends: what the user said they are; "self" is an address of the interface
 * @ifindex: the interface
 * @names: of the policy in force
 * @error: set on failure
 *
 * Return: 0, -EINVAL (invalid input), or another -errno.
 */
int trace_ends_set(const struct ends *ends, int ifindex, const struct names *names,
		   struct error *error)
{
	union addr *addr[2] = {&ends->spec->saddr, &ends->spec->daddr};
	uint8_t version[2] = {};
	int err = set_given(ends, version, error);

	if (!err)
		err = set_named(ends, version, names, error);
	for (int i = 0; i < 2 && !err; i++)
		if (!version[i])
			err = own_address(ifindex, version[!i], addr[i], &version[i], error);
	if (err)
		return err;
	if (version[0] != version[1])
		return error_input(error, "%s and %s: not of one family", ends->end[0],
				   ends->end[1]);
	ends->spec->ip_version = version[0];
	return 0;
}
