/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "uplink/uplinks.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernel/hooks.h"
#include "uplink/route_device.h"

#define PORT_FIRST 1024 /* below are those of services */

/* What there is, and what there is to be. */
struct table {
	const struct uplink *held;
	struct uplink wanted[UPLINKS_MAX];
	struct link_info link[UPLINKS_MAX];
};

/* Flows hold the index of their uplink, so one that stays keeps it. */
static size_t place_of(const struct table *table, uint32_t ifindex)
{
	size_t place = UPLINKS_MAX;

	for (size_t i = UPLINKS_MAX; i--;) {
		if (table->held[i].ifindex == ifindex)
			return i;
		if (!table->held[i].ifindex && !table->wanted[i].ifindex)
			place = i;
	}
	return place;
}

static void place_devices(struct table *table, const struct uplink_devices *devices)
{
	for (size_t i = 0; i < devices->n; i++) {
		const struct uplink_device *device = &devices->list[i];
		size_t place = place_of(table, device->link.ifindex);

		if (place == UPLINKS_MAX)
			continue;
		table->link[place] = device->link;
		table->wanted[place] = (struct uplink){
			.addr = {device->addr[0], device->addr[1]},
			.ifindex = device->link.ifindex,
			.mtu = device->link.mtu,
			.l2_len = device->link.l2_len,
		};
		memcpy(table->wanted[place].name, device->link.name,
		       sizeof(table->wanted[place].name));
	}
}

/* Two interfaces that do not know of each other's ports would get each other's answers. */
static int check_shared(const struct link_info *link, const struct hook_state *state,
			struct error *error)
{
	if (!state->foreign_id)
		return 0;
	return error_set(error, EBUSY,
			 "%s: carries the flows of another interface that shrike protects, which "
			 "does not share: attach that one again with this version, or name other "
			 "uplinks with 'nat: {uplinks: [...]}'",
			 link->name);
}

/* Have our program on an uplink. */
static int attach_one(const struct link_info *link, const struct hook_state *state, int prog_fd,
		      int *link_fd, struct error *error)
{
	const struct hook_place place = {
		.ifindex = link->ifindex,
		.point = HOOK_POINT_UPLINK,
		.handle = state->handle,
	};
	int fd, err;

	if (!state->prog_id) {
		err = hook_attach(&place, prog_fd, &fd, error);
	} else {
		err = hook_replace(link->ifindex, HOOK_POINT_UPLINK, state, prog_fd, error);
		fd = err ? -1 : hook_open_link(state);
	}
	if (err)
		return error_prefix(error, "%s", link->name);
	if (*link_fd >= 0)
		close(*link_fd);
	*link_fd = fd < 0 ? -1 : fd;
	return 0;
}

/* All are looked at first, so that a refusal changes nothing. */
static int attach_all(const struct uplinks *uplinks, const struct table *table, struct error *error)
{
	struct hook_state states[UPLINKS_MAX] = {};
	int err = 0;

	for (size_t i = 0; i < UPLINKS_MAX && !err; i++) {
		if (!table->wanted[i].ifindex)
			continue;
		err = hook_query_uplink(table->wanted[i].ifindex, &uplinks->maps, &states[i],
					error);
		if (!err)
			err = check_shared(&table->link[i], &states[i], error);
	}
	for (size_t i = 0; i < UPLINKS_MAX && !err; i++)
		if (table->wanted[i].ifindex)
			err = attach_one(&table->link[i], &states[i],
					 uplinks->prog_fds[!table->wanted[i].l2_len],
					 &uplinks->link_fds[i], error);
	return err;
}

static int detach_one(uint32_t ifindex, const struct hook_maps *maps, struct error *error)
{
	struct hook_state state;
	int err = hook_query_uplink(ifindex, maps, &state, error);

	if (err == -ENODEV)
		return 0;
	return err ? err : hook_detach(ifindex, HOOK_POINT_UPLINK, &state, error);
}

/* Uplinks that are none any more; what still leaves by them has lost its way already. */
static int leave_old(const struct uplinks *uplinks, const struct uplink *old, struct error *error)
{
	const struct uplink *wanted = uplinks->masquerade->uplinks;
	int err = 0;

	for (size_t i = 0; i < UPLINKS_MAX && !err; i++) {
		if (!old[i].ifindex || old[i].ifindex == wanted[i].ifindex)
			continue;
		if (!wanted[i].ifindex && uplinks->link_fds[i] >= 0) {
			close(uplinks->link_fds[i]);
			uplinks->link_fds[i] = -1;
		}
		err = detach_one(old[i].ifindex, &uplinks->maps, error);
	}
	return err;
}

/**
 * uplinks_set_ports() - The ports that flows may take
 * @wanted: of the policy
 * @local: those that the host chooses from itself
 * @ports: are filled
 */
void uplinks_set_ports(const struct policy_uplinks *wanted, struct masquerade_ports local,
		       struct masquerade_ports ports[2])
{
	if (wanted->ports.first) {
		ports[0] = (struct masquerade_ports){wanted->ports.first, wanted->ports.last};
		ports[1] = (struct masquerade_ports){1, 0};
		return;
	}
	ports[0] = (struct masquerade_ports){PORT_FIRST, local.first - 1};
	ports[1] = (struct masquerade_ports){local.last + 1, UINT16_MAX};
	if (local.first <= PORT_FIRST)
		ports[0] = (struct masquerade_ports){1, 0};
	if (local.last == UINT16_MAX)
		ports[1] = (struct masquerade_ports){1, 0};
}

static uint32_t count_ports(const struct masquerade_ports ports[2])
{
	uint32_t n = 0;

	for (int i = 0; i < 2; i++)
		if (ports[i].first <= ports[i].last)
			n += ports[i].last - ports[i].first + 1;
	return n;
}

/*
 * The ports that flows may take.  Where the kernel leaves too few, a process that stays binds the last ones
 * of its range; others may apply a policy meanwhile, and keep what it holds.
 */
static int set_ports(const struct uplinks *uplinks, struct masquerade_ports ports[2],
		     struct error *error)
{
	struct masquerade_ports local = UPLINKS_LOCAL_PORTS;
	const struct masquerade_ports *held = uplinks->masquerade->ports;
	uint16_t first;

	uplinks_local_ports(&local);
	uplinks_set_ports(uplinks->wanted, local, ports);
	if (uplinks->wanted->ports.first || count_ports(ports) >= RESERVED_PORTS) {
		if (uplinks->reserved)
			reserved_ports_release(uplinks->reserved);
		return 0;
	}
	first = local.last - RESERVED_PORTS + 1;
	if (uplinks->reserved && !reserved_ports_take(uplinks->reserved, first, error)) {
		ports[1] = (struct masquerade_ports){first, UINT16_MAX};
		return 0;
	}
	if (uplinks->reserved && count_ports(ports))
		return 0;
	if (uplinks->reserved)
		return -error->code;
	if (held[1].first == first)
		ports[1] = held[1];
	return count_ports(ports)
		       ? 0
		       : error_set(
				 error, EADDRNOTAVAIL,
				 "net.ipv4.ip_local_port_range leaves no port for flows of peers: "
				 "use 'shrike run', which binds some, set 'nat: {port_range: "
				 "...}', or narrow it");
}

/**
 * uplinks_sync() - Bring the programs and what they know up to date with the host
 * @uplinks: what for; every flow's route is looked up again with its next packet
 * @error: set on failure
 *
 * Return: 0 or -errno; -EBUSY: another interface that does not share has one of the uplinks.
 */
int uplinks_sync(const struct uplinks *uplinks, struct error *error)
{
	struct masquerade *masquerade = uplinks->masquerade, settings = {};
	struct uplink old[UPLINKS_MAX];
	struct table table = {.held = masquerade->uplinks};
	struct uplink_devices devices;
	int err;

	err = set_ports(uplinks, settings.ports, error);
	if (!err)
		err = uplinks_discover(uplinks->wanted, uplinks->ifindex, &devices, error);
	if (err)
		return err;
	place_devices(&table, &devices);
	err = attach_all(uplinks, &table, error);
	if (!err)
		err = route_device_make(uplinks->ifname, &settings.route_ifindex, error);
	if (err)
		return err;
	memcpy(old, masquerade->uplinks, sizeof(old));
	memcpy(masquerade->uplinks, table.wanted, sizeof(table.wanted));
	memcpy(masquerade->ports, settings.ports, sizeof(settings.ports));
	masquerade->route_ifindex = settings.route_ifindex;
	masquerade->mtu = uplinks->mtu;
	memcpy(masquerade->own, devices.own, sizeof(devices.own));
	__atomic_store_n(&masquerade->epoch, masquerade->epoch + 1, __ATOMIC_RELEASE);
	return leave_old(uplinks, old, error);
}

/**
 * uplinks_detach() - Take the programs of an interface off all devices
 * @maps: as in struct uplinks
 * @error: set on failure
 *
 * Every device is asked, as what the programs know of uplinks is gone where the interface is, and a
 * filter of clsact stays without them.
 *
 * Return: 0 or -errno.
 */
int uplinks_detach(const struct hook_maps *maps, struct error *error)
{
	struct if_nameindex *links = if_nameindex();
	int err = 0;

	if (!links)
		return error_set(error, errno, "cannot list the interfaces: %s", strerror(errno));
	for (const struct if_nameindex *link = links; link->if_index && !err; link++)
		err = detach_one(link->if_index, maps, error);
	if_freenameindex(links);
	return err;
}

/**
 * uplinks_pin() - Pin the links on all uplinks
 * @masquerade: what the programs know
 * @maps: as in struct uplinks
 * @pins: begun
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int uplinks_pin(const struct masquerade *masquerade, const struct hook_maps *maps,
		struct pins *pins, struct error *error)
{
	int err = 0;

	for (size_t i = 0; i < UPLINKS_MAX && !err; i++) {
		uint32_t ifindex = masquerade->uplinks[i].ifindex;
		struct hook_state state;
		char name[PINS_NAME_MAX];
		int fd;

		if (!ifindex || hook_query_uplink(ifindex, maps, &state, error))
			continue;
		fd = hook_open_link(&state);
		if (fd < 0)
			continue;
		snprintf(name, sizeof(name), "link_uplink_%u", ifindex);
		err = pins_set(pins, name, fd, error);
		close(fd);
	}
	return err;
}
